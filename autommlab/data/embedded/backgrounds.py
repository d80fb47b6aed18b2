"""Random backgrounds and camera effects: gradients, clouds, stripes, patches; grain, light, blur."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from autommlab.data.embedded.sprites import colour_matrix

Background = Callable[[np.random.Generator, tuple[int, int]], Image.Image]


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(20, 245, 3).tolist()
    return red, green, blue


def _gradient(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    corners = rng.integers(20, 245, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(corners, "RGB").resize(size, Image.Resampling.BILINEAR)


def _clouds(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    base = np.array(_colour(rng))
    cells = int(rng.integers(4, 13))
    noise = base + rng.normal(0, rng.uniform(15, 50), (cells, cells, 3))
    coarse = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8), "RGB")
    return coarse.resize(size, Image.Resampling.BICUBIC)


def _stripes(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    angle, period = rng.uniform(0, np.pi), rng.uniform(8, 40)
    rows, columns = np.mgrid[0:height, 0:width]
    wave = np.sin((columns * np.cos(angle) + rows * np.sin(angle)) * (2 * np.pi / period))
    mask = Image.fromarray(np.where(wave > rng.uniform(-0.5, 0.5), 255, 0).astype(np.uint8), "L")
    return Image.composite(_gradient(rng, size), Image.new("RGB", size, _colour(rng)), mask)


def _patches(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    image = _gradient(rng, size)
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(4, 14))):
        x, y = rng.uniform(-0.2, 1.0, 2) * size
        w, h = rng.uniform(0.1, 0.6, 2) * size
        shape = draw.rectangle if rng.random() < 0.5 else draw.ellipse
        shape((x, y, x + w, y + h), fill=_colour(rng))
    return image


_KINDS: tuple[Background, ...] = (_gradient, _clouds, _clouds, _stripes, _patches)


def background(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A random RGB background of `size` (width, height) in pixels."""
    image = _KINDS[int(rng.integers(len(_KINDS)))](rng, size)
    # Full saturation everywhere would make the objects the dull part of the picture.
    return image.convert("RGB", colour_matrix(0, rng.uniform(0.1, 0.8), 1, 0))


def camera(image: Image.Image, rng: np.random.Generator, *, blur: float = 0.3) -> Image.Image:
    """What a camera adds: light and colour cast, sometimes blur, always some grain.

    Args:
        blur: probability of a slight blur.
    """
    if rng.random() < blur:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.1)))
    pixels = np.asarray(image, dtype=np.float32)
    cast = rng.uniform(0.75, 1.15) * rng.uniform(0.92, 1.08, 3).astype(np.float32)
    grain = rng.standard_normal(pixels.shape[:2], dtype=np.float32)[..., None] * rng.uniform(1, 9)
    return Image.fromarray(np.clip(pixels * cast + grain, 0, 255).astype(np.uint8), "RGB")
