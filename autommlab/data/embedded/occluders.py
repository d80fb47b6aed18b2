"""Things in front of drawn figures, so that some of their joints are there but not seen."""

import numpy as np
from PIL import Image, ImageDraw

from autommlab.data.embedded.catalog import CLUTTER
from autommlab.data.embedded.compose import SOLID
from autommlab.data.embedded.sprites import vary

_CHANCE = 0.45
#: Largest share of a figure that one occluder may cover.
_MOST = 0.3


def hide_some(
    image: Image.Image, figures: list[np.ndarray], rng: np.random.Generator
) -> tuple[Image.Image, np.ndarray]:
    """Sometimes put one or two things in front of the figures.

    Args:
        figures: (height, width) bool, one mask a figure.

    Returns:
        The image (changed in place) and a (height, width) bool mask of what is covered.
    """
    hidden = np.zeros((image.height, image.width), dtype=bool)
    if rng.random() > _CHANCE:
        return image, hidden
    for _ in range(int(rng.integers(1, 3))):
        piece = _piece(rng, image.height * rng.uniform(0.14, 0.34))
        rows, columns = np.nonzero(figures[int(rng.integers(len(figures)))])
        spot = int(rng.integers(len(rows)))
        corner = (int(columns[spot]) - piece.width // 2, int(rows[spot]) - piece.height // 2)
        layer = Image.new("L", image.size)
        layer.paste(piece.getchannel("A"), corner)
        covered = np.asarray(layer) >= SOLID
        if all((covered & mask).sum() <= _MOST * mask.sum() for mask in figures):
            image.paste(piece, corner, piece)
            hidden |= covered
    return image, hidden


def _piece(rng: np.random.Generator, size: float) -> Image.Image:
    """A pictogram, or a plain board."""
    if rng.random() < 0.6:
        code = CLUTTER[int(rng.integers(len(CLUTTER)))]
        return vary(code, rng, size=size, max_turn=40, colour=1.5)
    width, height = (int(side) for side in rng.uniform(0.5, 1.1, 2) * size)
    board = Image.new("RGBA", (width, height), (*rng.integers(20, 245, 3).tolist(), 255))
    edge = (*rng.integers(0, 120, 3).tolist(), 255)
    ImageDraw.Draw(board).rectangle((0, 0, width - 1, height - 1), outline=edge, width=2)
    return board.rotate(rng.uniform(-30, 30), Image.Resampling.BICUBIC, expand=True)
