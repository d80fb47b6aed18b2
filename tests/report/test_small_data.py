"""Small data is told honestly, and the figure that was searched for by its name, wherever a person reads."""

import dataclasses
from pathlib import Path

import pytest

from autommlab.cli.run import _tell_outcome
from autommlab.deployment import model_card
from autommlab.deployment.quantization.records import Quantization
from autommlab.deployment.records import LimitCheck
from autommlab.pipeline.records import RunOutcome
from autommlab.planning.records import Plan
from autommlab.report import ReportContent
from autommlab.report.render import render
from autommlab.report.rows import tiles
from autommlab.training.objective import Objective
from autommlab.training.records import CrossValidated, CrossValidation, Interval, Lead, StudyResult
from autommlab.understanding.request import Metric
from tests.helpers.report_records import bag, choice, deployment, int8, request, study
from tests.helpers.tiny_trials import point

LIMIT = LimitCheck(name="mAP", wanted="at least 0.5", got="0.547 on test", holds=True, unsure=True)


def small(folder: Path) -> StudyResult:
    return study(folder).model_copy(
        update={
            "test_intervals": {"mAP": Interval(low=0.4811, high=0.603, pictures=100)},
            "lead": Lead(pictures=100, rivals=(8,)),
        }
    )


def report(folder: Path, result: StudyResult) -> ReportContent:
    done = deployment(folder).model_copy(update={"limits": (LIMIT,)})
    return ReportContent(
        text="trains", request=request(), bag=bag(folder), choice=choice(), study=result, deployment=done
    )


def terminal(
    folder: Path, result: StudyResult, capsys: pytest.CaptureFixture[str], with_int8: Quantization | None = None
) -> str:
    content = report(folder, result)
    assert content.deployment is not None
    _tell_outcome(
        RunOutcome(
            folder=folder,
            bag=bag(folder),
            plan=Plan(),
            study=result,
            deployment=content.deployment.model_copy(update={"quantization": with_int8}),
            report=folder / "report.html",
        ),
        "runs/trains",
    )
    return " ".join(capsys.readouterr().out.split())


def card(folder: Path, result: StudyResult) -> str:
    facts = model_card.CardFacts(
        request(), bag(folder), choice(), result, deployment(folder).engine, deployment(folder).verification,
        (LIMIT,), (),
    )  # fmt: skip
    model_card.write_papers(folder, facts)
    return (folder / "model_card.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("place", ["report", "card", "terminal"])
def test_interval_noise_and_doubt_are_told(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = small(tmp_path)
    if place == "card":
        text = card(tmp_path, result)
    else:
        text = terminal(tmp_path, result, capsys) if place == "terminal" else render(report(tmp_path, result))
    assert "0.481 to 0.603" in text
    assert "The lead of the winner lies inside the noise of 100 val pictures: trial 8 is as good." in text
    assert "but the 95 % interval includes the limit" in text


def on_both(folder: Path, folds: int = 5) -> StudyResult:
    """The outcome of a run whose model is trained on train and val."""
    found = small(folder)
    finalists = tuple(
        CrossValidated(
            number=number, origin=origin, hyperparameters=point(iterations=70), status="ok", scores=(score,) * folds,
            score=score, metrics={"mAP": score},
        )
        for number, origin, score in ((1, "trial 5 of the search", 0.561), (2, "the default configuration", 0.548))
    )  # fmt: skip
    validated = CrossValidation(
        folds=folds, finished=folds, pictures=400, finalists=finalists, best=1, lead=Lead(pictures=400, rivals=(2,)),
        why="The search was not sure.",
    )  # fmt: skip
    final = found.best.model_copy(update={"number": 1, "metrics": {"mAP": 0.561}})
    own = {"cross_validation": validated, "lead": validated.lead, "finals": (final,), "best": final}
    return found.model_copy(update={**own, "val_metrics": final.metrics})


@pytest.mark.parametrize("place", ["report", "card", "terminal"])
def test_no_figure_of_a_model_that_has_seen_val_is_called_one_on_val(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = on_both(tmp_path)
    if place == "card":
        text = card(tmp_path, result)
        assert "| figure | 5-fold cross-validation | test |" in text
        assert "Best by mAP of 2 finalists in 5-fold cross-validation, after a search of 8 shorter trials" in text
    elif place == "report":
        text = render(report(tmp_path, result))
        assert ">5-fold cross-validation</th>" in text
        assert "The best finalist by 5-fold cross-validation (number 1)" in text
        assert "The search was not sure. The winner is trial 5 of the search." in text
        shown = {tile.name: (tile.value, tile.remark) for tile in tiles(report(tmp_path, result))}
        assert shown["best mAP by 5-fold cross-validation"] == ("0.561", "finalist 1")
    else:
        text = terminal(tmp_path, result, capsys)
        assert "mAP: 0.561 by 5-fold cross-validation, 0.547 on test" in text
    assert "The delivered model is trained on train and val, to the end of its schedule" in text
    assert "No val picture is new to it: the val figures are means over 5 folds of train and val" in text
    assert "inside the noise of 400 pictures that were left out in turn: finalist 2 is as good." in text
    assert result == StudyResult.model_validate_json(result.model_dump_json())


def test_what_an_unfinished_run_knows_of_its_finalists_is_shown(tmp_path: Path) -> None:
    result = on_both(tmp_path, folds=1)
    content = dataclasses.replace(
        report(tmp_path, result), study=None, deployment=None, trials=result.trials, validated=result.cross_validation
    )
    page = render(content)
    assert "Finalists, compared by trainings that leave pictures out" in page
    assert "The winner, trained on train and val" not in page, "that comes next"
    assert "best mAP on val" in {tile.name for tile in tiles(content)}, "of the search until then"


def test_records_of_older_versions_have_no_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = study(tmp_path).model_dump(exclude={"test_intervals", "lead", "score_name", "searched"})
    result = StudyResult.model_validate(old)
    assert "mAP: 0.561 on validation, 0.547 on test " in terminal(tmp_path, result, capsys)
    assert "not known" in render(report(tmp_path, result))
    assert result == StudyResult.model_validate_json(result.model_dump_json())


@pytest.mark.parametrize("delivered", [True, False])
def test_the_study_s_figures_are_those_before_int8(
    delivered: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = terminal(tmp_path, small(tmp_path), capsys, int8(delivered=delivered))
    assert ("mAP (before INT8): " in told) == delivered


def test_a_score_of_several_requirements_is_not_shown_as_the_figure(tmp_path: Path) -> None:
    objective = Objective(request().model.task, (Metric(name="AR", value=0.9), Metric(name="mAP", value=0.5)))
    result = small(tmp_path)
    named = {"objective": objective.name, "score_name": objective.score_name, "searched": objective.in_words}
    best = result.best.model_copy(update={"score": 0.66, "metrics": {"AR": 0.61, "mAP": 0.561}})
    content = report(tmp_path, result.model_copy(update={**named, "best": best}))
    shown = {tile.name: tile.value for tile in tiles(content)}
    assert (shown["AR on test"], shown["best AR on val"]) == ("0.600", "0.610")
    page = render(content)
    assert "score against each hyperparameter" in page
    assert "The search goes first by what is missing to AR at least 0.9, mAP at least 0.5" in page
    unfinished = dataclasses.replace(content, study=None, deployment=None)
    assert (unfinished.objective, unfinished.score_name) == ("mAP", "mAP"), "the request of these records asks for mAP"
