"""Where a run lies, as `--out` or `--resume` names it: a folder, or a storage by URI with a working folder here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autommlab.common.errors import ResumeError
from autommlab.common.storage import is_uri, place_of, working_folder

if TYPE_CHECKING:
    from autommlab.storage.mirror import Mirror


@dataclass(frozen=True)
class Where:
    """What a run uses beside its folder.

    Attributes:
        address: of a Ray cluster, see `cluster.ray_session`.
        mirror: the folder's copy on a storage, which also holds the checkpoints of running trials.
        priority: weight against other studies on the cluster.
    """

    address: str | None = None
    mirror: Mirror | None = None
    priority: int = 1


#: A private Ray and a folder of this machine.
HERE = Where()


@dataclass(frozen=True)
class RunTarget:
    """One run's place.

    Attributes:
        name: as the person wrote it; what `--resume` takes.
        folder: of this machine, where the run works.
        mirror: its copy on a storage, None for a folder of this machine.
    """

    name: str
    folder: Path
    mirror: Mirror | None = None


def run_target(name: str, *, resume: bool = False) -> RunTarget:
    """The place behind a name; what a storage holds of the run is fetched.

    Args:
        name: folder or URI.
        resume: there has to be a run.

    Raises:
        StorageError: the storage cannot be read.
        ResumeError: `resume`, and there is no run at the URI.
    """
    if not is_uri(name):
        return RunTarget(name, Path(name))
    from autommlab.storage.mirror import Mirror

    mirror = Mirror(place_of(name), working_folder(name))
    if not mirror.fetch() and resume:
        raise ResumeError(f"{name} holds no run; start one with --out instead")
    return RunTarget(name, mirror.folder, mirror)
