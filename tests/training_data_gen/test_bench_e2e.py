"""Two points a request: the parse by its label, the model by the label's metrics, and a failure costs only its own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autommlab.cli.main import app
from autommlab.common.errors import RequestError
from autommlab.data import registry
from autommlab.deployment.records import LimitCheck
from autommlab.options import RunOptions
from autommlab.progress.events import Events
from autommlab.tasks import Task
from tests.helpers.program import autommlab
from training_data_gen.benchmarks.e2e import EndToEndResult, metrics_reached, run_e2e, shows_things
from training_data_gen.benchmarks.request_sets import LabelledRequest, read_set

FORGOTTEN = {"request": "Tell unicorns and dragons apart with an accuracy of 0.9.", "object": ["unicorn", "dragon"]}


def lines(parse: Path, *wanted: tuple[str, str, float]) -> str:
    """Requests about the shapes: (id, metric, value)."""
    label = json.loads(parse.read_text())
    made = []
    for name, metric, value in wanted:
        label["model"]["metrics"] = [{"name": metric, "value": value}]
        request = f"Tell brick, leaf and sky apart, {metric} {value}."
        made.append(json.dumps({"id": name, "task": "classification", "request": request, "parse": label}))
    return "\n".join(made) + "\n"


def test_the_set_asks_for_metrics_that_are_measured_and_things_that_are_there() -> None:
    examples = read_set("e2e")
    assert Counter(one.task for one in examples) == dict.fromkeys(Task, 3)
    for one in examples:
        assert one.parse.model.metrics
        known = {name for spec in registry.all_specs(one.task) for name in spec.classes}
        assert set(one.parse.data.object) <= known, one.id


@pytest.mark.parametrize(("holds", "reached"), [(True, True), (False, False), (None, False)])
def test_a_metric_that_was_missed_or_not_measured_is_not_reached(
    parse: Path, holds: bool | None, reached: bool
) -> None:
    label = LabelledRequest.model_validate_json(lines(parse, ("one", "accuracy", 0.7))).parse
    other = LimitCheck(name="speed", wanted="at most 5 ms", got="9 ms", holds=False)
    check = LimitCheck(name="accuracy", wanted="at least 0.7", got="?", holds=holds)
    assert metrics_reached(label, [other, check]) is reached
    assert not metrics_reached(label, [other])


def test_a_model_of_other_things_is_not_what_was_asked_for() -> None:
    digits = next(one.parse for one in read_set("e2e") if one.id == "e2e-cls-02")
    assert digits.data.object == ("3", "8")
    assert shows_things(digits, {"eight": ("digits/8",), "three": ("digits/3",)})
    every_digit = {str(number): (f"digits/{number}",) for number in range(10)}
    assert not shows_things(digits, every_digit)
    assert not shows_things(digits, {"3": ("digits/3",)})
    data = digits.data.model_copy(update={"object": ("unicorn",)})
    assert not shows_things(digits.model_copy(update={"data": data}), every_digit)


def test_a_run_that_fails_scores_nothing_and_the_others_go_on(parse: Path, tmp_path: Path) -> None:
    label = json.loads(parse.read_text())
    label["data"]["object"] = FORGOTTEN["object"]
    bad = LabelledRequest.model_validate(
        {"id": "bad", "task": "classification", "request": FORGOTTEN["request"], "parse": label}
    )
    worse = bad.model_copy(update={"id": "worse"})
    options = RunOptions(searcher="random", trials=1)
    result = run_e2e([bad, worse], options, tmp_path, Events(), labelled=True, command="c")
    assert [row.id for row in result.rows] == ["bad", "worse"]
    assert [(row.points, row.met) for row in result.rows] == [(1, False)] * 2
    assert all("unicorn" in row.problem for row in result.rows)
    assert result.points == 2
    stored = tmp_path / "bench-e2e.json"
    assert EndToEndResult.model_validate_json(stored.read_bytes()).rows == result.rows
    shown = CliRunner().invoke(app, ["bench", "e2e", "--show", str(stored)])
    assert f"2 of 4 points; {stored} holds every figure" in shown.stdout
    other = result.rows[0].model_copy(update={"problem": "", "classes": ("horse", "cow")})
    stored.write_text(result.model_copy(update={"rows": (other,)}).model_dump_json())
    assert "knows other things: horse, cow" in CliRunner().invoke(app, ["bench", "e2e", "--show", str(stored)]).stdout
    wrong = CliRunner().invoke(app, ["bench", "e2e", "--show", str(tmp_path)])
    assert isinstance(wrong.exception, RequestError)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_model_gets_its_point_for_the_metric_that_it_reaches(
    home: Path, shapes: Path, parse: Path, tmp_path: Path
) -> None:
    assert autommlab(home, "data", "add", shapes, "--name", "materials").returncode == 0
    asked = tmp_path / "set.jsonl"
    asked.write_text(lines(parse, ("easy", "accuracy", 0.05)))
    out = tmp_path / "bench"
    arguments = ("bench", "e2e", "--set", asked, "--labelled", "--trials", 1, "--searcher", "default", "--out", out)
    first = autommlab(home, *arguments)
    assert first.returncode == 0, first.stderr
    result = EndToEndResult.model_validate_json((out / "bench-e2e.json").read_bytes())
    (easy,) = result.rows
    assert (easy.points, easy.checks[0].holds) == (2, True)
    assert "2 of 2 points" in first.stdout
    ledger = out / "easy" / "study" / "trials.jsonl"
    before = ledger.stat().st_mtime_ns
    assert autommlab(home, *arguments).returncode == 0
    assert ledger.stat().st_mtime_ns == before, "a finished run was run again"
