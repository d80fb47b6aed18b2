"""Boxes and points against the file of their image: which size they mean, and what of them lies in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autommlab.data.readers import boxes, files, images
from autommlab.data.readers.boxes import Box
from autommlab.data.records import Instance, Problem, Sample

#: Sides that agree within this fraction have the same aspect ratio.
_SAME_RATIO = 0.02

Size = tuple[int, int]


@dataclass(slots=True)
class Annotated:
    """An image as its annotation has it: the size it states, in pixels, and the boxes."""

    image: Path
    size: Size
    boxes: Sequence[Box]


def sizes_meant(root: Path, found: Sequence[Annotated], problems: list[Problem]) -> list[Size]:
    """The size, in pixels, that the boxes of each image mean.

    That is what the annotation states, unless the boxes fit the file better: a camera's picture is annotated upright
    and stated as it is stored. Opens only the files whose boxes do not fit what is stated.
    """
    suspects = [one for one in found if _faults(one.boxes, one.size)]
    measured = dict(
        zip((one.image for one in suspects), images.sizes(root, [one.image for one in suspects], []), strict=True)
    )
    sizes: list[Size] = []
    for one in found:
        real = measured.get(one.image)
        if real and real != one.size and _faults(one.boxes, real) < _faults(one.boxes, one.size):
            stated = f"the annotation says {one.size[0]}x{one.size[1]} pixels, the file has {real[0]}x{real[1]}"
            what, where = f"{stated}, which its boxes fit: they are pixels of the file", files.shown(root, one.image)
            problems.append(
                Problem("size-mismatch", where, what, "nothing needs doing, or correct the annotation", "warning")
            )
            sizes.append(real)
        else:
            sizes.append(one.size)
    return sizes


def _faults(found: Sequence[Box], size: Size) -> int:
    return sum(boxes.fault(box, *size) is not None for box in found)


def box_in_image(box: Box, size: Size, where: str, name: str, problems: list[Problem]) -> Box | None:
    """The box clipped to an image of `size`; None and an error where too little of it is left, a warning otherwise."""
    wrong = boxes.fault(box, *size)
    if wrong is None:
        return boxes.clipped(box, *size)
    lost = wrong[2] == "error"
    what = f"{name}{wrong[1]}; {'left out' if lost else 'clipped'}"
    problems.append(Problem(wrong[0], where, what, "correct or delete the box", wrong[2]))
    return None if lost else boxes.clipped(box, *size)


def size_mismatch(sample: Sample, size: Size, where: str, *, turned: bool = False) -> Problem | None:
    """What is wrong where the file has another size than the annotation says; None where they agree.

    Args:
        sample: as annotated.
        size: (width, height) of the upright picture.
        where: the file, for messages.
        turned: the annotation states the size as the file stores it, before its EXIF rotation.
    """
    if size == (sample.width, sample.height):
        return None
    text = f"the annotation says {sample.width}x{sample.height} pixels, the file has {size[0]}x{size[1]}"
    text += " after its EXIF rotation" if turned else ""
    remedy = (
        "nothing needs doing, or state the size of the rotated image"
        if turned
        else "nothing needs doing, or correct the annotation"
    )
    remedy += " (or drop the EXIF flag)" if turned else ""
    if not sample.instances:
        return Problem("size-mismatch", where, text, remedy, "warning")
    if _same_ratio(sample, size):
        return Problem("size-mismatch", where, f"{text}: boxes and points are scaled to the file", remedy, "warning")
    if resized(sample, size):
        what = f"{text}: boxes and points are taken as pixels of the file"
        return Problem("size-mismatch", where, what, f"{remedy}; look with: autommlab data preview", "warning")
    what = f"{text}, and its boxes do not fit in there; left out"
    return Problem("size-mismatch", where, what, "annotate the file as it is", "error")


def resized(sample: Sample, size: Size) -> Sample | None:
    """A sample as the file of `size` (width, height) has it; None where its boxes cannot be meant for that file.

    Boxes and points mean the size that the annotation states, so a file of the same aspect ratio gets them scaled.
    Under another aspect ratio they can only be pixels of the file itself, if they fit there.
    """
    if size == (sample.width, sample.height):
        return sample
    width, height = size
    if not sample.instances:
        return replace(sample, width=width, height=height)
    if scale := scale_to(sample, size):
        across, down = scale
        instances = [_scaled(item, across, down) for item in sample.instances]
        kept = tuple(item for item in instances if boxes.fault(item.bbox, width, height) is None)
        return replace(sample, width=width, height=height, instances=kept)
    fits = all(boxes.fault(item.bbox, width, height) is None for item in sample.instances)
    return replace(sample, width=width, height=height) if fits else None


def scale_to(sample: Sample, size: Size) -> tuple[float, float] | None:
    """What the coordinates of a sample are taken times in a file of `size`; None under another aspect ratio."""
    return (size[0] / sample.width, size[1] / sample.height) if _same_ratio(sample, size) else None


def _same_ratio(sample: Sample, size: Size) -> bool:
    stated, real = sample.width * size[1], sample.height * size[0]
    # A scaled side is rounded by up to half a pixel.
    return abs(stated - real) <= max(sample.width, sample.height, *size, _SAME_RATIO * max(stated, real))


def _scaled(item: Instance, across: float, down: float) -> Instance:
    points = tuple((x * across, y * down, v) for x, y, v in item.keypoints)
    return replace(item, bbox=boxes.scaled(item.bbox, across, down), keypoints=points, area=item.area * across * down)
