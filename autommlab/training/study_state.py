"""Where Ray keeps the state of a study and the checkpoints of its running trials."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from autommlab.common.errors import StorageError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from autommlab.common.storage import Place

#: Name of the state inside the study's folder.
RAY_FOLDER = "ray"
#: The search space as it was last, beside the ledger; for whoever shows the study.
SPACE_FILE = "space.json"
#: Ray keeps the newest checkpoints of a running trial and writes the next before it drops the oldest.
KEPT_CHECKPOINTS = 2
#: Weights and two moments of Adam, 4 bytes each.
_BYTES_PER_PARAMETER, _OTHER_FILES_MB = 12, 50


class StudyState(NamedTuple):
    """A storage and the study's folder on it; `place` is that of the run, if it has one."""

    files: FileSystem
    folder: str
    place: Place | None = None

    @property
    def ray(self) -> str:
        """Ray's own part."""
        return f"{self.folder}/{RAY_FOLDER}"

    def delete(self) -> None:
        """Forget all of it; the study is over."""
        with contextlib.suppress(OSError):
            self.files.delete_dir(self.ray)


def state_of(folder: Path, place: Place | None) -> StudyState:
    """On the run's storage if it has one, else in the study's folder.

    Args:
        folder: of the study.
        place: of the run.
    """
    from pyarrow.fs import LocalFileSystem

    if place is not None:
        return StudyState(place.files, place.inside(folder.name), place)
    return StudyState(LocalFileSystem(), str(folder.resolve()))


def require_space(folder: Path, params_m: float, slots: int, ahead: int = 0) -> None:
    """Check before the first trial that the disk can hold the best model and the checkpoints of running ones.

    Args:
        folder: of the study.
        params_m: millions of parameters of the model.
        slots: trials at once that leave their checkpoints here.
        ahead: more checkpoints of each than those that Ray Tune keeps.

    Raises:
        StorageError: it cannot, with both figures.
    """
    one_mb = params_m * _BYTES_PER_PARAMETER  # millions of parameters times bytes are megabytes
    needed = round(one_mb * slots * (KEPT_CHECKPOINTS + 1 + ahead) + _OTHER_FILES_MB)
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < needed:
        raise StorageError(
            f"{folder} has {free} MB free; {slots} trials at once of a model with {params_m:.1f} M parameters need "
            f"{needed} MB. Free some space, choose another folder with --out, or run fewer trials at once "
            "with --concurrent"
        )
