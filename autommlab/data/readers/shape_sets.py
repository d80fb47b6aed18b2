"""Pictures with shapes to the samples of a task: the last step of every reader of an annotation tool's files.

Boxes follow from outlines, and masks are drawn from them: small objects over large ones. Where an object has a box
alone, the box is unlabelled in its mask, for no one knows which of its pixels are the object's.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from autommlab.common.errors import DataError
from autommlab.data.drawn_masks import DrawnMask, Region, packed_points
from autommlab.data.names import clean_name
from autommlab.data.readers import boxes, files, fitting, images
from autommlab.data.readers.boxes import Box
from autommlab.data.readers.masks import UNLABELLED
from autommlab.data.readers.shapes import Picture, Shape, Size, corners, outline_points
from autommlab.data.records import DatasetSpec, Instance, KeypointLayout, LoadedDataset, Problem, Sample
from autommlab.tasks import Task

BACKGROUND = "background"
#: Names of the background in lists of classes, as tools write them.
_BACKGROUNDS = ("background", "_background_", "bg")


@dataclass(frozen=True, slots=True)
class _Placed:
    """A picture whose shapes have a scale: their coordinates times it are pixels of `size`."""

    picture: Picture
    size: Size
    scale: tuple[float, float]

    def box(self, shape: Shape) -> Box | None:
        """In pixels, not clipped; None where nothing tells it."""
        found = boxes.scaled(shape.box, *self.scale) if shape.box else None
        if found is None and (points := outline_points(shape)):
            found = boxes.around([(x * self.scale[0], y * self.scale[1]) for x, y in points], self.size)
        return found


def shape_set(
    spec: DatasetSpec,
    pictures: Sequence[Picture],
    names: Sequence[str],
    problems: list[Problem],
    layout: KeypointLayout | None = None,
) -> LoadedDataset:
    """The samples of the spec's task.

    Args:
        spec: of the set.
        pictures: as annotated.
        names: classes that the set lists, in its order; others that occur follow, sorted.
        problems: met while reading.
        layout: of the points (keypoint).

    Raises:
        DataError: the annotations hold nothing that the task needs.
    """
    layout = layout if spec.task is Task.KEYPOINT else None
    if spec.task is not Task.KEYPOINT:
        for picture in pictures:  # what stands for a pose alone is no object of another task
            picture.shapes = [shape for shape in picture.shapes if shape.box or shape.outlined]
    _require(spec, pictures, layout)
    classes = _classes(spec.task, pictures, names)
    if spec.task is Task.SEGMENTATION:
        pictures = _without_bare_splits(spec, pictures, problems)
    samples = [
        sample
        for placed in _placed(spec, pictures, problems)
        if (sample := _sample(placed, spec.task, classes, layout, problems))
    ]
    _tell_untagged(spec, samples, len(pictures), problems)
    if spec.task is Task.CLASSIFICATION:
        samples = [sample for sample in samples if sample.label is not None]
    spec = spec.model_copy(update={"classes": classes})
    return LoadedDataset(spec, classes, samples, layout, problems)


_NEEDED = {
    Task.CLASSIFICATION: "no picture has a tag of its own",
    Task.DETECTION: "no picture has a box or an outline",
    Task.SEGMENTATION: "no object has an outline (polygon or mask), only boxes or points",
    Task.KEYPOINT: "no object has keypoints",
}


def tasks_of(pictures: Iterable[Picture]) -> tuple[Task, ...]:
    """Tasks that some pictures have annotations for, the ones that say most first."""
    shapes = [shape for picture in pictures for shape in picture.shapes]
    return tuple(task for task in (Task.KEYPOINT, Task.SEGMENTATION, Task.DETECTION) if _serves(task, shapes))


def _serves(task: Task, shapes: Sequence[Shape]) -> bool:
    if task is Task.SEGMENTATION:
        return any(shape.outlined for shape in shapes)
    if task is Task.KEYPOINT:
        return any(shape.points for shape in shapes)
    return any(shape.box or shape.outlined for shape in shapes)


def _require(spec: DatasetSpec, pictures: Sequence[Picture], layout: KeypointLayout | None) -> None:
    shapes = [shape for picture in pictures for shape in picture.shapes]
    if spec.task is Task.CLASSIFICATION:
        fine = any(picture.tags for picture in pictures)
    else:
        # A set without any object is one of empty pictures, which is told later.
        fine = not shapes or (_serves(spec.task, shapes) and (layout is not None or spec.task is not Task.KEYPOINT))
    if pictures and not fine:
        raise DataError(
            f"{spec.root}: cannot be read for {spec.task}: {_NEEDED[spec.task]}. Give another --task, or annotate it."
        )


def _without_bare_splits(spec: DatasetSpec, pictures: Sequence[Picture], problems: list[Problem]) -> list[Picture]:
    """Without the splits in which no picture has an object, while others have; `tidy` does so for objects."""
    images = Counter(picture.split for picture in pictures)
    shown = {picture.split for picture in pictures if picture.shapes}
    empty = [split for split in images if split not in shown] if shown else []
    for split in empty:
        where = files.readable(str(spec.root))
        problems.append(files.unlabelled(split, where, images[split], "have no annotation"))
    return [picture for picture in pictures if picture.split not in empty]


def labels_of(task: Task, pictures: Sequence[Picture]) -> set[str]:
    """The classes that the annotations of a task name."""
    if task is Task.CLASSIFICATION:
        return {tag for picture in pictures for tag in picture.tags}
    shapes = [shape for picture in pictures for shape in picture.shapes]
    return {s.label for s in shapes if (s.points if task is Task.KEYPOINT else s.box or s.outlined)}


def _classes(task: Task, pictures: Sequence[Picture], names: Sequence[str]) -> tuple[str, ...]:
    found = labels_of(task, pictures)
    ordered = tuple(dict.fromkeys([*names, *sorted(found - set(names))]))
    if task is not Task.SEGMENTATION:
        return ordered
    classes = (BACKGROUND, *(name for name in ordered if not _is_background(name)))
    if len(classes) > UNLABELLED:
        what = f"{len(classes)} classes, a mask has room for {UNLABELLED} with the background"
        raise DataError(f"segmentation with {what}. Merge classes, or give --task detection.")
    return classes


def _is_background(name: str) -> bool:
    return clean_name(name).lower() in _BACKGROUNDS


def _placed(spec: DatasetSpec, pictures: Sequence[Picture], problems: list[Problem]) -> Iterable[_Placed]:
    """The pictures that can be opened, each with the scale of its shapes."""
    measured = images.sizes(spec.root, [picture.image for picture in pictures], problems)
    open_ones = [(picture, size) for picture, size in zip(pictures, measured, strict=True) if size]
    stated = [
        fitting.Annotated(picture.image, picture.stated, [shape.box for shape in picture.shapes if shape.box])
        for picture, _ in open_ones
        if picture.stated and picture.in_pixels
    ]
    meant = iter(fitting.sizes_meant(spec.root, stated, problems))
    for picture, real in open_ones:
        if not picture.in_pixels or picture.stated is None:
            yield _Placed(picture, real, (1, 1) if picture.in_pixels else (real[0], real[1]))
        elif placed := _fitted(_Placed(picture, next(meant), (1, 1)), real, spec, problems):
            yield placed


def _fitted(placed: _Placed, real: Size, spec: DatasetSpec, problems: list[Problem]) -> _Placed | None:
    """The shapes of a stated size in the file of another; None and an error where they cannot be meant for it."""
    if placed.size == real:
        return placed
    found = [box for shape in placed.picture.shapes if (box := placed.box(shape))]
    stated = Sample(placed.picture.image, *placed.size, instances=tuple(Instance(0, box) for box in found))
    if wrong := fitting.size_mismatch(stated, real, files.shown(spec.root, placed.picture.image)):
        problems.append(wrong)
    if not found:
        return replace(placed, size=real)
    scale = fitting.scale_to(stated, real)
    if scale is None:
        return replace(placed, size=real) if fitting.resized(stated, real) else None
    return replace(placed, size=real, scale=scale)


def _sample(
    placed: _Placed, task: Task, classes: Sequence[str], layout: KeypointLayout | None, problems: list[Problem]
) -> Sample | None:
    picture = placed.picture
    sample = Sample(picture.image, *placed.size, split=picture.split)
    if task is Task.CLASSIFICATION:
        return replace(sample, label=_label(picture, classes, problems))
    if task is Task.SEGMENTATION:
        return replace(sample, mask=_mask(placed, classes, problems))
    found = (_instance(placed, shape, classes, layout, problems) for shape in picture.shapes)
    return replace(sample, instances=tuple(item for item in found if item))


def _label(picture: Picture, classes: Sequence[str], problems: list[Problem]) -> int | None:
    tags = list(dict.fromkeys(picture.tags))
    if len(tags) > 1:
        what = f"has {len(tags)} tags: {', '.join(map(repr, tags[:5]))}; left out"
        problems.append(Problem("bad-annotation", picture.where, what, "leave one tag, the class of the picture"))
    return classes.index(tags[0]) if len(tags) == 1 else None


def _tell_untagged(spec: DatasetSpec, samples: Sequence[Sample], pictures: int, problems: list[Problem]) -> None:
    untagged = Counter(sample.split for sample in samples if sample.label is None)
    if spec.task is Task.CLASSIFICATION and untagged:
        what = f"{untagged.total()} of {pictures} picture(s) have no single tag; left out"
        where = files.readable(str(spec.root))
        problems.append(Problem("unlabelled-image", where, what, "tag them, or leave it so", "warning"))


def _instance(
    placed: _Placed, shape: Shape, classes: Sequence[str], layout: KeypointLayout | None, problems: list[Problem]
) -> Instance | None:
    points = _points(placed, shape, problems) if layout else ()
    if layout and not any(v for *_, v in points):
        return None
    given = placed.box(shape)
    if given is None:
        around = boxes.around([(x, y) for x, y, v in points if v], placed.size, margin=True)
        # The margin around points may reach out of the picture; that is nobody's mistake.
        given = boxes.clipped(around, *placed.size) if around else None
    if given is None:
        return None
    box = fitting.box_in_image(given, placed.size, placed.picture.where, f"{shape.label}: ", problems)
    return Instance(classes.index(shape.label), box, points, shape.ignored) if box else None


def _points(placed: _Placed, shape: Shape, problems: list[Problem]) -> boxes.Points:
    """In pixels; a labelled one outside of the picture becomes unlabelled."""
    across, down = placed.scale
    scaled = [(x * across, y * down, v) if v else (0.0, 0.0, 0) for x, y, v in shape.points]
    outside = sum(v > 0 and not boxes.is_inside(x, y, placed.size) for x, y, v in scaled)
    if outside:
        what = f"{outside} labelled point(s) lie outside of the {placed.size[0]}x{placed.size[1]} image; unlabelled"
        problems.append(Problem("point-outside", placed.picture.where, what, "correct or delete the points", "warning"))
    return tuple(point if boxes.is_inside(*point[:2], placed.size) else (0.0, 0.0, 0) for point in scaled)


def _mask(placed: _Placed, classes: Sequence[str], problems: list[Problem]) -> DrawnMask:
    picture = placed.picture
    # A mask of pixels keeps its own size: whoever reads it scales it as a mask that lies in a file.
    kept = next((shape.runs.size for shape in picture.shapes if shape.runs), None)
    size, scale = (placed.size, placed.scale) if kept is None else (kept, (1.0, 1.0))
    if kept and not picture.in_pixels:
        scale = (float(kept[0]), float(kept[1]))
    shapes = [shape for shape in picture.shapes if shape.runs is None or shape.runs.size == kept]
    if len(shapes) < len(picture.shapes):
        what = f"{len(picture.shapes) - len(shapes)} mask(s) have another size than the first, {kept}; left out"
        problems.append(Problem("bad-mask", picture.where, what, "export the masks at the size of the image"))
    bare = sum(not shape.outlined for shape in shapes)
    if bare:
        what = f"{bare} object(s) have a box and no outline; the box is taken as unlabelled"
        problems.append(Problem("no-outline", picture.where, what, "outline them, or delete them", "warning"))
    sized = sorted(shapes, key=lambda shape: -_area(placed, shape))
    regions = tuple(region for shape in sized if (region := _region(shape, classes, scale)))
    return DrawnMask(picture.image, picture.source, size, regions)


def _area(placed: _Placed, shape: Shape) -> float:
    _, _, width, height = placed.box(shape) or (0, 0, 0, 0)
    return width * height


def _region(shape: Shape, classes: Sequence[str], scale: tuple[float, float]) -> Region | None:
    if not shape.outlined:
        return Region(UNLABELLED, (packed_points(corners(shape.box), *scale),)) if shape.box else None
    value = 0 if _is_background(shape.label) else classes.index(shape.label)
    polygons = tuple(packed_points(polygon, *scale) for polygon in shape.polygons)
    return Region(value, polygons, shape.runs.packed if shape.runs else b"")
