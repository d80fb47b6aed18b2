"""The table of LoRA adapters that a service knows, kept in files that all its replicas read.

Each adapter is copied under a name that holds the hash of its content. The source may then
change or go away, and a changed adapter is a new path: vLLM keys its prefix cache by name
and path, so a reloaded adapter never meets cache blocks of the old weights.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from autommlab.common.files import replacing
from serve.adapter_check import check_weights
from serve.base_models import base_folder
from serve.errors import AdapterError
from serve.settings import ServiceSettings

CONFIG_FILE = "adapter_config.json"
#: Only this form of weights: the other one that PEFT knows is a pickle.
WEIGHTS_FILE = "adapter_model.safetensors"
TABLE_FILE = "table.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH_CHARACTERS = 16
#: No layer of a language model is wider.
_LARGEST_RANK = 2**16


class Adapter(BaseModel):
    """One registered adapter.

    Attributes:
        name: what clients give as `model`.
        path: our copy.
        source: the folder that it was copied from.
        rank: of its LoRA matrices.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=f"^{_NAME.pattern}$")
    path: Path
    source: Path
    rank: int = Field(ge=1, le=_LARGEST_RANK)


_ROWS = TypeAdapter(list[Adapter])


def table_of(settings: ServiceSettings) -> AdapterTable:
    """The table of the service with these settings."""
    base = base_folder(settings.base_model)
    return AdapterTable(settings.folder / "adapters", settings.max_adapter_rank, settings.adapter_layers, base)


class AdapterTable:
    """Adapters in a folder, safe for several processes.

    Args:
        folder: on a file system that all replicas see; made when the first adapter is added.
        max_rank: largest LoRA rank that the service was started for.
        layers: layers that adapters may change; None = all.
        base: folder of the base model, which the adapters' shapes are held against; None = it is not known here.
    """

    def __init__(
        self, folder: Path, max_rank: int, layers: Collection[str] | None = None, base: Path | None = None
    ) -> None:
        self.folder = folder
        self.max_rank = max_rank
        self.layers = layers
        self.base = base
        self._file = folder / TABLE_FILE

    def stamp(self) -> tuple[int, int] | None:
        """Something that is another after each change of the table; None while there is none."""
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    def read(self) -> dict[str, Adapter]:
        """All adapters by name.

        Raises:
            AdapterError: the table is damaged.
        """
        try:
            rows = _ROWS.validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise AdapterError(f"the table of adapters {self._file} is damaged ({error}): delete it") from error
        return {row.name: row for row in rows}

    def prepare(self, name: str, source: Path) -> Adapter:
        """Check an adapter and copy it; not registered yet.

        Raises:
            AdapterError: no such folder, not a LoRA adapter of this base model, rank too large, other layers changed
                than allowed, or a name that cannot be used.
        """
        if not _NAME.fullmatch(name):
            raise AdapterError(
                f"an adapter cannot be called {name!r}: 1 to 64 letters, digits, '.', '_' and '-', first a letter "
                "or digit"
            )
        rank = self._checked_rank(source)
        check_weights(source / WEIGHTS_FILE, rank, self.base)
        digest = hashlib.sha256()
        for file in (CONFIG_FILE, WEIGHTS_FILE):
            with (source / file).open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        copy = self.folder / f"{name}-{digest.hexdigest()[:_HASH_CHARACTERS]}"
        if not copy.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".copying-", dir=self.folder) as temporary:
                made = Path(temporary) / copy.name
                made.mkdir()
                for file in (CONFIG_FILE, WEIGHTS_FILE):
                    shutil.copyfile(source / file, made / file)
                if not copy.is_dir():
                    made.rename(copy)
        return Adapter(name=name, path=copy, source=source.absolute(), rank=rank)

    def put(self, adapter: Adapter) -> None:
        """Register a prepared adapter, or replace the one of its name."""
        with self._locked():
            self._write({**self.read(), adapter.name: adapter})

    def remove(self, name: str) -> None:
        """Forget an adapter.

        Raises:
            AdapterError: there is none of that name.
        """
        with self._locked():
            adapters = self.read()
            if name not in adapters:
                raise AdapterError(f"no adapter {name!r}; there are: {', '.join(adapters) or 'none'}")
            del adapters[name]
            self._write(adapters)

    def discard(self, adapter: Adapter) -> None:
        """Delete the copy of a prepared adapter that could not be used, unless the table refers to it."""
        with self._locked(), contextlib.suppress(AdapterError):
            if adapter.path not in {known.path for known in self.read().values()}:
                shutil.rmtree(adapter.path, ignore_errors=True)

    def sweep(self) -> None:
        """Delete copies that no adapter refers to; only while no replica runs, which may still read them."""
        if not self.folder.is_dir():
            return
        with self._locked():
            used = {adapter.path.name for adapter in self.read().values()}
            for copy in self.folder.iterdir():
                if copy.is_dir() and copy.name not in used:
                    shutil.rmtree(copy, ignore_errors=True)

    def _checked_rank(self, source: Path) -> int:
        missing = [file for file in (CONFIG_FILE, WEIGHTS_FILE) if not (source / file).is_file()]
        if missing:
            raise AdapterError(f"{source} is no LoRA adapter: {' and '.join(missing)} missing (PEFT writes both)")
        try:
            config = json.loads((source / CONFIG_FILE).read_text())
            rank, changed = config["r"], config.get("target_modules")
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise AdapterError(f"{source / CONFIG_FILE} is not the description of a LoRA adapter: {error}") from error
        if type(rank) is not int or not 1 <= rank <= self.max_rank:
            raise AdapterError(
                f"the adapter in {source} has rank {rank}; the service was started for 1 to {self.max_rank}: "
                "raise max_adapter_rank in its settings and start it again"
            )
        # PEFT writes a list of names; a pattern is left to vLLM's own check.
        names = {str(name).rpartition(".")[2] for name in changed} if isinstance(changed, list) else set()
        if self.layers is not None and (others := sorted(names - set(self.layers))):
            raise AdapterError(
                f"the adapter in {source} changes the layers {', '.join(others)}; the service was started for "
                f"{', '.join(self.layers)}: name more in adapter_layers of its settings and start it again"
            )
        return rank

    def _locked(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / ".lock")

    def _write(self, adapters: dict[str, Adapter]) -> None:
        table = [adapter.model_dump(mode="json") for adapter in adapters.values()]
        with replacing(self._file) as draft:
            draft.write_text(json.dumps(table, indent=1))
