"""Drawn pictures of a registered task: the embedded sets' generators under seeds that no embedded set has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from autommlab.data.embedded.backgrounds import camera
from autommlab.data.embedded.drawn import Drawn, image_rng
from autommlab.data.embedded.openmoji import MASK_PX, compose_scene
from autommlab.data.embedded.sets import find_embedded
from autommlab.data.records import SPLITS
from training_data_gen.benchmarks.registered.cuts import EXTREMES, extreme_points

#: The source of tasks whose keypoints are the outermost points of pictograms.
EXTREMES_SOURCE = "openmoji-extremes"
#: Added to a task's number to make the version that seeds its pictures; the embedded sets have small ones.
FIRST_VERSION = 1000
#: An object of which less can be seen (pixels) is no object of its own.
_FEWEST_PIXELS = 60


def drawn_pictures(
    source: str, classes: tuple[str, ...], counts: tuple[int, int, int], version: int
) -> Iterator[Drawn]:
    """Pictures of a task, class by class; labels are indices into `classes` (1 + index in a mask).

    Args:
        source: an embedded set's name, or `EXTREMES_SOURCE`.
        classes: asked for; other things in a scene are background.
        counts: pictures of each class in (train, val, test).
        version: seeds them.
    """
    if source == EXTREMES_SOURCE:
        for name in classes:
            yield from _extremes(name, classes, counts, version)
        return
    entry = replace(find_embedded(source), version=version, counts=counts)
    wanted = {entry.classes.index(name): place for place, name in enumerate(classes)}
    for name in classes:
        for drawn in entry.paint(entry, name):
            yield _relabelled(drawn, wanted)


def _relabelled(drawn: Drawn, wanted: dict[int, int]) -> Drawn:
    from PIL import Image

    mask = drawn.mask
    if mask is not None:
        table = np.zeros(256, dtype=np.uint8)
        for label, place in wanted.items():
            table[label] = place + 1
        mask = Image.fromarray(table[np.asarray(mask)], "L")
    return replace(
        drawn,
        label=None if drawn.label is None else wanted[drawn.label],
        instances=tuple(replace(one, label=wanted[one.label]) for one in drawn.instances if one.label in wanted),
        mask=mask,
    )


def _extremes(name: str, classes: tuple[str, ...], counts: tuple[int, int, int], version: int) -> Iterator[Drawn]:
    entry = find_embedded("openmoji-scenes")
    wanted = {entry.classes.index(one): place for place, one in enumerate(classes)}
    for split, count in zip(SPLITS, counts, strict=True):
        for index in range(count):
            rng = image_rng(EXTREMES_SOURCE, version, name, split, index)
            scene = compose_scene(name, rng, MASK_PX, most=2, shift=0)
            seen = [one for one in scene.visible() if one.label in wanted and one.area >= _FEWEST_PIXELS]
            instances = tuple(extreme_points(scene.owner == one.number, wanted[one.label]) for one in seen)
            yield Drawn(camera(scene.image, rng), split, instances=instances)


#: What the keypoints of drawn tasks are called.
POINTS = {EXTREMES_SOURCE: EXTREMES}
