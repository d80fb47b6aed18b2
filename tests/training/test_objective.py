"""What a study searches for: the figure that the request names, requirements that are missed first."""

import re

import pytest

from autommlab.common.trial_status import TrialStatus
from autommlab.tasks import Task
from autommlab.training.ledger import best_record, lead_of
from autommlab.training.objective import Objective
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.understanding.request import Metric

#: Trials in which every figure has another winner.
TABLE: dict[Task, list[dict[str, float]]] = {
    Task.CLASSIFICATION: [
        {"accuracy": 0.90, "precision": 0.70, "recall": 0.60, "F1": 0.64},
        {"accuracy": 0.80, "precision": 0.80, "recall": 0.78, "F1": 0.79},
        {"accuracy": 0.75, "precision": 0.95, "recall": 0.55, "F1": 0.70},
        {"accuracy": 0.70, "precision": 0.60, "recall": 0.85, "F1": 0.66},
    ],
    Task.KEYPOINT: [
        {"AP": 0.60, "AR": 0.62, "PCK": 0.80, "NME": 0.08},
        {"AP": 0.50, "AR": 0.70, "PCK": 0.85, "NME": 0.04},
        {"AP": 0.40, "AR": 0.50, "PCK": 0.90, "NME": 1.70},
    ],
}


def asked(**bounds: float) -> tuple[Metric, ...]:
    return tuple(Metric(name=name, value=value) for name, value in bounds.items())


def records(objective: Objective, table: list[dict[str, float]]) -> list[TrialRecord]:
    return [record(number, objective.score(figures)) for number, figures in enumerate(table, start=1)]


def record(number: int, score: float, resampled: tuple[float, ...] = (), status: TrialStatus = "ok") -> TrialRecord:
    own = Hyperparameters(
        iterations=number, batch_size=4, optimizer="SGD", lr=0.1, weight_decay=1e-4, lr_schedule="StepLR"
    )
    return TrialRecord(
        number=number, trial_id=f"t{number}", hyperparameters=own, score=score, resampled=resampled, status=status
    )


@pytest.mark.parametrize(
    ("task", "requirements", "winner"),
    [
        (Task.CLASSIFICATION, {}, 1),
        (Task.CLASSIFICATION, {"accuracy": 0.9}, 1),
        (Task.CLASSIFICATION, {"F1": 0.9}, 2),
        (Task.CLASSIFICATION, {"f1-score": 0.1}, 2),
        (Task.CLASSIFICATION, {"precision": 0.9}, 3),
        (Task.CLASSIFICATION, {"sensitivity": 0.9}, 4),
        (Task.CLASSIFICATION, {"PCK": 0.9}, 1),  # not measured for this task
        (Task.KEYPOINT, {}, 1),
        (Task.KEYPOINT, {"mAP": 0.9}, 1),
        (Task.KEYPOINT, {"AR": 0.9}, 2),
        (Task.KEYPOINT, {"PCK": 0.9}, 3),
        (Task.KEYPOINT, {"NME": 0.03}, 2),  # an error: less is better
        # The unmet ones decide first, whichever is named first; among trials that meet all, the first named.
        (Task.CLASSIFICATION, {"accuracy": 0.6, "recall": 0.8}, 4),
        (Task.CLASSIFICATION, {"accuracy": 0.6, "recall": 0.7}, 2),
        (Task.CLASSIFICATION, {"recall": 0.5, "accuracy": 0.7}, 4),
        (Task.CLASSIFICATION, {"precision": 0.9, "recall": 0.7}, 2),  # misses 0.10; 3 misses 0.15, 4 misses 0.30
        (Task.KEYPOINT, {"AP": 0.3, "NME": 0.05}, 2),
        (Task.KEYPOINT, {"AP": 0.3, "NME": 0.1}, 1),
    ],
)
def test_the_figure_that_is_named_decides(task: Task, requirements: dict[str, float], winner: int) -> None:
    objective = Objective(task, asked(**requirements))
    best = best_record(records(objective, TABLE[task]))
    assert best is not None
    assert best.number == winner


@pytest.mark.parametrize("requirements", [{}, {"F1": 0.9}, {"F1": 0.6, "precision": 0.6}])
def test_a_score_is_the_figure_where_that_is_all_that_is_asked_or_all_is_met(requirements: dict[str, float]) -> None:
    objective = Objective(Task.CLASSIFICATION, asked(**requirements))
    figures = TABLE[Task.CLASSIFICATION][1]
    assert objective.score(figures) == pytest.approx(figures[objective.name])


