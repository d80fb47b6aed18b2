"""Little data: when val joins the training, what compares the finalists before, and what becomes of the time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autommlab.options import RunOptions
from autommlab.planning import refit_studies, studies
from autommlab.planning.decide import decide
from autommlab.planning.records import Plan
from autommlab.planning.refitting import SMALL_VAL
from autommlab.planning.stage import _why_no_refit
from autommlab.tasks import Task
from autommlab.training.ledger import lead_of
from autommlab.training.records import CrossValidated, CrossValidation, StudyResult, TrialRecord
from autommlab.understanding.request import ModelRequest
from tests.helpers.plan_making import circumstances
from tests.helpers.program import EXAMPLES
from tests.helpers.tiny_trials import make_setup, point

#: Draws of a score around a figure, the same noise for all of a study.
NOISE = tuple((i % 20 - 10) / 100 for i in range(200))


@pytest.mark.parametrize(
    ("minutes", "images", "folds"),
    [
        (5, (420, 90, 90), None),  # no time
        (15, (420, 90, 90), 1),
        (30, (420, 90, 90), 3),
        (60, (420, 90, 90), 5),
        (60, (420, SMALL_VAL + 1, 90), None),  # val is large
        (60, (20_000, 300, 90), None),  # val is a small part of all
        (60, (4_000, 400, 90), None),  # no time for so many
        (120, (4_000, 400, 90), 1),
    ],
)
def test_small_data_and_enough_time_let_val_join_the_training(
    minutes: float, images: tuple[int, int, int], folds: int | None
) -> None:
    here = circumstances(minutes, images=images)
    plan = decide(here)
    assert plan.search is not None
    assert plan.full is not None
    assert (plan.refit.folds if plan.refit else None) == folds
    assert (plan.search.seconds or 0) + plan.finals_s == pytest.approx(here.time.training_s)
    words = plan.reasons[-1]
    if plan.refit is None:
        assert "trained on train alone" in words or "would add too little" in words
        return
    assert "trained on train and val" in words
    each, last = plan.refit.each, plan.full
    seen = [part.steps(here.batch, part.seconds - part.start_s) * here.batch for part in (each, last)]
    assert here.enough - here.batch <= seen[0] <= seen[1], "the delivered model has the most"
    assert plan.refit.seconds <= last.seconds + 1
    assert (last.finalists, last.validation_s, last.val_images) == (1, 0.0, None)


def test_the_plan_says_what_more_time_would_buy_and_the_summary_what_happens() -> None:
    short, longer = decide(circumstances(5)), decide(circumstances(60))
    assert any("a final training on train and val" in words for words in short.more)
    assert "2 finalists over 5 folds of train and val" in longer.summary()
    assert any("in each of 10 trainings" in words for words in longer.reasons)
    assert Plan.model_validate_json(longer.model_dump_json()) == longer


def test_without_a_search_there_is_nothing_to_choose_and_one_training_measures() -> None:
    plan = decide(circumstances(30, trials=0, trials_fixed=True))
    assert plan.refit is not None
    assert (plan.refit.folds, plan.refit.each.finalists) == (1, 1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, None),
        ({"refit": "never"}, ""),
        ({"workers_per_trial": 2}, "--workers-per-trial"),
        ({"quantize": "always"}, "--quantize never makes none"),
        ({"quantize": "never"}, None),
    ],
)
def test_val_stays_out_where_it_is_needed_or_a_person_says_so(
    given: dict[str, Any], words: str | None, tmp_path: Path
) -> None:
    request = ModelRequest.read(EXAMPLES / "classify_animals.json")
    choice = make_setup(Task.CLASSIFICATION, tmp_path).choice
    why = _why_no_refit(RunOptions(text="x", **{"refit": "auto"} | given), request, choice)
    plan = decide(circumstances(60, no_refit=why))
    assert (plan.refit is None) == (why is not None) == (words is not None)
    if why:
        assert words
        assert words in why
        assert plan.reasons[-1] == why
    assert all(plan.reasons)
    assert RunOptions(text="x").refit == "never"


def trial(number: int, score: float, gain: float = 0.0) -> TrialRecord:
    """A trial that beats others with the same noise by its score, and on some draws by `gain` less."""
    drawn = tuple(round(score + noise - (gain if i % 4 == 0 else 0), 5) for i, noise in enumerate(NOISE))
    return TrialRecord(
        number=number, trial_id=str(number), hyperparameters=point(lr=0.001 * number), score=score, status="ok",
        resampled=drawn,
    )  # fmt: skip


def searched(*trials: TrialRecord) -> StudyResult:
    best = max(trials, key=lambda each: each.score)
    return StudyResult(
        task=Task.CLASSIFICATION, objective="accuracy", trials=trials, best=best, checkpoint=Path("/x"),
        config_file=Path("/y"), val_metrics={}, test_metrics={}, seconds=50, lead=lead_of(best, trials, 90),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("trials", "folds", "words"),
    [
        ((trial(1, 0.80), trial(2, 0.90)), 1, "leads beyond the noise of 90 val pictures"),
        ((trial(1, 0.89), trial(2, 0.90, gain=0.05)), 5, "inside the noise of 90 val pictures: trial 1 is as good"),
        ((trial(1, 0.90), trial(2, 0.90), trial(3, 0.5)), 5, "trial 2 is as good"),
        ((trial(1, 0.9).model_copy(update={"resampled": ()}),), 5, "is not known"),
        ((), 1, ""),
    ],
)
def test_folds_compare_where_the_lead_of_the_search_lies_inside_the_noise(
    trials: tuple[TrialRecord, ...], folds: int, words: str
) -> None:
    refit = decide(circumstances(60)).refit
    assert refit is not None
    found, why = refit_studies.folds_of(refit, searched(*trials) if trials else None)
    assert (found, words in why) == (folds, True)
    one = refit.model_copy(update={"folds": 1})
    assert refit_studies.folds_of(one, searched(*trials) if trials else None) == (1, "")


def test_fewer_folds_leave_their_time_to_the_delivered_model() -> None:
    plan = decide(circumstances(60))
    assert plan.refit is not None
    five, one = (refit_studies.turns(plan, plan.refit, folds, plan.finals_s) for folds in (5, 1))
    assert five.seconds == pytest.approx(plan.refit.seconds)
    assert five.each_s == pytest.approx(plan.refit.each.seconds)
    assert one.each_s == five.each_s
    assert one.seconds < five.seconds / 3


def validated() -> CrossValidation:
    finalists = [
        CrossValidated(
            number=number, origin=origin, hyperparameters=point(iterations=50, lr=lr), status="ok",
            scores=(0.8, score), score=score, metrics={"accuracy": score},
        )
        for number, origin, lr, score in ((1, "trial 3 of the search", 0.01, 0.7), (2, "the default", 0.002, 0.75))
    ]  # fmt: skip
    return CrossValidation(folds=5, finished=5, pictures=510, finalists=tuple(finalists), best=2, seconds=40)


def test_the_winner_is_trained_on_both_for_the_steps_that_the_time_is_enough_for(tmp_path: Path) -> None:
    plan = decide(circumstances(60))
    assert plan.full is not None
    assert plan.refit is not None
    setup = make_setup(Task.CLASSIFICATION, tmp_path)
    options, found = RunOptions(text="x"), validated()
    batch = found.winner.hyperparameters.batch_size
    pace = [trial(1, 0.7).model_copy(update={"train_s": 8 * 4 * plan.refit.each.image_s * slower}) for slower in (1, 2)]
    usual, slow = (
        refit_studies.winner_alone(options, setup.choice, plan, found, [each], seconds=600).configurations[0]
        for each in pace
    )
    assert usual["lr"] == 0.002
    assert usual["iterations"] == plan.full.steps(batch, 600 - plan.full.start_s, 1 / studies.AHEAD)
    assert slow["iterations"] == pytest.approx(usual["iterations"] / 2, rel=0.05)
    winner = refit_studies.winner_alone(options, setup.choice, plan, found, [], seconds=600)
    inputs = refit_studies.refit_inputs(options, setup.bag, setup.choice, plan.full, winner, 1e9, found)
    assert inputs.setup.bag.splits["train"].images == 24
    assert inputs.setup.val_figures == {"accuracy": 0.75}
    assert inputs.options.finalists == winner.configurations


def test_the_outcome_says_what_the_val_figures_are() -> None:
    result = searched(trial(1, 0.75)).model_copy(
        update={"val_metrics": {"accuracy": 0.75}, "test_metrics": {"accuracy": 0.74}, "lead": None}
    )
    joined = refit_studies.joined_refit(searched(trial(1, 0.8), trial(2, 0.7)), validated(), [], result)
    assert (len(joined.trials), joined.finals) == (2, result.trials)
    assert joined.seconds == 140
    assert "accuracy 0.750 by 5-fold cross-validation, 0.740 on test, best of 2 finalists" in joined.summary()
    assert joined.cross_validation is not None
    assert "means over 5 folds of train and val" in joined.cross_validation.in_words
    assert "No val picture is new to it" in joined.cross_validation.in_words
    folds = [trial(1, 0.75).model_copy(update={"fold": fold}) for fold in (1, 2)]
    without = refit_studies.joined_refit(None, validated(), folds, result)
    assert (without.trials, without.finals) == (tuple(folds), result.trials), "each training that left pictures out"
    alone = joined.cross_validation.model_copy(update={"folds": 1, "finished": 1})
    assert "a training of its configuration on train alone, of 50 steps" in alone.in_words
    assert "0.750 by val, left out of training" in joined.model_copy(update={"cross_validation": alone}).summary()
