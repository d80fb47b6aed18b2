"""The box of a COCO object that has none: around its polygons, its run-length mask or its points."""

from collections.abc import Iterator
from typing import Any

from autommlab.data.readers import boxes
from autommlab.data.readers.boxes import Box, Points

#: A mask of more pixels is no mask of a picture.
_MOST_PIXELS = 1 << 31


def box_coordinates(entry: dict[str, Any]) -> Iterator[float]:
    """The numbers of an entry's box."""
    yield from boxes.finite_numbers(entry.get("bbox"), 4) or ()


def outline_coordinates(entry: dict[str, Any]) -> Iterator[float]:
    """All coordinates of an entry's polygons."""
    for polygon in polygons_of(entry.get("segmentation")):
        yield from polygon


def point_coordinates(entry: dict[str, Any]) -> Iterator[float]:
    """All coordinates of an entry's labelled points."""
    for x, y, v in keypoints_of(entry.get("keypoints")) or ():
        if v:
            yield from (x, y)


def outline_box(segmentation: Any) -> Box | None:
    """The box around the polygons or the mask of an entry; None where there is neither."""
    if isinstance(segmentation, dict):
        return _mask_box(segmentation)
    points = [point for polygon in polygons_of(segmentation) for point in boxes.pairs(polygon)]
    return boxes.around(points, (0, 0))


def points_box(points: Points, size: tuple[int, int]) -> Box | None:
    """The box around the labelled points (x, y, v), with a margin; None where there is none."""
    return boxes.around([(x, y) for x, y, v in points if v], size, margin=True)


def keypoints_of(given: Any) -> Points | None:
    """The points (x, y, v) of an entry, v 0, 1 or 2, written one after another or as triples; None for anything else.

    Coordinates of an unlabelled point mean nothing: some tools write null there.
    """
    if not isinstance(given, list):
        return None
    if given and all(isinstance(item, list) and len(item) == 3 for item in given):
        given = [number for triple in given for number in triple]
    triples = list(zip(given[::3], given[1::3], given[2::3], strict=False))
    if 3 * len(triples) != len(given):
        return None
    numbers = [boxes.finite_numbers([x, y, v] if v else [0, 0, 0]) for x, y, v in triples]
    if any(found is None for found in numbers):
        return None
    return tuple((x, y, min(max(int(v), 0), 2)) for x, y, v in filter(None, numbers))


def polygons_of(segmentation: Any) -> list[tuple[float, ...]]:
    """The coordinates x, y, x, y ... of each polygon of an entry."""
    if not isinstance(segmentation, list):
        return []
    # Some tools leave out the outer list where there is one polygon.
    lists = segmentation if segmentation and isinstance(segmentation[0], list) else [segmentation]
    return [flat for each in lists if (flat := boxes.finite_numbers(each)) and len(flat) >= 4]


def run_lengths(mask: dict[str, Any]) -> tuple[int, int, list[int]] | None:
    """(height, width, COCO's run lengths: columns first, starting with the background) of a mask; None for no mask."""
    size = boxes.finite_numbers(mask.get("size"), 2)
    counts = mask.get("counts")
    runs = _decoded(counts) if isinstance(counts, str) else boxes.finite_numbers(counts)
    if size is None or not runs or min(size) < 1 or size[0] * size[1] > _MOST_PIXELS or min(runs) < 0:
        return None
    return int(size[0]), int(size[1]), list(map(int, runs))


def _mask_box(mask: dict[str, Any]) -> Box | None:
    found = run_lengths(mask)
    if found is None:
        return None
    (height, _, runs), start = found, 0
    left = top = right = bottom = -1
    for position, run in enumerate(runs):
        end = start + run
        if position % 2 and run:
            first, last = divmod(start, height), divmod(end - 1, height)
            # A run over several columns touches the upper and the lower edge.
            high, low = (first[1], last[1]) if first[0] == last[0] else (0, height - 1)
            left = first[0] if left < 0 else left
            top = high if top < 0 else min(top, high)
            right, bottom = last[0], max(bottom, low)
        start = end
    return None if left < 0 else (float(left), float(top), float(right - left + 1), float(bottom - top + 1))


def _decoded(text: str) -> list[float] | None:
    """COCO's compressed run lengths: 5 bits a character from "0" on, the sixth says that more follow."""
    runs: list[float] = []
    at = 0
    while at < len(text):
        value = shift = 0
        more = True
        while more:
            if at >= len(text) or not 0 <= (code := ord(text[at]) - 48) < 64 or shift > 60:
                return None
            value |= (code & 31) << shift
            more = bool(code & 32)
            at, shift = at + 1, shift + 5
            if not more and code & 16:
                value -= 1 << shift
        # From the fourth on, a run is told as the difference to the one two before.
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs
