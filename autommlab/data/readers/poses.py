"""Points that a tool draws one by one, gathered into the poses of objects."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autommlab.data.names import clean_name
from autommlab.data.readers import files
from autommlab.data.readers.keypoint_layouts import build_layout
from autommlab.data.readers.shapes import LoosePoint, Picture, Shape
from autommlab.data.records import KeypointLayout, Problem

#: Class of a pose that no box or outline gives a name.
UNNAMED = "object"
_UNSEEN = (0.0, 0.0, 0)


def gathered(root: Path, pictures: Sequence[Picture], problems: list[Problem]) -> KeypointLayout | None:
    """Give the objects of the pictures their points; the layout of these points, None where there is none.

    Points of one group are one object, with the box or outline of the same group. Points without a group belong to the
    only object of their picture, or are an object of their own. The order of the points is that of `meta.json`, else of
    their first appearance.
    """
    meta = files.read_meta(root)
    names = _names(meta, pictures)
    if not names:
        return None
    for picture in pictures:
        _gather(picture, names, problems)
    return build_layout(names, None, meta)


def _names(meta: dict[str, Any], pictures: Sequence[Picture]) -> tuple[str, ...]:
    seen = dict.fromkeys(clean_name(point.name) for picture in pictures for point in picture.loose)
    listed = meta.get("keypoints")
    given = listed if isinstance(listed, list) and all(isinstance(name, str) for name in listed) else []
    return tuple(dict.fromkeys([*map(clean_name, given), *seen])) if seen else ()


def _gather(picture: Picture, names: Sequence[str], problems: list[Problem]) -> None:
    groups: dict[int | str | None, list[LoosePoint]] = defaultdict(list)
    for point in picture.loose:
        groups[point.group].append(point)
    for group, points in sorted(groups.items(), key=lambda pair: pair[0] is None):
        placed = [_UNSEEN for _ in names]
        for point in points:
            at = names.index(clean_name(point.name))
            if placed[at] != _UNSEEN:
                what = f"two points {point.name!r} in one object; the first counts"
                problems.append(Problem("keypoint-count", picture.where, what, "give each object a group of its own"))
                continue
            placed[at] = (point.x, point.y, point.v)
        bare = [at for at, shape in enumerate(picture.shapes) if not shape.points]
        owners = bare if group is None else [at for at in bare if picture.shapes[at].group == group]
        if len(owners) == 1:
            picture.shapes[owners[0]] = replace(picture.shapes[owners[0]], points=tuple(placed))
        else:
            picture.shapes.append(Shape(UNNAMED, points=tuple(placed)))
