"""Wrong annotations put into a bag on purpose, to see whether they are found."""

from __future__ import annotations

import json
import random
from pathlib import Path

from autommlab.data.bag_part import evenly
from autommlab.data.records import Bag


def plant_wrong_labels(bag: Bag, count: int, seed: int = 0) -> set[Path]:
    """Give the class of `count` test pictures, or of one object of each, to another class; their paths.

    The annotation file of the test split is rewritten.
    """
    rng = random.Random(seed)
    file = bag.annotation_file("test")
    if file.suffix == ".txt":
        lines = [line.rsplit(" ", 1) for line in file.read_text().splitlines()]
        chosen = evenly(range(len(lines)), count)
        for at in chosen:
            lines[at][1] = str(_another(int(lines[at][1]), len(bag.classes), rng))
        file.write_text("".join(f"{path} {label}\n" for path, label in lines))
        return {Path(lines[at][0]) for at in chosen}
    coco = json.loads(file.read_text())
    images = evenly(coco["images"], count)
    for image in images:
        thing = rng.choice([one for one in coco["annotations"] if one["image_id"] == image["id"]])
        thing["category_id"] = 1 + _another(thing["category_id"] - 1, len(bag.classes), rng)
    file.write_text(json.dumps(coco))
    return {Path(image["file_name"]) for image in images}


def _another(label: int, classes: int, rng: random.Random) -> int:
    return (label + rng.randint(1, classes - 1)) % classes
