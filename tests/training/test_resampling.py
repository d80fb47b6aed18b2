"""Intervals from single pictures, held against the toolboxes' own figures of really repeated pictures."""

import contextlib
import io
import math
from typing import Any

import numpy as np
import pytest

from autommlab.tasks import Task
from autommlab.training.evaluated import _matched, _segmented, evaluated
from autommlab.training.resampling import (
    ClassifiedPictures,
    MatchedPictures,
    PictureStatistics,
    PosedPictures,
    draws,
    intervals,
    resampled_figures,
    resampled_scores,
)


def one_draw(statistics: PictureStatistics, counts: Any) -> dict[str, float]:
    """The figures where each picture counts so often."""
    return {name: float(value[0]) for name, value in statistics.figures(np.array([counts], float)).items()}


def some_draws(pictures: int) -> list[Any]:
    """A few real resamples."""
    return list(next(draws(pictures, 4)).astype(int))


def answers(pictures: int, right: float, classes: int = 6) -> ClassifiedPictures:
    """Of a classifier that names so large a fraction right, the others at random."""
    rng = np.random.default_rng(3)
    truth = np.arange(pictures) % classes
    ranked = np.array([rng.permutation(classes)[:5] for _ in range(pictures)])
    sure = rng.permutation(pictures) < right * pictures
    ranked[sure, 0] = truth[sure]
    ranked[~sure, 0] = (truth[~sure] + 1) % classes
    return ClassifiedPictures(ranked, truth, classes)


@pytest.mark.parametrize(("pictures", "right"), [(45, 0.7), (120, 0.85), (500, 0.5)])
def test_the_interval_of_accuracy_agrees_with_wilson_and_with_a_bootstrap_by_hand(pictures: int, right: float) -> None:
    statistics = answers(pictures, right)
    point = one_draw(statistics, np.ones(pictures))["accuracy"]
    found = intervals(statistics, {"accuracy": point})["accuracy"]
    z, n = 1.96, pictures
    middle = (point + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(point * (1 - point) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half), abs=1.5 / n + 0.01)
    hits = np.arange(n) < round(point * n)
    by_hand = np.random.default_rng(11).choice(hits, size=(4000, n)).mean(axis=1)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(by_hand, [0.025, 0.975])), abs=0.01 + 1 / n)


def test_no_wrong_picture_is_no_proof_of_a_perfect_model() -> None:
    found = intervals(answers(20, 1.0), {"accuracy": 1.0})["accuracy"]
    assert found.high == 1.0
    assert found.low == pytest.approx(20 / (20 + 1.96**2), abs=1e-4)


def test_twice_the_same_call_gives_the_same_interval() -> None:
    assert intervals(answers(30, 0.6), {"F1": 0.5}) == intervals(answers(30, 0.6), {"F1": 0.5})


def test_trials_are_compared_on_the_same_draws() -> None:
    first, second = (resampled_scores(answers(40, right), lambda one: one["accuracy"]) for right in (0.9, 0.5))
    assert all(better > worse for better, worse in zip(first, second, strict=True))
    assert first == pytest.approx(resampled_figures(answers(40, 0.9), len(first))["accuracy"], abs=1e-5)


def test_classification_is_that_of_mmpretrain_on_repeated_pictures(toolboxes: None) -> None:
    import torch
    from mmpretrain.evaluation import Accuracy, SingleLabelMetric

    rng = np.random.default_rng(0)
    scores, truth = torch.tensor(rng.random((60, 6))), torch.tensor(rng.integers(0, 6, 60))
    statistics = ClassifiedPictures(scores.topk(5, dim=1).indices.numpy(), truth.numpy(), 6)
    for counts in (np.ones(60, int), *some_draws(60)):
        places = np.repeat(np.arange(60), counts)
        (top1,), (top5,) = Accuracy.calculate(scores[places], truth[places], (1, 5))
        precision, recall, f1, _ = SingleLabelMetric.calculate(scores[places], truth[places])[0]
        expected = {"accuracy": top1, "top-5 accuracy": top5, "precision": precision, "recall": recall, "F1": f1}
        found = one_draw(statistics, counts)
        assert found == pytest.approx({name: float(value) / 100 for name, value in expected.items()}, abs=1e-6)


def test_a_class_that_a_resample_has_lost_does_not_count_as_missed() -> None:
    statistics = ClassifiedPictures(np.array([[0], [1], [0]]), np.array([0, 1, 0]), 3)
    assert one_draw(statistics, [2, 0, 1])["recall"] == pytest.approx(1 / 2), "the third class has no picture at all"
    assert one_draw(statistics, [1, 1, 1])["recall"] == pytest.approx(2 / 3)


def test_segmentation_is_the_mean_over_classes_of_summed_pixels() -> None:
    rng = np.random.default_rng(1)
    common, only_said, only_true = rng.integers(0, 50, (3, 12, 4))
    said, true = common + only_said, common + only_true
    said[:, 3] = true[:, 3] = common[:, 3] = 0  # a class that is nowhere
    statistics = _segmented(list(zip(common, said + true - common, said, true, strict=True)))
    counts = some_draws(12)[0]
    c, s, t = (np.repeat(part, counts, axis=0).sum(axis=0)[:3] for part in (common, said, true))
    assert one_draw(statistics, counts) == pytest.approx(
        {
            "mIoU": np.mean(c / (s + t - c)),
            "Dice coefficient": np.mean(2 * c / (s + t)),
            "pixel accuracy": c.sum() / t.sum(),
        }
    )


