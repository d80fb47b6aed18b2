"""The main job through the real command line: from parse to bundle, killed and resumed, and its complaints."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.killing import kill_when
from tests.helpers.program import EXAMPLES, autommlab

pytestmark = pytest.mark.slow


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "marks",
    [
        pytest.param(["training:trial"], id="training"),
        pytest.param(
            ["understanding:stage-started", "data:stage-started", "model:stage-started", "training:trial",
             "deployment:stage-started"],
            id="every stage", marks=pytest.mark.long,
        ),
    ],
)  # fmt: skip
def test_killed_it_resumes_and_repeats_no_trial(
    home: Path, shapes: Path, parse: Path, tmp_path: Path, marks: list[str]
) -> None:
    out = tmp_path / "run"
    line: list[object] = ["run", "which material", "--parse", parse, "--data", shapes, "--trials", 3]
    line += ["--searcher", "tpe+default", "--out", out]
    done_before: list[str] = []
    for mark in marks:
        kill_when(home, out, mark, *line)
        line = ["run", "--resume", out]
        if mark == "training:trial":
            done_before = (out / "study" / "trials.jsonl").read_text().splitlines()
            assert done_before
    last = autommlab(home, "run", "--resume", out)
    assert last.returncode == 0, last.stderr
    trials = (out / "study" / "trials.jsonl").read_text().splitlines()
    assert trials[: len(done_before)] == done_before
    points = [json.dumps(json.loads(line)["hyperparameters"], sort_keys=True) for line in trials]
    assert len(points) == len(set(points)) >= 3
    assert (out / "report.html").exists()
    assert (out / "bundle" / "predict.py").exists()
    assert "on test" in last.stdout

    image = next((shapes / "test" / "leaf").iterdir())
    predicted = autommlab(home, "predict", out / "bundle", image, "--json", "--out", tmp_path / "drawn")
    assert predicted.returncode == 0, predicted.stderr
    assert "leaf" in predicted.stdout


def test_dry_run_shows_the_plan_and_trains_nothing(home: Path, shapes: Path, parse: Path, tmp_path: Path) -> None:
    done = autommlab(home, "run", "x", "--parse", parse, "--data", shapes, "--dry-run", "--out", tmp_path / "none")
    assert done.returncode == 0, done.stderr
    assert "Would train EfficientNet-Lite0" in done.stdout
    assert "One picture costs" in done.stderr, "the plan and its reasons"
    assert not (tmp_path / "none").exists()


def test_other_settings_do_not_continue_a_run(home: Path, shapes: Path, parse: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    kill_when(home, out, "data:stage-started", "run", "x", "--parse", parse, "--data", shapes, "--out", out)
    done = autommlab(home, "run", "--resume", out, "--seed", 9, "--trials", 9)
    assert done.returncode == 8
    assert "seed: stored 0, now 9" in done.stderr
    assert "trials" not in done.stderr, "more trials are no other run"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "?!"], 2, "has no words"),
        (["run", "--resume", "/nowhere"], 8, "holds no run"),
        (["run", "x", "--searcher", "optunna"], 2, "unknown searcher 'optunna'"),
        (["run", "x", "--profile", "leptop"], 2, "Did you mean 'laptop'"),
        (["run", "x", "--parse", "/nowhere.json"], 2, "cannot read the parse /nowhere.json"),
        (["run", "x", "--parse", "{unicorn}"], 3, "unicorn"),
        (["run", "x", "--parse", "{tiny}"], 4, "parameters"),
        (["predict", "/nowhere", "a.png"], 6, "bundle"),
    ],
)
def test_bad_input_is_explained(home: Path, tmp_path: Path, arguments: list, code: int, message: str) -> None:
    request = json.loads((EXAMPLES / "classify_animals.json").read_text())
    (tmp_path / "unicorn.json").write_text(
        json.dumps({**request, "data": {**request["data"], "object": ["unicorn", "zeppelin"]}})
    )
    tiny = {**request, "model": {**request["model"], "parameters": {"value": 1, "unit": "K"}}}
    (tmp_path / "tiny.json").write_text(json.dumps(tiny))
    paths = {"{unicorn}": str(tmp_path / "unicorn.json"), "{tiny}": str(tmp_path / "tiny.json")}
    arguments = [paths.get(argument, argument) for argument in arguments]
    if arguments[0] == "run" and "--resume" not in arguments:
        arguments += ["--out", str(tmp_path / "run")]
        if "--searcher" not in arguments:  # no LLM service is started
            arguments += ["--searcher", "random"]
    done = autommlab(home, *arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_folder_that_cannot_be_written_is_named(home: Path, parse: Path, shapes: Path) -> None:
    done = autommlab(home, "run", "x", "--parse", parse, "--data", shapes, "--out", "/proc/autommlab-run")
    assert done.returncode == 7
    assert "/proc/autommlab-run" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_quick_to_import_and_loads_nothing_heavy(home: Path) -> None:
    code = (
        "import sys, autommlab.cli; "
        "heavy = {'torch', 'ray', 'numpy', 'mmengine', 'vllm', 'optuna', 'matplotlib'} & set(sys.modules); "
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
