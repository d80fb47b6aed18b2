"""An answer of a bundle in words, and drawn into its image, as is a truth in the same form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

#: Pixels of the longer side below which an image is enlarged before drawing, so that words fit.
_READABLE = 320
#: A point's score from which it is drawn as a disc, and from which as a ring.
SURE_POINT, UNSURE_POINT = 0.3, 0.05


def answer_in_words(answer: Mapping[str, Any]) -> str:
    """A prediction in a few words for a person."""
    if "label" in answer:
        return f"{answer['label']} {answer['score']:.0%}"
    if "classes" in answer:
        shares = sorted(answer["classes"].items(), key=lambda pair: -pair[1])
        return ", ".join(f"{name} {share:.1%}" for name, share in shares if share > 0)
    things = answer.get("boxes", answer.get("instances", []))
    counts: dict[str, int] = {}
    for thing in things:
        counts[thing["label"]] = counts.get(thing["label"], 0) + 1
    return ", ".join(f"{count} {label}" for label, count in counts.items()) or "nothing found"


def draw_prediction(image: Image.Image, prediction: Mapping[str, Any], bundle_meta: Mapping[str, Any]) -> Image.Image:
    """Draw what a bundle's `Predictor` returned.

    An image whose longer side is below 320 pixels is enlarged by a whole factor first.

    Args:
        image: the image as the predictor saw it; unchanged.
        prediction: one of the four forms: `label` (classification), `boxes` (detection), `mask`
            (segmentation), `instances` (keypoints); coordinates in pixels of `image`.
        bundle_meta: of `bundle.json`: `classes` and, for keypoints, `keypoints.skeleton`.

    Returns:
        A new RGB image.

    Raises:
        ValueError: the prediction has none of the four forms.
    """
    factor = max(1, math.ceil(_READABLE / max(image.size)))
    canvas = image.convert("RGB").resize((image.width * factor, image.height * factor))
    classes = tuple(bundle_meta.get("classes", ()))
    if "label" in prediction:
        return _with_banner(canvas, prediction["label"], prediction.get("score"))
    if "boxes" in prediction:
        return _with_boxes(canvas, prediction["boxes"], factor, classes)
    if "mask" in prediction:
        return _with_mask(canvas, prediction["mask"], classes)
    if "instances" in prediction:
        return _with_keypoints(canvas, prediction["instances"], bundle_meta, factor)
    raise ValueError(f"a prediction has one of the keys label, boxes, mask, instances; got {sorted(prediction)}")


def side_by_side(left: Image.Image, right: Image.Image, gap: int = 8) -> Image.Image:
    """Two pictures of the same height in one, `gap` white pixels between them."""
    from PIL import Image

    both = Image.new("RGB", (left.width + gap + right.width, max(left.height, right.height)), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width + gap, 0))
    return both


def _with_banner(canvas: Image.Image, label: str, score: float | None) -> Image.Image:
    return _strip(canvas, [(None, label if score is None else f"{label}  {score:.0%}")])


def _with_boxes(
    canvas: Image.Image, things: Sequence[Mapping[str, Any]], factor: int, classes: Sequence[str]
) -> Image.Image:
    from autommlab.data.draw import class_colours, draw_boxes

    boxed = [thing for thing in things if thing.get("box")]
    scores = [thing["score"] for thing in boxed if "score" in thing]
    return draw_boxes(
        canvas,
        [_scaled(thing["box"], factor) for thing in boxed],
        [thing.get("label", "") for thing in boxed],
        scores if scores and len(scores) == len(boxed) else None,
        class_colours(classes) if classes else None,
    )


def _with_mask(canvas: Image.Image, mask: Any, classes: Sequence[str]) -> Image.Image:
    import numpy as np

    from autommlab.data.draw import colour, draw_mask, is_background

    indices = np.asarray(mask, dtype=np.uint8)
    painted = draw_mask(canvas, indices, classes)
    present = [int(index) for index in np.unique(indices) if index < len(classes)]
    named = [(colour(index), classes[index]) for index in present if not is_background(classes[index])]
    return _strip(painted, named) if named else painted


def _with_keypoints(
    canvas: Image.Image, instances: Sequence[Mapping[str, Any]], meta: Mapping[str, Any], factor: int
) -> Image.Image:
    from autommlab.data.draw import draw_keypoints

    canvas = _with_boxes(canvas, instances, factor, meta.get("classes", ()))
    skeleton = [(start, end) for start, end in (meta.get("keypoints") or {}).get("skeleton", ())]
    for instance in instances:
        points = [(x * factor, y * factor, _sight(score)) for x, y, score in instance["keypoints"]]
        canvas = draw_keypoints(canvas, points, skeleton)
    return canvas


def _sight(score: float) -> int:
    """COCO's visibility for a point's score: 2 is drawn as a disc, 1 as a ring, 0 not at all."""
    return 2 if score >= SURE_POINT else 1 if score >= UNSURE_POINT else 0


def _scaled(box: Sequence[float], factor: int) -> tuple[float, float, float, float]:
    x, y, width, height = (value * factor for value in box)
    return x, y, width, height


def _strip(canvas: Image.Image, words: Sequence[tuple[tuple[int, int, int] | None, str]]) -> Image.Image:
    """Names on a dark strip along the lower edge, each after a square of its colour if it has one."""
    from PIL import ImageDraw

    from autommlab.data.draw import drawable, font

    letters = font(max(14, canvas.width // 20), bold=True)
    pen = ImageDraw.Draw(canvas, "RGBA")
    _, top, _, bottom = pen.textbbox((0, 0), "Ág", font=letters)
    size = int(bottom - top)
    middle = canvas.height - (size + 12) // 2
    pen.rectangle((0, canvas.height - size - 12, canvas.width, canvas.height), fill=(15, 18, 28, 205))
    x = 10.0
    for tint, name in words:
        text = drawable(name, bold=True)
        if tint is not None:
            pen.rectangle((x, middle - size // 2, x + size, middle + size - size // 2), fill=(*tint, 255))
            x += size + 6
        pen.text((x, middle), text, font=letters, fill="white", anchor="lm")
        x += pen.textlength(text, font=letters) + 16
    return canvas
