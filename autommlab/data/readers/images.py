"""Pictures of a data set: their sizes, many at a time, and what is told of those that give none."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from autommlab.bundle_runtime import pictures
from autommlab.bundle_runtime.pictures import PictureError
from autommlab.data.at_work import on_threads
from autommlab.data.readers.files import shown
from autommlab.data.records import Problem

#: What reading a picture raises.
BROKEN_IMAGE = (PictureError,)
_THREADS = 8
#: Suffixes of pictures that people keep and that are not read.
_FOREIGN_SUFFIXES = frozenset(
    {".heic", ".heif", ".hif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"}
    | {".psd", ".svg", ".eps", ".pdf", ".dcm", ".nii", ".czi", ".lif"}
)


def sizes(root: Path, paths: Sequence[Path], problems: list[Problem]) -> list[tuple[int, int] | None]:
    """Sizes in the order of `paths`; None and a `Problem` for a file that has none."""

    def measure(path: Path) -> tuple[int, int] | Problem:
        try:
            return pictures.size(path)
        except PictureError as error:
            return unreadable(root, path, error)

    found: list[tuple[int, int] | None] = []
    for result in on_threads(measure, paths, "pictures measured", _THREADS):
        if isinstance(result, Problem):
            problems.append(result)
            found.append(None)
        else:
            found.append(result)
    return found


def unreadable(root: Path, path: Path, error: PictureError) -> Problem:
    """The problem of a picture that is missing or cannot be decoded."""
    return Problem(error.kind, shown(root, path), error.what, error.remedy)


def is_foreign(path: Path) -> bool:
    """Whether the suffix is that of a picture of a kind that is not read (HEIC of phones, camera raw)."""
    return path.suffix.lower() in _FOREIGN_SUFFIXES


def foreign(root: Path, folder: Path, paths: Iterable[Path]) -> list[Problem]:
    """A problem for each kind of pictures among `paths` that is not read."""
    kinds = Counter(path.suffix.lower() for path in paths if is_foreign(path))
    remedy = "convert them to JPEG or PNG (a phone also exports JPEG)"
    return [
        Problem("foreign-format", shown(root, folder), f"{count} {kind} pictures are not read", remedy)
        for kind, count in kinds.items()
    ]
