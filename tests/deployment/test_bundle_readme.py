"""The papers of a bundle as a model hub reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.deployment.bundle_readme import PIPELINE_TAGS, front_matter, metric_id
from autommlab.deployment.model_card import CardFacts, write_papers
from autommlab.deployment.quantization.records import Quantization
from autommlab.models.records import ModelChoice, Pretrained
from autommlab.tasks import TASK_METRICS, Task
from autommlab.training.records import Interval
from autommlab.understanding.request import Engine
from tests.helpers import report_records as records


def written(folder: Path, choice: ModelChoice | None = None, quantization: Quantization | None = None) -> Path:
    done = records.deployment(folder)
    result = records.study(folder).model_copy(
        update={"test_intervals": {"mAP": Interval(low=0.4811, high=0.603, pictures=100)}}
    )
    facts = CardFacts(records.request(), records.bag(folder), choice or records.choice(), result, done.engine,
                      done.verification, (), (), quantization=quantization)  # fmt: skip
    write_papers(folder, facts)
    return folder


def test_the_hub_reads_task_licence_tags_and_test_figures(tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard.load(written(tmp_path) / "README.md")
    data = card.data.to_dict()
    assert data["pipeline_tag"] == "object-detection"
    assert data["library_name"] == "autommlab"
    assert (data["license"], data["license_name"]) == ("other", "see-license-file")
    assert (tmp_path / data["license_link"]).is_file(), "a licence of one's own needs a file of the repository"
    assert {"openvino", "mmdet", "fcos"} <= set(data["tags"])
    assert data["metrics"][0] == "map", "the figure that was searched for comes first"
    results = {result.metric_type: result for result in card.data.eval_results}
    assert results["map"].metric_value == records.study(tmp_path).test_metrics["mAP"]
    assert results["map"].dataset_split == "test"
    assert results["map"].dataset_name == "openmoji-scenes"
    assert "0.481 to 0.603" in card.text, "the interval stands in the text"
    again = ModelCard(str(card))
    assert again.data.to_dict() == data
    assert again.text == card.text


@pytest.mark.parametrize("delivered", [True, False])
def test_figures_of_the_float_model_are_not_called_those_of_int8(delivered: bool, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard.load(written(tmp_path, quantization=records.int8(delivered=delivered)) / "README.md")
    assert bool(card.data.eval_results) != delivered
    assert ("figures are those of the float model" in card.text) == delivered
    assert ("| mAP on 50 test images | 0.5468 | 0.5391 |" in card.text) == delivered


def test_licences_of_data_and_weights_are_listed_as_far_as_known(tmp_path: Path) -> None:
    text = (written(tmp_path) / "LICENSE.md").read_text(encoding="utf-8")
    assert "data set openmoji-scenes: CC BY-SA 4.0" in text
    assert "package efficientnet" in text
    assert text.strip() in (tmp_path / "model_card.md").read_text(encoding="utf-8")


def test_no_path_of_the_machine_is_passed_on(tmp_path: Path) -> None:
    """The card names a file of weights; the record of the choice names it with its folder, and in a sentence."""
    source = "/home/person/mine.pth"
    given = {
        "pretrained": Pretrained(kind="file", source=source),
        "reasons": (f"It starts from pretrained weights (file: {source}).",),
    }
    folder = written(tmp_path, records.choice().model_copy(update=given))
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.md")]
    assert len(texts) == 3
    assert all("mine.pth" in text and "person" not in text for text in texts)


@pytest.mark.parametrize("name", ["---\nlicense: mit\n---", "a: b # c", "<b>", "'", "\x1b[0m", "[x](http://y)"])
def test_a_name_stays_a_value(name: str, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    bag = records.bag(tmp_path).model_copy(update={"datasets": (name,)})
    block = front_matter(bag, records.choice(), records.study(tmp_path), Engine.ONNXRUNTIME)
    data = ModelCard(f"{block}\n\ntext\n").data
    assert data.license == "other"
    assert data.eval_results and len(data.eval_results) == len(records.study(tmp_path).test_metrics)


def test_every_task_and_figure_has_a_name_on_the_hub() -> None:
    assert set(PIPELINE_TAGS) == set(Task)
    names = {metric.name for metrics in TASK_METRICS.values() for metric in metrics}
    assert {metric_id(name) for name in ("accuracy", "F1", "mIoU", "top-5 accuracy")} == {
        "accuracy", "f1", "mean_iou", "top_5_accuracy"}  # fmt: skip
    assert len({metric_id(name) for name in names}) == len(names)
