"""Whether a bundle on the disk is whole; nothing of it is loaded or run."""

from __future__ import annotations

import json
from pathlib import Path

_ALWAYS = ("bundle.json", "predict.py", "labels.txt", "bundle_runtime")


def missing_files(bundle: Path) -> list[str]:
    """Names of what a bundle lacks of the files that it needs to predict."""
    try:
        named = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["files"]
        files = [*_ALWAYS, *map(str, named)]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ["bundle.json"]
    return [name for name in files if not _is_there(bundle / name)]


def _is_there(path: Path) -> bool:
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)
