"""Passing a bundle on: to a folder, to a storage that pyarrow knows, or to a model hub."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from autommlab.common.errors import StorageError
from autommlab.common.storage import Place, is_uri, open_whole, place_errors, place_of
from autommlab.deployment import hub
from autommlab.deployment.bundle_parts import HEAD, parts_of, require_room
from autommlab.storage.mirror import names_at

_CHUNK_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Pushed:
    """A bundle that lies somewhere else, too.

    Attributes:
        where: what a person opens: a folder, a URI, or the address of the hub's page.
        files: of the bundle, relative to it.
    """

    where: str
    files: tuple[str, ...]


def push_bundle(folder: Path, destination: str, *, private: bool = False, force: bool = False) -> Pushed:
    """Copy a whole bundle; the copy is one that `load_bundle` takes, or none at all.

    An interrupted push leaves files without `bundle.json`, and the same call goes on.

    Args:
        folder: of the bundle.
        destination: a folder, a URI of a storage, or `hf://OWNER/NAME`; made where it is missing.
        private: a repository of the hub that is made now is seen by its owner only; one that is public is refused.
        force: a bundle that lies there is replaced.

    Raises:
        DeploymentError: the folder is no whole bundle.
        RequestError: the destination is of the hub, but names no repository.
        StorageError: something else lies at the destination, it is the bundle's own folder, or it cannot be written.
    """
    if not destination.strip():
        raise StorageError("the destination is an empty text. Give a folder, a storage's URI or hf://OWNER/NAME")
    parts = parts_of(folder)
    if hub.is_hub(destination):
        return Pushed(hub.upload(folder, parts, destination, private=private, force=force), tuple(parts))
    if private:
        raise StorageError(
            f"--private is for a model hub (hf://OWNER/NAME); who may read {destination} is for its file system or "
            "storage to say. Leave it out"
        )
    place = place_of(destination if is_uri(destination) else Path(destination).expanduser().absolute().as_uri())
    shown = place.uri if is_uri(destination) else destination
    if place.files.type_name == "local":
        _require_apart(folder, Path(place.path), shown)
    _copy(folder, parts, Place(shown, place.files, place.path), force=force)
    return Pushed(shown, tuple(parts))


def _copy(folder: Path, parts: list[str], to: Place, *, force: bool) -> None:
    """`bundle.json` goes first and comes last: in between there is no bundle, instead of half of two."""
    there = _there(to)
    begun = [name for name in there if name in parts and _size(to, name) == (folder / name).stat().st_size]
    stale = require_room(there, parts, begun=begun, force=force, shown=to.uri)
    go_on = shlex.join(["autommlab", "push", str(folder), to.uri, *(["--force"] if force else [])])
    with place_errors(to, "write", go_on=go_on):
        for name in dict.fromkeys([HEAD, *stale]):
            _remove(to, name)
        for name in parts:
            with (folder / name).open("rb") as source, open_whole(to.files, to.inside(name)) as stream:
                shutil.copyfileobj(source, stream, _CHUNK_BYTES)


def _require_apart(folder: Path, target: Path, shown: str) -> None:
    """Copied onto itself, a bundle would lose its `bundle.json`, which goes first."""
    source, real = folder.resolve(), target.resolve()
    if real == source or source in real.parents:
        raise StorageError(f"{shown} is the bundle's own folder, or lies inside it. Give another destination")


def _there(place: Place) -> list[str]:
    """Files at a destination."""
    from pyarrow.fs import FileType

    with place_errors(place, "read", go_on="the same command"):
        kind = place.files.get_file_info(place.path).type
    if kind == FileType.File:
        raise StorageError(f"{place.uri} is a file; give a folder")
    return names_at(place) if kind == FileType.Directory else []


def _size(place: Place, name: str) -> int | None:
    with place_errors(place, "read", go_on="the same command"):
        size: int | None = place.files.get_file_info(place.inside(name)).size
    return size


def _remove(place: Place, name: str) -> None:
    from pyarrow.fs import FileType

    path = place.inside(name)
    if place.files.get_file_info(path).type == FileType.File:
        place.files.delete_file(path)
