"""The lists of a segmentation bag: "IMAGE<tab>MASK" a line, the masks relative to the list's own folder."""

from pathlib import Path


def read_pairs(listing: Path, limit: int | None = None) -> list[tuple[str, str]]:
    """Absolute paths of the images and of their masks, in order.

    Args:
        listing: annotation file of a split.
        limit: most pairs.
    """
    lines = [line for line in listing.read_text(encoding="utf-8").split("\n") if line][:limit]
    pairs = (line.split("\t") for line in lines)
    return [(image, str(listing.parent / mask)) for image, mask in pairs]
