"""The report of a run folder: what is gathered from a run that ended well, badly or half-way."""

from pathlib import Path

import pytest

from autommlab.common.errors import StorageError
from autommlab.options import RunOptions
from autommlab.report.analysis_rows import COUNTED
from autommlab.report.run_report import gather, run_command, write_run_report
from autommlab.storage.run_folder import RunFolder
from autommlab.tasks import Task
from autommlab.training.ledger import Ledger
from autommlab.training.loss_curve import CURVES_FILE, MOST_POINTS, CurvePiece, LossCurve, append_piece
from tests.helpers.record_table import finished_run
from tests.helpers.report_records import bag, choice, failed_trials, request, study, trials

OPTIONS = RunOptions(text="detect 'trains' & buses", trials=8, time_min=5, searcher="random")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.open(OPTIONS)
    run.write("request", request())
    run.write("model", choice())
    run.add_seconds("training", 12.5)
    run.study.mkdir()
    return run


def test_finished_stages_and_trials_so_far_are_gathered(folder: RunFolder) -> None:
    ledger = Ledger(folder.study / "trials.jsonl")
    for record in trials()[:3]:
        ledger.append(record)
    content = gather(OPTIONS, folder, "the study stopped\nwith details")
    assert content.request == request()
    assert content.choice == choice()
    assert [trial.number for trial in content.all_trials] == [1, 2, 3]
    assert (content.bag, content.study, content.deployment) == (None, None, None)
    assert content.problem == "the study stopped"
    assert content.planned_trials == 8
    assert content.stage_seconds == {"training": 12.5}
    assert content.versions["torch"]
    assert content.settings["Searcher"] == "random"


def test_training_losses_are_drawn_where_they_are_known(folder: RunFolder) -> None:
    known, unknown = trials()[:2]
    ledger = Ledger(folder.study / "trials.jsonl")
    for record in (known, unknown):
        ledger.append(record)
    curve = LossCurve(500)
    for iteration in range(1, 501):
        curve.add(iteration, 100 / iteration, 0.01)
    append_piece(folder.study / CURVES_FILE, CurvePiece(trial_id=known.trial_id, losses=curve.take()))
    content = gather(OPTIONS, folder)
    assert len(content.losses[known.trial_id]) <= MOST_POINTS
    write_run_report(OPTIONS, folder)
    html = folder.report.read_text(encoding="utf-8")
    assert "Training loss, a mean over some steps a point." in html
    assert f"trial {known.number}: loss 0.2 at the end" in html
    assert f"trial {unknown.number}: loss" not in html
    assert "mathdefault" not in html, "figures of the logarithmic axis are plain text"


def test_missing_pictures_leave_a_note(folder: RunFolder) -> None:
    folder.write("bag", bag(folder.path / "gone"))
    folder.write("study", study(folder.path))
    content = gather(OPTIONS, folder)
    assert content.sample_images == ()
    assert len(content.notes) == 1
    assert content.notes[0].startswith("The training images could not be drawn: ")
    write_run_report(OPTIONS, folder)
    assert "The training images could not be drawn" in folder.report.read_text(encoding="utf-8")


@pytest.mark.parametrize("task", list(Task))
def test_what_the_model_gets_wrong_is_shown(tmp_path: Path, task: Task) -> None:
    run = finished_run(tmp_path / "run", task)
    write_run_report(run.options(), run)
    html = run.report.read_text(encoding="utf-8")
    assert "on 8 of 9 test pictures: mAP 0.500. 1 pictures could not be read." in " ".join(html.split())
    parts = ("By class, the weakest first", "Errors by keypoint", "By size of the objects", "What is taken for what")
    assert [part for part in parts if part not in html] == ([] if task in COUNTED else [parts[0]])
    assert "<td>train &lt;script&gt;alert(1)&lt;/script&gt;</td>" in html or task is Task.KEYPOINT
    assert "<script>" not in html
    assert "pictures &amp; notes" in html
    if task is Task.KEYPOINT:  # the bundle of the helper has other points than its data
        assert "The worst images could not be drawn" in html
    else:
        assert "train &lt;script&gt;alert(1)&lt;/script&gt; 90%, annotated as bus (4%)" in html
        assert html.count(f'title="{run.bag / "images" / "test0.png"}"') >= 2  # among the surest and among the worst
    assert html.index('id="test"') < html.index("By size of the objects") < html.index('id="deployment"')


def test_a_damaged_analysis_is_no_reason_for_no_report(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    (run.path / "analysis.json").write_text("{")
    write_run_report(run.options(), run)
    assert "By class" not in run.report.read_text(encoding="utf-8")


def test_report_of_a_failed_run_names_the_error(folder: RunFolder) -> None:
    ledger = Ledger(folder.study / "trials.jsonl")
    for record in failed_trials():
        ledger.append(record)
    write_run_report(OPTIONS, folder, "all 3 trials failed:\ntrial 1 ...")
    html = folder.report.read_text(encoding="utf-8")
    assert "All 3 trials failed (diverged)" in html
    assert "<li>all 3 trials failed:</li>" in html


def test_report_that_cannot_be_written(folder: RunFolder) -> None:
    folder.report = folder.path / "options.json" / "report.html"
    with pytest.raises(StorageError, match="cannot write"):
        write_run_report(OPTIONS, folder)


def test_interrupted_run_says_so(folder: RunFolder) -> None:
    assert gather(OPTIONS, folder, "KeyboardInterrupt").problem == "The run was interrupted."


def test_command_line_names_what_differs_from_the_defaults() -> None:
    assert run_command(OPTIONS) == (
        """autommlab run 'detect '"'"'trains'"'"' & buses' --searcher random --trials 8 --time 5.0"""
    )
    assert run_command(RunOptions(parse=Path("/x/p.json"))) == "autommlab run --parse /x/p.json"
