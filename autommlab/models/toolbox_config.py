"""Reads the whole config that a toolbox ships for a zoo entry."""

from __future__ import annotations

import copy
import functools
import importlib.util
from pathlib import Path
from typing import Any

from autommlab.common.errors import ModelError
from autommlab.compat import apply_repairs
from autommlab.models.records import ModelEntry


def config_path(entry: ModelEntry) -> Path:
    """Absolute path of the entry's config file in the installed toolbox.

    Raises:
        ModelError: the toolbox is not installed or has no such file.
    """
    spec = importlib.util.find_spec(entry.toolbox)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"{entry.name}: the toolbox {entry.toolbox} is not installed. Run `uv sync`.")
    path = Path(next(iter(spec.submodule_search_locations))) / ".mim" / entry.config
    if not path.is_file():
        raise ModelError(
            f"{entry.name}: the index names the config {entry.config!r}, which {entry.toolbox} does not ship."
        )
    return path


def toolbox_config(entry: ModelEntry) -> dict[str, Any]:
    """The entry's whole config with its bases merged, as plain dicts and lists; a copy of one's own.

    Raises:
        ModelError: the file is missing or its bases cannot be resolved.
    """
    path = config_path(entry)
    try:
        return copy.deepcopy(_read(path))
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{entry.name}: its config {entry.config} cannot be read: {reason}") from error


@functools.lru_cache(maxsize=4)
def _read(path: Path) -> dict[str, Any]:
    """Kept, since every trial of a study asks for the same file and reading it takes up to a second."""
    from mmengine.config import Config

    apply_repairs()  # reading runs the config's own imports
    plain: dict[str, Any] = Config.fromfile(str(path)).to_dict()
    return plain