def test_scores_lie_between_a_failed_trial_and_1_and_grow_with_what_is_met() -> None:
    objective = Objective(Task.KEYPOINT, asked(AP=0.5, NME=0.05, PCK=0.9))
    steps = [
        {},
        {"AP": 0.0, "NME": 30.0, "PCK": 0.0},
        {"AP": 0.5, "NME": 0.5, "PCK": 0.1},
        {"AP": 0.4, "NME": 0.05, "PCK": 0.9},
        {"AP": 0.5, "NME": 0.05, "PCK": 0.9},
        {"AP": 1.0, "NME": 0.0, "PCK": 1.0},
    ]
    scores = [objective.score(figures) for figures in steps]
    assert scores == sorted(set(scores))
    assert (scores[0], scores[-1]) == (0.0, 1.0)
    assert [objective.shortfall(figures) > 0 for figures in steps] == [True] * 4 + [False] * 2


def test_a_bound_of_0_names_the_figure_and_asks_nothing_of_it() -> None:
    alone = Objective(Task.CLASSIFICATION, asked(recall=0))
    assert (alone.name, alone.score_name, alone.score({"recall": 0.4})) == ("recall", "recall", 0.4)
    both = Objective(Task.CLASSIFICATION, asked(recall=0, precision=0.8))
    best = best_record(records(both, TABLE[Task.CLASSIFICATION]))
    assert best is not None
    assert best.number == 2, "of those with the precision the one with the most recall"


def test_top_5_of_fewer_classes_is_not_searched_for() -> None:
    wanted = asked(**{"top-5 accuracy": 0.9})
    assert Objective(Task.CLASSIFICATION, wanted, classes=3).name == "accuracy"
    assert Objective(Task.CLASSIFICATION, wanted, classes=5).name == "top-5 accuracy"


def test_the_stricter_of_two_bounds_on_a_figure_counts() -> None:
    twice = (Metric(name="F1", value=0.6), Metric(name="f1-score", value=0.9))
    assert [str(one) for one in Objective(Task.CLASSIFICATION, twice).requirements] == ["F1 at least 0.9"]
    errors = (Metric(name="NME", value=0.1), Metric(name="NME", value=0.05))
    assert [str(one) for one in Objective(Task.KEYPOINT, errors).requirements] == ["NME at most 0.05"]


@pytest.mark.parametrize(
    ("requirements", "name", "words"),
    [
        ({"F1": 0.9}, "F1", "The search maximises F1."),
        ({"NME": 0.05}, "score", r"NME, lower is better; the score is 1 / \(1 \+ NME\)"),
        ({"AR": 0.9, "AP": 0.8}, "score", "missing to AR at least 0.9, AP at least 0.8, in sum; .* by AR, higher"),
    ],
)
def test_what_a_score_is_is_said(requirements: dict[str, float], name: str, words: str) -> None:
    task = Task.CLASSIFICATION if "F1" in requirements else Task.KEYPOINT
    objective = Objective(task, asked(**requirements))
    assert objective.score_name == name
    assert re.search(words, objective.in_words)


def test_a_lead_within_the_noise_of_the_pictures_is_told_with_the_rivals() -> None:
    best = record(1, 0.8, (0.8, 0.7, 0.9, 0.8) * 10)
    trials = [
        best,
        record(2, 0.5, (0.5, 0.4, 0.6, 0.5) * 10),  # always behind
        record(3, 0.7, (0.7, 0.6, 0.9, 0.7) * 10),  # level in a quarter of the resamples
        record(4, 0.79, (0.79, 0.75, 0.85, 0.79) * 10),
        record(5, 0.0, status="failed"),
        record(6, 0.6, (0.6,), status="stopped"),
    ]
    lead = lead_of(best, trials, pictures=45)
    assert lead is not None
    assert lead.rivals == (4, 3)
    assert lead.in_words() == (
        "The lead of the winner lies inside the noise of 45 val pictures: trials 4, 3 are as good."
    )
    clear = lead_of(best, trials[:2], pictures=45)
    assert clear is not None
    assert clear.in_words() == ""
    assert lead_of(record(1, 0.8), trials, pictures=45) is None, "an older version did not keep the resamples"
