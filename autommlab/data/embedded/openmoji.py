"""The three OpenMoji sets: one object with clutter, scenes with boxes, scenes with masks."""

import numpy as np
from PIL import Image

from autommlab.data.embedded.backgrounds import background, camera
from autommlab.data.embedded.catalog import CLUTTER, THINGS, thing
from autommlab.data.embedded.compose import Scene
from autommlab.data.embedded.drawn import Drawn
from autommlab.data.embedded.sprites import vary
from autommlab.data.records import Instance, Split

#: Pixels of a side of the square images.
OBJECT_PX, SCENE_PX, MASK_PX = 96, 192, 128
_LABELS = {entry.name: label for label, entry in enumerate(THINGS)}
#: How often a further object of a scene is of the scene's own class, so that counting matters.
_SAME_CLASS = 0.3
_TRIES = 12


def _pick(rng: np.random.Generator, codes: tuple[int, ...]) -> int:
    return codes[int(rng.integers(len(codes)))]


def _scatter(scene: Scene, rng: np.random.Generator, sizes: tuple[float, float], most: int) -> None:
    """Paste up to `most` pieces of clutter of `sizes` (least, most) pixels anywhere, also half outside."""
    for _ in range(int(rng.integers(most + 1))):
        piece = vary(_pick(rng, CLUTTER), rng, size=rng.uniform(*sizes), max_turn=180, colour=1.5)
        x, y = rng.uniform(-0.15, 0.95, 2) * scene.image.size
        scene.decorate(piece, (int(x), int(y)))


def draw_object(block: str, split: Split, rng: np.random.Generator) -> Drawn:
    """A 96 px image of one object of class `block`, with clutter behind it."""
    scene = Scene(background(rng, (OBJECT_PX, OBJECT_PX)))
    _scatter(scene, rng, (14, 36), most=4)
    size = rng.uniform(0.42, 0.88) * OBJECT_PX
    sprite = vary(_pick(rng, thing(block).pictograms), rng, size=size, max_turn=35)
    room = np.array(scene.image.size) - sprite.size
    x, y = (room / 2 + rng.uniform(-0.5, 0.5, 2) * (np.abs(room) + 6)).astype(int).tolist()
    scene.decorate(sprite, (x, y))
    return Drawn(camera(scene.image, rng), split, label=_LABELS[block])


def compose_scene(block: str, rng: np.random.Generator, side: int, most: int, shift: int) -> Scene:
    """A square scene with 1 to `most` objects, at least one of them of class `block`.

    Args:
        side: pixels.
        shift: added to every label (1 where class 0 is the background).
    """
    total = int(rng.integers(1, most + 1))
    others = [
        block if rng.random() < _SAME_CLASS else THINGS[int(rng.integers(len(THINGS)))].name for _ in range(total - 1)
    ]
    order = [block, *others]
    rng.shuffle(order)
    scene = Scene(background(rng, (side, side)))
    _scatter(scene, rng, (0.08 * side, 0.2 * side), most=3)
    for name in order:
        _place_somewhere(scene, rng, name, shift)
    while _LABELS[block] + shift not in scene.labels:
        _place_somewhere(scene, rng, block, shift)
    return scene


def _place_somewhere(scene: Scene, rng: np.random.Generator, name: str, shift: int) -> bool:
    """Look for a place where the object fits; smaller with each try."""
    side = scene.image.width
    size = side * np.exp(rng.uniform(np.log(0.2), np.log(0.62)))
    code = _pick(rng, thing(name).pictograms)
    for _ in range(_TRIES):
        sprite = vary(code, rng, size=size, max_turn=25)
        margin = 0.12 * size
        reach = np.array(scene.image.size) - sprite.size + margin
        x, y = (rng.uniform(-margin, np.maximum(reach, 1 - margin))).astype(int).tolist()
        if scene.place(sprite, (x, y), _LABELS[name] + shift):
            return True
        size = max(0.16 * side, 0.9 * size)
    return False


def draw_scene(block: str, split: Split, rng: np.random.Generator) -> Drawn:
    """A 192 px scene of 1 to 5 objects with the tight box of what is visible of each."""
    scene = compose_scene(block, rng, SCENE_PX, most=5, shift=0)
    instances = tuple(Instance(seen.label, seen.bbox, area=seen.area) for seen in scene.visible())
    return Drawn(camera(scene.image, rng), split, instances=instances)


def draw_masked(block: str, split: Split, rng: np.random.Generator) -> Drawn:
    """A 128 px scene of 1 to 4 objects with its index mask; 0 is the background."""
    scene = compose_scene(block, rng, MASK_PX, most=4, shift=1)
    mask: Image.Image = scene.class_mask()
    return Drawn(camera(scene.image, rng), split, mask=mask)
