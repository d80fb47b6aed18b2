"""Which classes the raw values of index masks stand for."""

from collections.abc import Sequence
from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.data.at_work import on_threads
from autommlab.data.readers import images
from autommlab.data.readers.masks import UNLABELLED, present, raw_mask

_THREADS = 8

Classes = tuple[str, ...]
MaskMap = tuple[tuple[int, int], ...]


def values_of(masks: Sequence[Path]) -> set[int]:
    """All values that occur in the masks that can be read."""

    def values(path: Path) -> set[int]:
        try:
            return set(present(raw_mask(path)))
        except (DataError, *images.BROKEN_IMAGE):
            # `data check` reports the file; the other masks still tell the classes.
            return set()

    return set[int]().union(*on_threads(values, masks, "masks read", _THREADS))


def named(names: Classes, masks: Sequence[Path]) -> tuple[Classes, MaskMap]:
    """The classes of masks whose values are indexes into `names`, and the map where they are not quite that.

    Black and white masks are the commonest of all: with one or two names, 255 is the object, not "unlabelled". A single
    name is that of the object; what is not the object is the background.
    """
    if len(names) > 2:
        require_few(names)
        return names, ()
    values = values_of(masks)
    pair = names if len(names) == 2 else ("background", *names)
    if values <= {0, UNLABELLED} and UNLABELLED in values:
        return pair, ((0, 0), (UNLABELLED, 1))
    return (pair, ()) if 1 in values else (names, ())


def require_few(names: Classes) -> None:
    """Refuse more classes than an 8-bit mask has values for.

    Raises:
        DataError: there are more.
    """
    if len(names) > UNLABELLED:
        raise DataError(
            f"{len(names)} classes are named; a mask tells {UNLABELLED} at most, by the values 0 to {UNLABELLED - 1} "
            f"({UNLABELLED} = unlabelled). Leave out of classes.txt or meta.json those that no mask shows."
        )
