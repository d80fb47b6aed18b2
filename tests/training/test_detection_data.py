"""Mapped annotations give a trial what the parsed JSON gives it."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autommlab.data.bag_objects import MappedImages


def _written(folder: Path, images: int = 7) -> Path:
    """Annotations in the form of a bag's, with crowds, boxes that mmdetection drops, and an image without any."""
    rng = np.random.default_rng(0)
    entries: list[dict[str, Any]] = []
    for image in range(1, images):
        for _ in range(int(rng.integers(0, 5))):
            x, y, w, h = rng.uniform((-2, -2, 0, 0), (40, 30, 20, 20)).round(3).tolist()
            entries.append(
                {
                    "id": len(entries) + 1, "image_id": image, "category_id": int(rng.integers(1, 4)),
                    "bbox": [x, y, w, h], "area": float(rng.choice([0.0, w * h])), "iscrowd": int(rng.integers(0, 2)),
                }
            )  # fmt: skip
    content = {
        "images": [
            {"id": n, "file_name": f"/pictures/Bär {n}.png", "width": 48, "height": 32} for n in range(1, images + 1)
        ],
        "annotations": entries,
        "categories": [{"id": label, "name": name} for label, name in enumerate("abc", 1)],
    }
    file = folder / "train.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_mapped_annotations_are_the_parsed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autommlab.tasks import Task
    from autommlab.training.trial import prepare_toolbox

    prepare_toolbox(Task.DETECTION)
    from autommlab.training import detection_data

    def built(least: int) -> Any:
        monkeypatch.setattr(detection_data, "LEAST_BYTES", least)
        config = {"ann_file": str(_written(tmp_path)), "metainfo": {"classes": ("a", "b", "c")}, "pipeline": []}
        return detection_data.BagDetectionDataset(data_prefix={"img": ""}, serialize_data=True, **config)

    parsed, mapped = built(1 << 30), built(0)
    assert isinstance(mapped.data_list, MappedImages)
    assert not isinstance(parsed.data_list, MappedImages)
    assert len(mapped) == len(parsed) == 7
    assert [mapped.get_data_info(at) for at in range(7)] == [parsed.get_data_info(at) for at in range(7)]
    assert sum(len(mapped.get_data_info(at)["instances"]) for at in range(7)) > 3
    assert (mapped.cat_ids, mapped.cat2label, mapped.metainfo) == (parsed.cat_ids, parsed.cat2label, parsed.metainfo)
    assert pickle.loads(pickle.dumps(mapped)).get_data_info(3) == parsed.get_data_info(3)  # noqa: S301  our own


def test_other_annotations_are_mapped_anew(tmp_path: Path) -> None:
    assert len(MappedImages(_written(tmp_path))) == 7
    assert len(MappedImages(_written(tmp_path, images=9))) == 9
    hidden = tmp_path / ".train.arrow"
    content = hidden.read_bytes()
    hidden.write_bytes(content[: len(content) // 2])
    assert len(MappedImages(tmp_path / "train.json")) == 9
    assert hidden.read_bytes() == content
