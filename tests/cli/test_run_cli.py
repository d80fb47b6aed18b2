"""The main job through the real command line: from parse to bundle, killed and resumed, and its complaints."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from autommlab.training.loss_curve import read_curves
from tests.helpers.killing import kill_when
from tests.helpers.program import EXAMPLES, autommlab, autommlab_here
from tests.helpers.signals import require_policy, signalled

pytestmark = pytest.mark.slow


#: Little to learn, and little to wait for.
SMALL = ("--trials", 3, "--concurrent", 1, "--input-size", 32, "--iterations", "6..12", "--batch", "4..8")


def trials(out: Path) -> list[str]:
    return (out / "study" / "trials.jsonl").read_text().splitlines()


def require_finished(done: subprocess.CompletedProcess[str], out: Path, before: list[str]) -> None:
    """A result with everything that belongs to it, from three trials of which none was trained twice."""
    assert done.returncode == 0, done.stderr
    assert trials(out)[: len(before)] == before
    ended = [json.loads(line) for line in trials(out)]
    assert [trial["status"] for trial in ended] == ["ok"] * 3
    assert len({json.dumps(trial["hyperparameters"], sort_keys=True) for trial in ended}) == 3
    assert (out / "report.html").exists()
    assert (out / "bundle" / "predict.py").exists()
    assert "on test" in done.stdout


def require_tracked(out: Path, journal: Path) -> None:
    """Each trial, with each step of it, once."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    ended = [json.loads(line) for line in trials(out)]
    curves = read_curves(out / "study")
    study = optuna.load_study(study_name=out.name, storage=JournalStorage(JournalFileBackend(str(journal))))
    assert [trial.user_attrs["trial_id"] for trial in study.trials] == [trial["trial_id"] for trial in ended]
    assert [trial.value for trial in study.trials] == [trial["score"] for trial in ended]
    for trial in ended:
        told = EventAccumulator(str(out / "tensorboard" / "search" / trial["trial_id"]), {"scalars": 0})
        told.Reload()
        steps = [event.step for event in told.Scalars("train/loss")]
        assert steps == [p.iteration for p in curves[trial["trial_id"]].points]
        assert steps == list(range(1, trial["hyperparameters"]["iterations"] + 1))
    assert "Training loss" in (out / "report.html").read_text()


@pytest.mark.timeout(1500)
def test_whatever_ends_it_it_goes_on_and_repeats_no_trial(
    home: Path, shapes: Path, parse: Path, tmp_path: Path
) -> None:
    """SIGTERM before training, Ctrl-C and `kill -9` in it; and a run with another seed is another run.

    Its trackers follow through all of it.
    """
    out = tmp_path / "run"
    events, hint = out / "events.jsonl", f"Go on with: autommlab run --resume {out}"
    asked = ["run", "which material", "--parse", parse, "--data", shapes, *SMALL, "--searcher", "tpe+default"]
    asked += ["--track", "tensorboard", "--optuna-storage", tmp_path / "study.log"]
    ended = signalled(home, events, "model:stage-started", signal.SIGTERM, *asked, "--out", out)
    require_policy(ended, signal.SIGTERM, hint)

    other = autommlab_here("run", "--resume", out, "--seed", 9, "--trials", 9, home=home)
    assert other.code == 8
    assert "seed: stored 0, now 9" in other.err
    assert "trials" not in other.err, "more trials are no other run"

    ended = signalled(home, events, "training:trial", signal.SIGINT, "run", "--resume", out)
    require_policy(ended, signal.SIGINT, hint)
    assert not (out / "study.json").exists(), "an interrupted study is not a finished one"
    interrupted = trials(out)
    assert interrupted

    kill_when(home, out, "training:trial", "run", "--resume", out)
    killed = trials(out)
    assert killed[: len(interrupted)] == interrupted
    assert len(killed) > len(interrupted)
    require_finished(autommlab(home, "run", "--resume", out), out, killed)
    require_tracked(out, tmp_path / "study.log")

    image = next((shapes / "test" / "leaf").iterdir())
    predicted = autommlab_here("predict", out / "bundle", image, "--json", "--out", tmp_path / "drawn")
    assert json.loads(predicted.out)["label"] in {"brick", "leaf", "sky"}, predicted.err


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_killed_in_every_stage_it_repeats_no_trial(home: Path, shapes: Path, parse: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    line: list[object] = ["run", "which material", "--parse", parse, "--data", shapes, *SMALL]
    line += ["--searcher", "tpe+default", "--out", out]
    before: list[str] = []
    for stage in ("understanding", "data", "model", "training", "deployment"):
        kill_when(home, out, "training:trial" if stage == "training" else f"{stage}:stage-started", *line)
        line = ["run", "--resume", out]
        if stage == "training":
            before = trials(out)
            assert before
    require_finished(autommlab(home, "run", "--resume", out), out, before)


def test_dry_run_shows_the_plan_and_trains_nothing(home: Path, shapes: Path, parse: Path, tmp_path: Path) -> None:
    asked = ("run", "x", "--parse", parse, "--data", shapes, "--dry-run")
    done = autommlab_here(*asked, "--out", tmp_path / "none", home=home)
    assert done.code == 0, done.err
    assert "Would train EfficientNet-Lite0" in done.out
    assert "One picture costs" in done.err, "the plan and its reasons"
    assert not (tmp_path / "none").exists()


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
def test_bad_input_is_explained(tmp_path: Path, arguments: list, code: int, message: str) -> None:
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
    done = autommlab_here(*arguments)
    assert done.code == code, done.err
    assert message in done.err


def test_an_output_folder_that_cannot_be_written_is_named(home: Path, parse: Path, shapes: Path) -> None:
    asked = ("run", "x", "--parse", parse, "--data", shapes)
    done = autommlab_here(*asked, "--out", "/proc/autommlab-run", home=home)
    assert done.code == 7
    assert "/proc/autommlab-run" in done.err
    assert "Traceback" not in done.err


def test_help_is_quick_to_import_and_loads_nothing_heavy(home: Path) -> None:
    code = (
        "import sys, autommlab.cli; "
        "heavy = {'torch', 'ray', 'numpy', 'mmengine', 'vllm', 'optuna', 'matplotlib'} & set(sys.modules); "
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
