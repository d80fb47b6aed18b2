"""Bags of the four real sets, where they are at hand."""

import json
from pathlib import Path

import pytest

from autommlab.data.bag import select_bag
from autommlab.settings import profile
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real sets are not at {DATA}")


@pytest.mark.parametrize(
    ("task", "objects", "name", "classes", "images"),
    [
        ("classification", ["sign language digit"], "classification_signdigits", tuple("0123456789"), (420, 90, 90)),
        ("detection", ["red blood cell", "wbc"], "detection_bccd", ("red blood cell", "wbc"), (254, 55, 55)),
        ("segmentation", ["nuclei"], "segmentation_nuclei", ("background", "nuclei"), (376, 81, 81)),
        ("keypoint", ["honey bee"], "keypoint_bees", ("honey bee",), (141, 31, 32)),
    ],
)
def test_real_set(
    task: str,
    objects: list[str],
    name: str,
    classes: tuple[str, ...],
    images: tuple[int, int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    request = ModelRequest.parse({"data": {"object": objects}, "model": {"task": task}})
    budget = profile("laptop").tasks[Task(task)]
    bag = select_bag(request, budget=budget, folder=tmp_path / "bag", seed=0, data=str(DATA / name))
    assert bag.classes == classes
    assert tuple(split.images for split in bag.splits.values()) == images
    assert all(count > 0 for split in bag.splits.values() for count in split.per_class.values())
    if task == "keypoint":
        assert bag.keypoints is not None
        assert len(bag.keypoints.names) == 32
        annotations = json.loads(bag.annotation_file("test").read_text())["annotations"]
        assert {len(a["keypoints"]) for a in annotations} == {96}