class Boxes:
    """Objects and detections of a few classes on some pictures, as COCO's evaluation takes them."""

    def __init__(self, pictures: int, classes: int = 3) -> None:
        rng = np.random.default_rng(5)
        self.classes = classes
        self.objects: list[list[tuple[int, list[float]]]] = []
        self.found: list[list[tuple[int, list[float], float]]] = []
        for _ in range(pictures):
            objects = [(int(rng.integers(1, classes + 1)), _box(rng)) for _ in range(rng.integers(0, 4))]
            near = [(label, _moved(rng, box), float(rng.random())) for label, box in objects if rng.random() < 0.8]
            false = [(int(rng.integers(1, classes + 1)), _box(rng), float(rng.random())) for _ in range(2)]
            self.objects.append(objects)
            self.found.append([*near, *false])

    def evaluation(self, counts: Any) -> Any:
        """COCO's evaluation of these pictures, each really there so often, under names of its own."""
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        places = np.repeat(np.arange(len(self.objects)), counts)
        objects = [(new, label, box) for new, old in enumerate(places, 1) for label, box in self.objects[old]]
        found = [(new, label, box, score) for new, old in enumerate(places, 1) for label, box, score in self.found[old]]
        truth = COCO()
        truth.dataset = {
            "images": [{"id": new} for new in range(1, len(places) + 1)],
            "categories": [{"id": label} for label in range(1, self.classes + 1)],
            "annotations": [
                {"id": n, "image_id": new, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
                for n, (new, label, box) in enumerate(objects, 1)
            ],
        }
        with contextlib.redirect_stdout(io.StringIO()):
            truth.createIndex()
            said = truth.loadRes(
                [{"image_id": new, "category_id": label, "bbox": box, "score": s} for new, label, box, s in found]
            )
            evaluation = COCOeval(truth, said, "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return evaluation


def _box(rng: np.random.Generator) -> list[float]:
    return [float(v) for v in (*rng.integers(0, 60, 2), *rng.integers(20, 40, 2))]


def _moved(rng: np.random.Generator, box: list[float]) -> list[float]:
    return [float(v) for v in np.array(box) + rng.normal(0, 2, 4)]


def test_average_precision_is_that_of_coco_on_repeated_pictures() -> None:
    boxes = Boxes(25)
    statistics = _matched(boxes.evaluation(np.ones(25, int)), ("mAP", "AP50", "AR"))
    for counts in (np.ones(25, int), *some_draws(25)):
        stats = boxes.evaluation(counts).stats
        assert one_draw(statistics, counts) == pytest.approx(
            {"mAP": stats[0], "AP50": stats[1], "AR": stats[8]}, abs=1e-6
        )


def test_points_are_measured_as_by_mmpose_on_repeated_pictures(toolboxes: None) -> None:
    from mmpose.evaluation.functional import keypoint_auc, keypoint_nme, keypoint_pck_accuracy

    rng = np.random.default_rng(2)
    true, known = rng.random((20, 5, 2)) * 60, rng.random((20, 5)) < 0.8
    said, size = true + rng.normal(0, 8, true.shape), rng.integers(20, 60, 20).astype(float)
    picture = np.arange(20) // 2  # two instances a picture
    nothing = MatchedPictures(10, _matched(Boxes(10).evaluation(np.ones(10, int)), ("AP", None, "AR"))._classes,
                              np.linspace(0, 1, 101), ("AP", None, "AR"))  # fmt: skip
    distance = np.where(known, np.linalg.norm(said - true, axis=-1), np.nan)
    statistics = PosedPictures(picture, distance, size, threshold=0.2, auc=(30, 20), matches=nothing)
    for counts in (np.ones(10, int), *some_draws(10)):
        places = np.repeat(np.arange(20), counts[picture])
        arguments = said[places], true[places], known[places]
        box = np.tile(size[places, None], (1, 2))
        found = one_draw(statistics, counts)
        assert found["PCK"] == pytest.approx(keypoint_pck_accuracy(*arguments, 0.2, box.copy())[1], abs=1e-6)
        assert found["AUC"] == pytest.approx(keypoint_auc(*arguments, 30, 20), abs=1e-6)
        assert found["NME"] == pytest.approx(keypoint_nme(*arguments, box.copy()), abs=1e-6)


def test_a_metric_is_left_as_it_was() -> None:
    class Metric:
        def compute_metrics(self, results: list) -> dict[str, float]:
            return {"count": len(results)}

    class Evaluator:
        metrics = (Metric(),)

    with evaluated(Evaluator()) as kept:
        assert Evaluator.metrics[0].compute_metrics([1, 2]) == {"count": 2}
    assert vars(Evaluator.metrics[0]) == {}
    assert kept.results["Metric"][1] == [1, 2]


def test_a_detector_that_finds_nothing_has_an_interval_above_0() -> None:
    from autommlab.training.evaluated import Evaluated

    statistics = Evaluated(results={"CocoMetric": (None, [None] * 30)}).statistics(Task.DETECTION)
    assert statistics is not None
    found = intervals(statistics, {"mAP": 0.0, "AP50": 0.0, "AR": 0.0})
    assert found["mAP"].low == 0
    assert 0.05 < found["mAP"].high < 0.2


@pytest.fixture
def toolboxes() -> None:
    from autommlab.training.trial import prepare_toolbox

    for task in (Task.CLASSIFICATION, Task.KEYPOINT):
        prepare_toolbox(task)
