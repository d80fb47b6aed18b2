"""A broken image ends no trial, a narrow one keeps a pixel, and both are told."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from autommlab.bundle_runtime.images import fitting
from autommlab.common.errors import DataError
from autommlab.tasks import Task
from tests.helpers.tiny_trials import point


@pytest.fixture(scope="module", autouse=True)
def _toolboxes() -> None:
    from autommlab.training.trial import prepare_toolbox

    prepare_toolbox(Task.DETECTION)


def guard(transforms: list[Any], *, allowed: int, training: bool) -> Any:
    from autommlab.training.transforms import SkipBroken

    guarded = SkipBroken([{"type": "LoadPicture", "bits": 16, "white": 1.0}], allowed, "train", training)
    guarded._pipeline.transforms += transforms
    return guarded


def pictures_at(folder: Path, count: int, broken: set[int]) -> list[dict[str, Any]]:
    for number in range(count):
        Image.new("RGB", (20, 10), (number, 0, 0)).save(folder / f"{number}.png")
        if number in broken:
            (folder / f"{number}.png").write_bytes(b"no picture")
    return [{"img_path": str(folder / f"{number}.png"), "width": 20, "height": 10} for number in range(count)]


def test_a_broken_training_sample_gives_its_place_and_its_name(tmp_path: Path) -> None:
    guarded = guard([], allowed=1, training=True)
    samples = pictures_at(tmp_path, 4, {1, 3})
    for _epoch in range(3):
        assert guarded(dict(samples[1])) is None
        assert guarded(dict(samples[0]))["img"].shape == (10, 20, 3)
    assert guarded.skipped == {samples[1]["img_path"]: "is not an image that Pillow can read"}
    with pytest.raises(DataError, match=r"2 train images cannot be used, 1 may fail: .*1\.png: is not.*3\.png: is not"):
        guarded(dict(samples[3]))


def test_a_broken_evaluation_sample_is_blank(tmp_path: Path) -> None:
    guarded = guard([], allowed=1, training=False)
    (sample,) = pictures_at(tmp_path, 1, {0})
    loaded = guarded(dict(sample))
    assert loaded["img"].shape == (10, 20, 3)
    assert np.unique(loaded["img"]).tolist() == [128]
    assert list(guarded.skipped) == [sample["img_path"]]


@pytest.mark.parametrize("training", [True, False])
def test_a_transform_that_fails_is_named_with_its_file(training: bool, tmp_path: Path) -> None:
    def fail(results: dict[str, Any]) -> dict[str, Any]:
        if results["img"].max() != 128:
            raise ValueError("height and width must be > 0\nmore")
        return results

    guarded = guard([fail], allowed=5, training=training)
    (sample,) = pictures_at(tmp_path, 1, set())
    assert (guarded(dict(sample)) is None) is training
    assert guarded.skipped == {sample["img_path"]: "ValueError: height and width must be > 0"}


@pytest.mark.parametrize("error", [MemoryError("no room"), OSError(errno.EIO, os.strerror(errno.EIO))])
def test_what_is_no_fault_of_the_file_is_not_blamed_on_it(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise error

    guarded = guard([], allowed=5, training=True)
    (sample,) = pictures_at(tmp_path, 1, set())
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(type(error)) as raised:
        guarded(dict(sample))
    assert raised.value is error
    assert guarded.skipped == {}


@pytest.mark.parametrize("task", list(Task))
def test_every_toolbox_goes_on_without_a_broken_image(task: Task, tmp_path: Path) -> None:
    from mmengine.registry import DATASETS, DefaultScope

    from autommlab.training import data_config
    from autommlab.training.transforms import skipped_samples
    from autommlab.training.trial import prepare_toolbox
    from tests.helpers.tiny_trials import SIZE, make_bag

    prepare_toolbox(task)
    bag = make_bag(task, tmp_path)
    for name in ("train3.png", "val1.png"):
        (tmp_path / "images" / name).write_bytes(b"no picture")
    codec = {"type": "MSRAHeatmap", "input_size": (SIZE, SIZE), "heatmap_size": (16, 16), "sigma": 2}
    config = data_config.data_config(bag, input_size=(SIZE, SIZE), batch_size=4, seed=0, codec=codec)
    scopes = dict(zip(Task, ("mmpretrain", "mmdet", "mmseg", "mmpose"), strict=True))
    with DefaultScope.overwrite_default_scope(scopes[task]):
        sets = {split: DATASETS.build(config[f"{split}_dataloader"]["dataset"]) for split in ("train", "val")}
    items = {split: [found[number] for number in range(len(found))] for split, found in sets.items()}
    loaders = [SimpleNamespace(dataset=found) for found in sets.values()]
    shown = [Path(item["data_samples"].img_path).name for item in items["train"]]
    assert "train3.png" not in shown
    assert len(shown) == 16
    assert items["val"][1]["inputs"].unique().tolist() == [128]
    assert Path(items["val"][1]["data_samples"].img_path).name == "val1.png"
    assert {Path(file).name for file, _ in skipped_samples(*loaders)} == {"train3.png", "val1.png"}


def test_a_trial_names_the_images_it_went_on_without(tmp_path: Path) -> None:
    from autommlab.training.trial import Trial
    from tests.helpers.tiny_trials import make_setup

    setup = make_setup(Task.CLASSIFICATION, tmp_path, reports=1)
    for name in ("train3.png", "val1.png", "test2.png"):
        (setup.bag.folder / "images" / name).write_bytes(b"no picture")
    trial = Trial(setup, point(iterations=8), tmp_path / "work")
    metrics = trial.advance()
    assert 0 <= metrics["accuracy"] <= 1
    assert {Path(file).name for file, _ in trial.skipped} == {"train3.png", "val1.png"}
    trial.test()
    trial.close()


def test_a_trial_with_too_many_broken_images_names_them(tmp_path: Path) -> None:
    from autommlab.training.trial import Trial
    from tests.helpers.tiny_trials import make_setup

    setup = make_setup(Task.CLASSIFICATION, tmp_path, reports=1)
    for number in range(8):
        (setup.bag.folder / "images" / f"train{number}.png").unlink()
    trial = Trial(setup, point(iterations=8), tmp_path / "work")
    with pytest.raises(DataError, match=r"2 train images cannot be used, 1 may fail: .*train\d\.png: the file does"):
        trial.advance()
    trial.close()


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([(64, 64), (96, 32), (32, 96)]))
def test_a_detector_sees_the_size_that_its_bundle_makes(width: int, height: int, room: tuple[int, int]) -> None:
    from autommlab.training.detection_transforms import FitInside

    resize = FitInside(scale=room, keep_ratio=True, backend="pillow", interpolation="bilinear")
    resized = resize({"img": np.zeros((height, width, 3), np.uint8)})
    across, down = fitting((width, height), room)
    assert resized["img"].shape == (down, across, 3)
    assert (across, down) >= (1, 1) and across <= room[0] and down <= room[1]
    assert resized["scale_factor"] == (across / width, down / height)


def test_boxes_of_a_narrow_image_stay_in_it() -> None:
    from mmdet.structures.bbox import HorizontalBoxes

    from autommlab.training.detection_transforms import FitInside

    resize = FitInside(scale=(64, 64), keep_ratio=True, backend="pillow")
    boxes = HorizontalBoxes(np.array([[3000.0, 2.0, 4500.0, 6.0]], np.float32))
    resized = resize({"img": np.zeros((8, 6000, 3), np.uint8), "gt_bboxes": boxes})
    assert resized["img"].shape == (1, 64, 3)
    assert resized["gt_bboxes"].tensor.tolist() == [[32.0, 0.25, 48.0, 0.75]]
