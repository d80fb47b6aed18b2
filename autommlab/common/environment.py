"""The environment of our processes: the project's own folder, and where Python keeps bytecode.

Where PYTHONDONTWRITEBYTECODE is set and the packages came without bytecode, each process compiles
Ray, torch and vLLM anew, which takes most of its start (18 s instead of 6 s of CPU for a toolbox).
The wish behind that variable, nothing beside the sources, is kept: the bytecode goes to a folder of ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import platformdirs

#: Folder to use instead of the user's cache folder.
HOME_VARIABLE = "AUTOMMLAB_HOME"
_FORBIDS, _FOLDER = "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"


def bytecode_environment(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The same environment, in which Python keeps the bytecode that it compiles.

    Args:
        environment: of the process to start.
        folder: for the bytecode, if it may not lie beside the sources.
    """
    given = dict(environment)
    if given.pop(_FORBIDS, ""):
        given.setdefault(_FOLDER, str(folder))
    return given


def keep_bytecode(folder: Path) -> None:
    """Let this process and those that it starts keep their bytecode; see `bytecode_environment`."""
    if not os.environ.get(_FORBIDS):
        return
    kept = bytecode_environment(os.environ, folder)
    del os.environ[_FORBIDS]
    os.environ[_FOLDER] = kept[_FOLDER]
    sys.dont_write_bytecode, sys.pycache_prefix = False, kept[_FOLDER]


def home() -> Path:
    """Folder for caches and the user's data registry; created by whoever writes into it."""
    override = os.environ.get(HOME_VARIABLE)
    return Path(override).expanduser().resolve() if override else Path(platformdirs.user_cache_dir("autommlab"))
