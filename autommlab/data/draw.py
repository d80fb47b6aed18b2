"""Annotations and predictions drawn onto images, with Pillow only.

Each function returns a new RGB image. Line widths and letters grow with the image.
"""

from __future__ import annotations

import colorsys
import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from autommlab.data.names import clean_name

if TYPE_CHECKING:
    import numpy as np

Colour = tuple[int, int, int]
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

_GOLDEN = 0.618034
#: Blue first, so that class 1, the object of two-class masks, is a yellow green that most photos lack.
_FIRST_HUE = 0.58
_UNLABELLED = 255
_MASK_OPACITY = 0.5
_ANY_SIZE = 12
_BACKGROUNDS = frozenset({"background", "bg", "_background_", "unlabelled", "unlabeled"})


def colour(index: int) -> Colour:
    """A colour for a class index: neighbours differ in hue, later rounds also in brightness."""
    hue, value = (_FIRST_HUE + index * _GOLDEN) % 1, (1.0, 0.8, 0.9)[index // 7 % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.8, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def class_colours(classes: Sequence[str]) -> dict[str, Colour]:
    """Class -> colour, the same in every drawing of these classes."""
    return {name: colour(index) for index, name in enumerate(classes)}


@cache
def font(size: int, bold: bool = False) -> Font:
    """A font of `size` pixels that has more than Latin letters: DejaVu, which matplotlib carries."""
    found = importlib.util.find_spec("matplotlib")
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    for folder in (found.submodule_search_locations or []) if found else []:
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / name
        if path.is_file():
            return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)


def drawable(text: str, bold: bool = False) -> str:
    """`text` on one line, with "U+732B" for each character that the font would draw as an empty box."""
    known = _characters(bold)
    return "".join(
        letter if known is None or ord(letter) in known else f"U+{ord(letter):04X}" for letter in clean_name(text)
    )


@cache
def _characters(bold: bool) -> frozenset[int] | None:
    """Code points that the font has; None where that cannot be told."""
    from fontTools.ttLib import TTFont

    chosen = font(_ANY_SIZE, bold)
    if not isinstance(chosen, ImageFont.FreeTypeFont) or not isinstance(chosen.path, str | Path):
        return None
    with TTFont(chosen.path, lazy=True) as opened:
        return frozenset(opened.getBestCmap())


def draw_boxes(
    image: Image.Image,
    boxes: Sequence[tuple[float, float, float, float]],
    labels: Sequence[str],
    scores: Sequence[float] | None = None,
    colours: Mapping[str, Colour] | None = None,
) -> Image.Image:
    """Boxes (x, y, width, height) in pixels of `image`, each with its label and score 0..1.

    Args:
        image: any mode.
        boxes: in pixels.
        labels: one a box; "" draws no tag.
        scores: one a box, shown in percent.
        colours: label -> colour; default: by order of first appearance.
    """
    drawn = image.convert("RGB")
    pen = ImageDraw.Draw(drawn)
    width, size = _line(drawn), _letters(drawn)
    chosen = dict(colours) if colours is not None else class_colours(list(dict.fromkeys(labels)))
    # Tags first: on crowded images they may hide each other, never the outline of an object.
    for position, ((x, y, _, _), label) in enumerate(zip(boxes, labels, strict=True)):
        text = label if scores is None else f"{label} {scores[position]:.0%}"
        if label:
            _tag(pen, drawn, (x, y), text, chosen.get(label, colour(position)), size)
    for position, ((x, y, w, h), label) in enumerate(zip(boxes, labels, strict=True)):
        tint = chosen.get(label, colour(position))
        pen.rectangle((x, y, x + max(w, 0), y + max(h, 0)), outline=tint, width=width)
    return drawn


def draw_mask(image: Image.Image, mask: np.ndarray, classes: Sequence[str]) -> Image.Image:
    """Class colours laid over the image, with an opaque outline; background and 255 stay clear.

    Args:
        image: any mode and size; the mask is fitted to it.
        mask: (height, width) integer class indexes, 255 = unlabelled.
        classes: names in index order.
    """
    import numpy as np

    labels = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize(image.size, Image.Resampling.NEAREST))
    table = np.zeros((256, 3), np.float32)
    opacity = np.zeros(256, np.float32)
    for index, name in enumerate(classes[:_UNLABELLED]):
        table[index] = colour(index)
        opacity[index] = 0.0 if is_background(name) else _MASK_OPACITY
    alpha = opacity[labels]
    alpha[_outline(labels) & (alpha > 0)] = 1.0
    alpha = alpha[..., None]
    blended = np.asarray(image.convert("RGB"), np.float32) * (1 - alpha) + table[labels] * alpha
    return Image.fromarray(blended.round().astype(np.uint8))


def draw_keypoints(
    image: Image.Image,
    points: Sequence[tuple[float, float, float]],
    skeleton: Sequence[tuple[int, int]],
) -> Image.Image:
    """One being's points (x, y, v) and the bones between labelled ones.

    Args:
        image: any mode.
        points: pixels; v is 0 unlabelled (not drawn), 1 hidden (a ring), 2 visible (a disc).
        skeleton: index pairs.
    """
    drawn = image.convert("RGB")
    pen = ImageDraw.Draw(drawn)
    width = _line(drawn)
    for number, (start, end) in enumerate(skeleton):
        (ax, ay, av), (bx, by, bv) = points[start], points[end]
        if av > 0 and bv > 0:
            pen.line((ax, ay, bx, by), fill=colour(number), width=width)
    radius = width + 1
    for number, (x, y, seen) in enumerate(points):
        if seen <= 0:
            continue
        disc = (x - radius, y - radius, x + radius, y + radius)
        if seen >= 2:
            pen.ellipse(disc, fill=colour(number), outline="white")
        else:
            pen.ellipse(disc, outline=colour(number), width=max(1, width - 1))
    return drawn


def is_background(name: str) -> bool:
    """Whether a class is the rest of the picture, which drawings leave as it is."""
    return name.lower() in _BACKGROUNDS


def _outline(labels: np.ndarray) -> np.ndarray:
    """Pixels (height, width) whose right or lower neighbour has another label."""
    import numpy as np

    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:, 1:] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    edge[1:] |= labels[:-1] != labels[1:]
    return edge


def _line(image: Image.Image) -> int:
    return max(1, round(max(image.size) / 128))


def _letters(image: Image.Image) -> int:
    return max(9, round(max(image.size) / 28))


def _tag(
    pen: ImageDraw.ImageDraw, image: Image.Image, corner: tuple[float, float], text: str, tint: Colour, size: int
) -> None:
    """A small filled label above the corner, or inside the box where there is no room."""
    letters, text = font(size), drawable(text)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=letters)
    width, height = right - left + 4, bottom - top + 4
    x = min(max(corner[0], 0), max(image.width - width, 0))
    y = corner[1] - height if corner[1] >= height else max(corner[1], 0)
    pen.rectangle((x, y, x + width, y + height), fill=tint)
    dark = sum(part * share for part, share in zip(tint, (0.299, 0.587, 0.114), strict=True)) < 140
    pen.text((x + 2 - left, y + 2 - top), text, font=letters, fill="white" if dark else "black")
