"""`autommlab push BUNDLE DESTINATION`: pass a finished bundle on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def push_command(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", show_default=False)],
    destination: Annotated[
        str,
        typer.Argument(
            help="A folder, a storage (s3://BUCKET/PATH, gs://, abfs://, hdfs://), or hf://OWNER/NAME on a model hub.",
            show_default=False,
        ),
    ],
    private: Annotated[bool, typer.Option("--private", help="A repository that is made now is hidden.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that lies there.")] = False,
) -> None:
    """Copy a finished bundle to a folder, a storage, or Hugging Face's hub, whose token is that of its own login."""
    from autommlab.cli.shared import say
    from autommlab.deployment.pushing import push_bundle

    done = push_bundle(bundle, destination, private=private, force=force)
    say(f"{len(done.files)} files: {done.where}")
