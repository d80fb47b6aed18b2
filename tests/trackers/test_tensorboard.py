"""TensorBoard's files, read back by TensorBoard."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from autommlab.trackers.base import News, RunFacts
from autommlab.trackers.study_tail import StudyTail
from autommlab.trackers.targets import Target
from autommlab.trackers.tensorboard_files import TensorBoard
from tests.helpers.tracked_run import LOSSES, Interrupted, RunWriter


def read(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
    found.Reload()
    return found


def curve(found: EventAccumulator, tag: str) -> dict[int, float]:
    events = found.Scalars(tag)
    assert len({event.step for event in events}) == len(events), "no step twice"
    return {event.step: event.value for event in events}


def test_curves_hyperparameters_and_result_are_there_after_a_resume(run: RunWriter) -> None:
    target = Target("tensorboard")
    with run.followed(target):
        run.begin("a_0")
        run.report("a_0", range(1, 5))
        raise Interrupted
    with run.followed(target):
        run.report("a_0", range(4, 9))
        run.end("a_0")
        run.trial("a_1", "diverged")
    assert run.warnings == []
    trial = read(run.folder / "tensorboard" / "search" / "a_0")
    assert curve(trial, "train/loss") == pytest.approx(LOSSES)
    assert curve(trial, "train/lr") == pytest.approx({i: 0.01 / i for i in LOSSES})
    assert curve(trial, "val/score") == pytest.approx({4: 0.4, 8: 0.8})
    assert curve(trial, "val/accuracy") == pytest.approx({8: 0.8})
    told = str(trial.Tensors("trial/text_summary")[0].tensor_proto.string_val[0], "utf-8")
    assert "| proposed\\_by | tpe:start-up |" in told
    content = trial.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    started = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert started.hparams["lr"].number_value == pytest.approx(0.001)
    assert started.hparams["proposed_by"].string_value == "tpe:start-up"

    failed = read(run.folder / "tensorboard" / "search" / "a_1")
    assert "diverged" in str(failed.Tensors("trial/text_summary")[0].tensor_proto.string_val[0])
    result = read(run.folder / "tensorboard" / "result")
    assert curve(result, "test/accuracy") == pytest.approx({0: 0.75})


def test_what_counts_as_told_is_in_the_files_at_once(run: RunWriter) -> None:
    """A program that is killed has no time to write what a queue still holds."""
    run.trial("a_0")
    tail = StudyTail(run.folder / "study")
    tail.read()
    (trial,) = tail.trials.values()
    tracker = TensorBoard("")
    tracker.open(RunFacts("bricks", run.folder, {}), "")
    name = tracker.begin(trial, "")
    tracker.log(name, trial, News(trial.curve.points, ()))
    assert curve(read(run.folder / "tensorboard" / name), "train/loss") == pytest.approx(LOSSES)


def test_several_runs_may_share_a_folder(run: RunWriter, tmp_path: Path) -> None:
    with run.followed(Target("tensorboard", str(tmp_path / "all"))):
        run.trial("a_0")
    assert curve(read(tmp_path / "all" / "bricks" / "search" / "a_0"), "train/loss") == pytest.approx(LOSSES)
