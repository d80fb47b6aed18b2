"""The example of the documentation trains, inside a running event loop as in a notebook; runs end and go on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import autommlab
from tests.helpers.program import EXAMPLES, command

pytestmark = pytest.mark.slow

SCRIPT = EXAMPLES / "train_and_predict.py"
#: What IPython does with a cell: it runs while an event loop does.
IN_A_LOOP = """
import asyncio, runpy, sys

async def cell():
    runpy.run_path(sys.argv[0], run_name="__main__")

sys.argv = sys.argv[1:]
asyncio.run(cell())
"""


def python(home: Path, folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """A program of a user, in a folder of theirs."""
    _, environment = command(home)
    environment["PYTHONPATH"] = str(Path(autommlab.__file__).parents[1])
    line = [sys.executable, *map(str, words)]
    return subprocess.run(line, env=environment, cwd=folder, capture_output=True, text=True, timeout=500)


@pytest.mark.timeout(600)
def test_the_example_runs_in_a_notebooks_loop_and_prints_only_its_own(home: Path, shapes: Path, tmp_path: Path) -> None:
    photo = next((shapes / "test" / "leaf").iterdir())
    done = python(home, tmp_path, "-c", IN_A_LOOP, SCRIPT, shapes, photo)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "nothing is printed that was not asked for"
    lines = done.stdout.splitlines()
    assert "<Run runs/materials: finished, 2 trials> {'accuracy':" in lines[0]
    assert lines[1] == "trained: EfficientNet-Lite0 on brick, leaf, sky"
    assert lines[2].split() == ["number", "status", "score", "params_lr", "proposed_by"]
    assert len(lines) == 8, done.stdout
    assert lines[-1].split()[0] in {"brick", "leaf", "sky"}
    assert (tmp_path / "predicted.png").exists()
    run = autommlab.open_run(tmp_path / "runs" / "materials")
    assert run.report.exists()
    assert run.options.searcher == "surrogate-grid"
    assert run.study.result_grid().get_best_result().config == run.study.result.best.hyperparameters.model_dump()
    best = max(run.study.searched, key=lambda trial: trial.score)
    assert (run.folder / "study" / "best" / "checkpoint.pth").exists()
    assert best.metrics == run.study.result.best.metrics
    stored = json.loads((run.folder / "options.json").read_text())
    assert (stored["iterations"], stored["batch_size"]) == ("20..30", "4..8")


INTERRUPTED = """
import os, signal, sys, autommlab

def interrupt(event):
    if event.kind == "trial":
        os.kill(os.getpid(), signal.SIGINT)

parse, data = sys.argv[1:]
words = dict(parse=parse, data=data, trials=3, concurrent=1, iterations=(20, 30), batch=(4, 8))
try:
    autommlab.run("which material", progress=interrupt, searcher="random", out="run", **words)
except KeyboardInterrupt:
    print("interrupted")
run = autommlab.open_run("run")
print(run.finished, len(run.study.searched))
run = autommlab.resume(run, trials=2, progress=True)
print(run.finished, len(run.study.searched))
"""


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_interrupted_run_goes_on_in_the_same_process(home: Path, shapes: Path, parse: Path, tmp_path: Path) -> None:
    done = python(home, tmp_path, "-c", INTERRUPTED, parse, shapes)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["interrupted", "False 1", "True 2"]
    assert "[5/8] training: trial 2 of 2" in done.stderr, "plain lines where nobody sits at a terminal"
