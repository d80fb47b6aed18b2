"""Whether a box lies in its image."""

from typing import Literal

#: Rounding of exported coordinates; less is no mistake of the annotator.
TOLERANCE_PX = 1.0

Verdict = tuple[Literal["box-empty", "box-outside"], str, Literal["error", "warning"]]


def fault(bbox: tuple[float, float, float, float], width: int, height: int) -> Verdict | None:
    """What is wrong with a box: (kind, sentence, severity); None for a good one.

    Args:
        bbox: (x, y, width, height) in pixels.
        width, height: of the image in pixels.
    """
    x, y, w, h = bbox
    text = f"box x={x:g} y={y:g} width={w:g} height={h:g}"
    if w <= 0 or h <= 0:
        return "box-empty", f"{text} has no area", "error"
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        return "box-outside", f"{text} lies wholly outside the {width}x{height} image", "error"
    if min(x, y) < -TOLERANCE_PX or x + w > width + TOLERANCE_PX or y + h > height + TOLERANCE_PX:
        return "box-outside", f"{text} sticks out of the {width}x{height} image", "warning"
    return None
