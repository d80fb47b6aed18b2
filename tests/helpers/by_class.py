"""Figures by class worked out anew: `python by_class.py BUNDLE ANNOTATIONS` prints them as JSON.

It reads the bundle, the list of annotated pictures and these pictures, and nothing of AutoMMLab: the bundle's own
`predict.py` answers, and each figure is computed from its definition in plain loops.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

OVERLAPS = np.linspace(0.5, 0.95, 10).tolist()
RECALLS = np.linspace(0, 1, 101).tolist()
AREAS = {"": (0, 1e10), " small": (0, 32**2), " medium": (32**2, 96**2), " large": (96**2, 1e10)}
Box = list[float]


def classification(predictor: Any, annotations: Path) -> dict[str, Any]:
    """Precision, recall, F1 and AP of each class."""
    classes, rows = predictor.classes, []
    for line in annotations.read_text().splitlines():
        path, label = line.rsplit(" ", 1)
        answer = predictor(path)
        rows.append((classes[int(label)], answer["label"], answer["scores"]))
    found = {}
    for name in classes:
        hits = sum(truth == said == name for truth, said, _ in rows)
        said, true = sum(r[1] == name for r in rows), sum(r[0] == name for r in rows)
        precision, recall = hits / said if said else 0.0, hits / true if true else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        ap, before = 0.0, 0.0
        for score in sorted({scores[name] for _, _, scores in rows}, reverse=True):
            above = [truth == name for truth, _, scores in rows if scores[name] >= score]
            ap += (sum(above) / true - before) * sum(above) / len(above)
            before = sum(above) / true
        found[name] = {"precision": precision, "recall": recall, "F1": f1, "AP": ap}
    return found


def segmentation(predictor: Any, annotations: Path) -> dict[str, Any]:
    """IoU, Dice, precision and recall of each class."""
    sums = {name: [0, 0, 0] for name in predictor.classes}
    for line in annotations.read_text().splitlines():
        path, mask = line.split("\t")
        true, said = np.asarray(Image.open(annotations.parent / mask)), predictor(path)["mask"]
        for label, name in enumerate(predictor.classes):
            mine, theirs = (said == label) & (true < len(predictor.classes)), true == label
            for at, region in enumerate((mine & theirs, mine, theirs)):
                sums[name][at] += int(region.sum())
    return {
        name: {
            "IoU": hits / (said + true - hits),
            "Dice coefficient": 2 * hits / (said + true),
            "precision": hits / said if said else None,
            "recall": hits / true,
        }
        for name, (hits, said, true) in sums.items()
    }


def detection(predictor: Any, annotations: Path) -> dict[str, Any]:
    """COCO's AP of each class, of each of its sizes, and its average recall."""
    coco = json.loads(annotations.read_text())
    answers = {image["id"]: predictor(image["file_name"], threshold=0.0)["boxes"] for image in coco["images"]}
    found = {}
    for label, name in enumerate(predictor.classes):
        figures: dict[str, float | None] = {}
        for size, bounds in AREAS.items():
            levels = [_ap(coco, answers, label, name, bounds, level) for level in OVERLAPS]
            defined = levels[0] is not None
            figures[f"AP{size}"] = float(np.mean([level[0] for level in levels if level])) if defined else None
            if not size:
                figures["AP50"] = levels[0][0] if levels[0] else None
                figures["AR"] = float(np.mean([level[1] for level in levels if level])) if defined else None
        found[name] = figures
    return found


def _ap(
    coco: Any, answers: Any, label: int, name: str, bounds: tuple[float, float], level: float
) -> tuple[float, float] | None:
    """(average precision, recall) at one overlap; None without an object. An object of another size may be found."""
    rows: list[tuple[float, bool]] = []
    wanted = 0
    for image in coco["images"]:
        things = [a for a in coco["annotations"] if a["image_id"] == image["id"] and a["category_id"] == label + 1]
        inside = [bounds[0] <= thing["area"] <= bounds[1] for thing in things]
        wanted += sum(inside)
        free = set(range(len(things)))
        for answer in sorted((a for a in answers[image["id"]] if a["label"] == name), key=lambda a: -a["score"])[:100]:
            overlaps = {at: _iou(answer["box"], things[at]["bbox"]) for at in free}
            close = {at: value for at, value in overlaps.items() if value >= level}
            first = {at: value for at, value in close.items() if inside[at]} or close
            if first:
                best = max(first, key=lambda at: first[at])
                free.discard(best)
                if inside[best]:
                    rows.append((answer["score"], True))
            elif bounds[0] <= answer["box"][2] * answer["box"][3] <= bounds[1]:
                rows.append((answer["score"], False))
    if not wanted:
        return None
    rows.sort(key=lambda row: -row[0])
    hits = np.cumsum([hit for _, hit in rows]) if rows else np.zeros(0)
    recall, precision = hits / wanted, hits / np.arange(1, len(rows) + 1)
    read = [max((p for r, p in zip(recall, precision, strict=True) if r >= at), default=0.0) for at in RECALLS]
    return float(np.mean(read)), float(recall[-1]) if rows else 0.0


def _iou(one: Box, other: Box) -> float:
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(wide, 0) * max(high, 0)
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def keypoint(predictor: Any, annotations: Path) -> dict[str, Any]:
    """Of each keypoint: the part that is near, mean and median error, mean score."""
    coco = json.loads(annotations.read_text())
    paths = {image["id"]: image["file_name"] for image in coco["images"]}
    names = predictor.info["keypoints"]["names"]
    errors: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    for thing in coco["annotations"]:
        points = predictor(paths[thing["image_id"]], boxes=[thing["bbox"]])["instances"][0]["keypoints"]
        for at, name in enumerate(names):
            x, y, seen = thing["keypoints"][3 * at : 3 * at + 3]
            if seen:
                apart = float(np.hypot(points[at][0] - x, points[at][1] - y))
                errors[name].append((apart, apart / max(thing["bbox"][2:]), points[at][2]))
    return {
        name: {
            "correct": float(np.mean([share < 0.2 for _, share, _ in rows])),
            "error": float(np.mean([share for _, share, _ in rows])),
            "error_px": float(np.median([apart for apart, _, _ in rows])),
            "confidence": float(np.mean([min(max(score, 0.0), 1.0) for _, _, score in rows])),
        }
        for name, rows in errors.items()
    }


def main(bundle: Path, annotations: Path) -> None:
    """Print the figures of the bundle's task."""
    sys.path.insert(0, str(bundle))
    from predict import Predictor

    predictor = Predictor(bundle)
    print(json.dumps(globals()[predictor.task](predictor, annotations)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
