"""COCO files parsed in parts, usual entries all at once: the result is that of one entry after the other."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from autommlab.data import registry
from autommlab.data.readers import coco_tables
from autommlab.data.recognise import recognise
from autommlab.data.records import LoadedDataset
from autommlab.tasks import Task
from tests.helpers.bag_sets import picture

POINTS = [{"id": 1, "name": "body", "keypoints": ["head", "left", "right"], "skeleton": [[1, 2]]}]
PLAIN = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
#: Entries with something unusual in them, each laid over a usual one.
ODD: list[dict[str, Any]] = [
    {"bbox": [30, 30, 5, 5]}, {"bbox": [20.5, 10, 9, 9]}, {"bbox": [2, 2, 0.2, 4]}, {"bbox": [0, 0, 0, 0]},
    {"bbox": ["1", "2", "8", "6"]}, {"bbox": None}, {"bbox": [1, 2, 3]}, {"bbox": [1e12, 0, 1, 1]}, {"area": "12"},
    {"area": None}, {"area": -3}, {"area": 1e300}, {"iscrowd": 1}, {"iscrowd": "1"}, {"iscrowd": None}, {"id": "7"},
    {"id": 7.0}, {"id": 3}, {"id": 10**30}, {"id": None}, {"image_id": 99}, {"image_id": "1"}, {"category_id": 5},
    {"category_id": True}, {"segmentation": [[1, 1, 9, 1, 9, 9]], "bbox": []}, {"keypoints": [5, 5, 2, 1, 1, 0]},
    {"keypoints": [[5, 5, 2], [1, 1, 1], [0, 0, 0]]}, {"keypoints": [5, 5, 2, 90, 5, 1, 0, 0, 0]},
    {"keypoints": [0] * 9}, {"keypoints": None}, {"keypoints": [5, 5, 0.5, 3, 3, 7, 9, 9, -1]}, {"name": "}, {"},
    {"nested": [{"a": 1}, {"b": "\u00e9"}]},
]  # fmt: skip


def _written(root: Path, categories: list[dict[str, Any]], seed: int, odd: int) -> Path:
    rng = random.Random(seed)
    images = [{"id": n, "file_name": f"{n}.png", "width": 24, "height": 16} for n in range(1, 7)]
    for image in images:
        picture(root / "train" / str(image["file_name"]), int(str(image["id"])))
    entries: list[Any] = [
        {
            "id": number + 1, "image_id": rng.randint(1, 6), "category_id": rng.randint(1, len(categories)),
            "bbox": [rng.randint(0, 9), rng.randint(0, 7) + 0.25, rng.randint(3, 9), 5], "area": rng.randint(9, 40),
            "iscrowd": 0, "keypoints": [5, 5, 2, rng.randint(1, 9), 6, 1, 0, 0, 0],
            "segmentation": [[1, 1, 9, 1, 9, 9]],
        }
        for number in range(60)
    ]  # fmt: skip
    for number in rng.sample(range(60), odd):
        entries[number] |= rng.choice(ODD)
    if odd > 20:
        entries[5:5] = [None, 3, []]
    (root / "annotations").mkdir()
    content = {"images": images, "annotations": entries, "categories": categories, "info": {"year": 2017}}
    (root / "annotations" / "train.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def _read(root: Path, categories: list[dict[str, Any]] = PLAIN) -> LoadedDataset:
    task, layout = (Task.KEYPOINT, "coco-keypoints") if categories is POINTS else (Task.DETECTION, "coco-detection")
    return registry.load_dataset(recognise(root, task=task, layout=layout), allow_empty=True)


@pytest.mark.parametrize("odd", [0, 2, 40])
@pytest.mark.parametrize("categories", [PLAIN, POINTS], ids=["boxes", "keypoints"])
@pytest.mark.parametrize("seed", range(4))
def test_parts_give_what_single_entries_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, categories: list[dict[str, Any]], seed: int, odd: int
) -> None:
    root = _written(tmp_path / "set", categories, seed, odd)
    whole = _read(root, categories)
    monkeypatch.setattr(coco_tables, "_CHUNK", 300)
    in_parts = _read(root, categories)
    monkeypatch.setattr(coco_tables, "_in_parts", lambda *_: None)
    one_by_one = _read(root, categories)
    assert len(one_by_one.samples) == 6
    assert odd == 2 or bool(one_by_one.unreadable) == bool(odd)
    for read in (whole, in_parts):
        assert (read.samples, read.classes, read.unreadable) == (
            one_by_one.samples, one_by_one.classes, one_by_one.unreadable,
        )  # fmt: skip


def test_fractions_are_noticed_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _written(tmp_path / "set", PLAIN, 0, 0)
    file = root / "annotations" / "train.json"
    content = json.loads(file.read_text())
    for entry in content["annotations"]:
        entry["bbox"] = [0.25, 0.25, 0.5, 0.5]
    file.write_text(json.dumps(content))
    monkeypatch.setattr(coco_tables, "_CHUNK", 300)
    found = _read(root)
    assert found.samples[0].instances[0].bbox == (6.0, 4.0, 12.0, 8.0)
    assert [problem.kind for problem in found.unreadable if problem.kind == "fractions"]
