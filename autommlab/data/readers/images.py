"""Width and height of images from their headers, many at a time."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from autommlab.data.readers.files import shown
from autommlab.data.records import Problem

#: What Pillow raises on files that are no image, cut short, or absurdly large.
BROKEN_IMAGE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
_ORIENTATION = 0x0112
_THREADS = 8


def oriented_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) after the camera's rotation flag, which the toolboxes' decoder applies."""
    # Pillow decodes a whole PNG to look for EXIF; cameras write it into JPEG.
    if image.format in {"JPEG", "MPO"} and image.getexif().get(_ORIENTATION, 1) >= 5:
        return image.height, image.width
    return image.size


def size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels as training will see it; reads the header only.

    Raises:
        OSError, ValueError, SyntaxError, DecompressionBombError: see `BROKEN_IMAGE`.
    """
    with Image.open(path) as image:
        return oriented_size(image)


def sizes(root: Path, paths: Sequence[Path], problems: list[Problem]) -> list[tuple[int, int] | None]:
    """Sizes in the order of `paths`; None and a `Problem` for a file that has none."""

    def measure(path: Path) -> tuple[int, int] | Problem:
        try:
            return size(path)
        except BROKEN_IMAGE as error:
            return unreadable(root, path, error)

    with ThreadPoolExecutor(_THREADS) as pool:
        results: Iterable[tuple[int, int] | Problem] = pool.map(measure, paths)
        found: list[tuple[int, int] | None] = []
        for result in results:
            if isinstance(result, Problem):
                problems.append(result)
                found.append(None)
            else:
                found.append(result)
    return found


def unreadable(root: Path, path: Path, error: BaseException) -> Problem:
    """The problem of an image that is missing or cannot be decoded."""
    if isinstance(error, FileNotFoundError):
        return Problem(
            "missing-image",
            shown(root, path),
            "the file does not exist",
            "put the image there or delete its entry from the annotation",
        )
    reason = "is empty" if path.is_file() and not path.stat().st_size else f"cannot be decoded ({error})"
    return Problem("corrupt-image", shown(root, path), f"the file {reason}", "fetch the image again or delete it")
