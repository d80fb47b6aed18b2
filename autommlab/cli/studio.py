"""`autommlab studio`: the web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

#: Packages of the extra, as they are imported.
_NEEDED = ("python_multipart", "uvicorn")


def studio(
    runs: Annotated[Path, typer.Argument(help="Folder whose runs are shown, and where new ones go.")] = Path("runs"),
    host: Annotated[str, typer.Option(help="Address to listen on; beyond loopback only with the token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8475,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Ask for no token; any user of this machine can then start runs as you.")
    ] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name under which it is reached, beside --host; repeatable, * = any.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Job server of a cluster that runs may be sent to, http://HOST:8265.")
    ] = None,
    max_upload_mb: Annotated[int, typer.Option(min=1, help="Largest data set that is uploaded, in MiB.")] = 2048,
) -> None:
    """Serve a web page: type a request, watch its run, try the model. What it starts goes on without it."""
    from autommlab.cli.shared import say
    from autommlab.studio.settings import StudioSettings, own_token

    _require_extra()
    settings = StudioSettings(
        runs=runs.expanduser().resolve(),
        host=host,
        port=port,
        token=None if no_token else own_token(),
        allowed_hosts=tuple(allow_host or ()),
        address=address,
        most_upload_mb=max_upload_mb,
    )
    _require_free(host, port)
    from autommlab.studio.app import serve

    say(f"Studio of the runs in {settings.runs}: {settings.url}")
    say("Ctrl-C ends the studio. Runs that it has started go on.")
    serve(settings)


def _require_extra() -> None:
    """Refuse without the packages of the extra.

    Raises:
        RequestError: one is missing; says how to install it.
    """
    from importlib.util import find_spec

    from autommlab.common.errors import RequestError

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise RequestError(
            f"the studio needs {', '.join(missing)}, which is not installed. Install the extra `studio`: "
            "uv run --extra cpu --extra studio autommlab studio"
        )


def _require_free(host: str, port: int) -> None:
    """Refuse a port that cannot be listened on, with words instead of a traceback.

    Raises:
        RequestError: it is taken, or the address is none of this machine.
    """
    from autommlab.common.errors import RequestError
    from autommlab.common.ports import port_problem

    if problem := port_problem(host, port):
        raise RequestError(
            f"cannot listen on {host}, port {port}: {problem}. Is a studio running already? Choose another --port"
        )
