"""Base models by name: one that a package carries, a local folder, or a hub id.

A packaged model is a quantised GGUF file; vLLM wants safetensors. It is
dequantised once into the cache, with its tokenizer and chat template.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from autommlab.common.environment import home
from serve.errors import BaseModelError
from serve.packaged_models import (
    PACKAGED_MODELS,
    PackagedModel,
    checked_gguf,
    packaged_files,
    packaged_tokenizer,
    write_terms,
)
from serve.settings import EMBEDDED_MODEL

#: Written last; tells the hash of every file of a prepared folder.
MANIFEST = "prepared.json"
#: What training needs of a hub's repository, and the terms; not the same weights in other formats.
_HUB_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "LICENSE*", "NOTICE*", "USE_POLICY*")


def check_base_model(name: str) -> None:
    """Refuse a name that cannot be loaded, before anything heavy starts.

    Args:
        name: of a packaged model, a folder with `config.json`, or a hub id "owner/name".

    Raises:
        BaseModelError: no such model.
    """
    folder = Path(name).expanduser()
    if name in PACKAGED_MODELS:
        packaged_files(PACKAGED_MODELS[name])
    elif folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BaseModelError(f"{folder} is no base model: it has no config.json, as transformers writes it")
    elif not _is_hub_id(name):
        known = ", ".join(map(repr, PACKAGED_MODELS))
        raise BaseModelError(
            f"no base model {name!r}: give {known}, a folder that exists, or a hub id like 'owner/name'"
        )


def base_model(name: str) -> str:
    """What vLLM is to load for that name: a folder, or a hub id as it stands.

    Args:
        name: as for `check_base_model`.

    Raises:
        BaseModelError: no such model, or it is damaged.
    """
    check_base_model(name)
    if name in PACKAGED_MODELS:
        return str(prepared_model(name))
    folder = Path(name).expanduser()
    return str(folder.absolute()) if folder.is_dir() else name


def fetched_base(name: str) -> Path:
    """Folder of that base model's files, which are downloaded first if it is a hub id.

    Args:
        name: as for `check_base_model`.

    Raises:
        BaseModelError: no such model, it is damaged, or the hub does not give it.
    """
    found = base_model(name)
    if Path(found).is_dir():
        return Path(found)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(found, allow_patterns=list(_HUB_FILES)))
    except (OSError, ValueError) as error:  # the hub's own errors are of one of these kinds
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise BaseModelError(
            f"the base model {name} is no folder here and does not come from the hub: {reason}. A model that asks "
            "for its terms to be accepted needs your token (`hf auth login`); without a network give a folder"
        ) from error


def base_folder(name: str) -> Path | None:
    """Where the files of that base model lie on this machine; None where that is not known (a hub id).

    A packaged one is there from the first start of the service on.
    """
    folder = _prepared_folder(PACKAGED_MODELS[name]) if name in PACKAGED_MODELS else Path(name).expanduser()
    return folder.absolute() if (folder / "config.json").is_file() else None


def name_for_adapters(name: str) -> str:
    """What the description of an adapter calls that base model: no path of this machine."""
    return name if name in PACKAGED_MODELS or not Path(name).expanduser().is_dir() else Path(name).absolute().name


def terms_of(name: str) -> str | None:
    """What a user of that base model has to know of its licence; None where we know of nothing."""
    return PACKAGED_MODELS[name].notice if name in PACKAGED_MODELS else None


def prepared_model(name: str = EMBEDDED_MODEL) -> Path:
    """Folder of a packaged model, prepared on first use; safe in several processes at once.

    Raises:
        BaseModelError: the package is not installed, or its file is damaged.
    """
    from filelock import FileLock

    model = PACKAGED_MODELS[name]
    folder = _prepared_folder(model)
    if _is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not _is_whole(folder):
            _prepare(model, folder)
    return folder


def embedded_tokenizer() -> Any:
    """Tokenizer and chat template of the embedded model, without its weights.

    Raises:
        BaseModelError: the package is not installed, or its file is damaged.
    """
    model = PACKAGED_MODELS[EMBEDDED_MODEL]
    with tempfile.TemporaryDirectory(prefix="autommlab-gguf-") as scratch:
        return packaged_tokenizer(model, checked_gguf(model, Path(scratch)))


def _prepared_folder(model: PackagedModel) -> Path:
    return home() / "base-models" / f"{model.name}-v{model.version}"


def _prepare(model: PackagedModel, folder: Path) -> None:
    from serve.gguf_weights import write_dense

    with tempfile.TemporaryDirectory(prefix=".preparing-", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        made.mkdir()
        gguf = checked_gguf(model, Path(temporary))
        write_dense(gguf, made)
        packaged_tokenizer(model, gguf).save_pretrained(made)
        write_terms(model, made)
        hashes = {path.name: _sha256(path) for path in sorted(made.iterdir())}
        (made / MANIFEST).write_text(json.dumps(hashes, indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _is_whole(folder: Path) -> bool:
    """All files of the manifest are there with their hashes: half a second for the embedded model."""
    try:
        hashes = json.loads((folder / MANIFEST).read_text())
        return all(_sha256(folder / name) == value for name, value in hashes.items())
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~"))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
