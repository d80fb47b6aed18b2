"""Run folders as runs leave them, without a training: for whatever reads them."""

from __future__ import annotations

import time
from pathlib import Path

from autommlab.options import RunOptions
from autommlab.progress.events import Event, EventLog
from autommlab.report.content import ReportContent
from autommlab.report.render import write_report
from autommlab.storage.run_folder import RunFolder
from autommlab.training.ledger import Ledger
from autommlab.training.loss_curve import CURVES_FILE, CurvePiece, LossPoint, append_piece
from tests.helpers import report_records as records
from tests.helpers.tiny_bundles import make_bundle

#: Of each stage, what it says at its end.
_WORDS = {
    "understanding": "detection: train, bus", "data": "400 training pictures", "model": "FCOS on EfficientNet-Lite0",
    "plan": "8 trials", "training": "mAP 0.561", "final": "trial 5", "deployment": "openvino",
}  # fmt: skip


def make_run(folder: Path, text: str = records.SENTENCE, *, finished: bool = True, bundle: str = "detection") -> Path:
    """A run of eight trials, two of which failed.

    Args:
        folder: to make.
        text: the request.
        finished: False: it was interrupted in its search, after four trials.
        bundle: kind of the bundle, see `tiny_bundles.KINDS`.
    """
    run = RunFolder(folder)
    run.open(RunOptions(text=text, trials=8, searcher="surrogate-grid"))
    run.write("request", records.request())
    run.write("bag", records.bag(run.bag))
    run.write("model", records.choice())
    run.study.mkdir()
    ledger, log = Ledger(run.study / "trials.jsonl"), EventLog(run.events)
    for stage in ("understanding", "data", "model", "plan"):
        log(Event("stage-started", stage, "at it"))
        log(Event("stage-finished", stage, _WORDS[stage]))
        run.add_seconds(stage, 2.0)
    log(Event("warning", "data", "These are drawings <b>no photos</b>."))
    log(Event("stage-started", "training", "starting workers"))
    for trial in records.trials()[: None if finished else 4]:
        ledger.append(trial)
        losses = tuple(LossPoint(step, 2.0 / step, 0.01) for step in (1, 5, 10))
        append_piece(run.study / CURVES_FILE, CurvePiece(trial_id=trial.trial_id, losses=losses))
        told = {"number": trial.number, "total": 8, "metric": "mAP", "score": trial.score, "status": trial.status}
        log(Event("trial", "training", f"trial {trial.number}", told, time.time()))
    if finished:
        _finish(run, log, text, bundle)
    run.close()
    return run.path


def _finish(run: RunFolder, log: EventLog, text: str, bundle: str) -> None:
    make_bundle(run.bundle, bundle)
    study, deployment = records.study(run.path), records.deployment(run.path)
    run.write("study", study)
    run.write("deployment", deployment)
    for stage in ("training", "final", "deployment"):
        log(Event("stage-finished", stage, _WORDS[stage]))
        run.add_seconds(stage, 30.0)
    content = ReportContent(
        text=text, request=records.request(), bag=records.bag(run.bag), choice=records.choice(), study=study,
        trials=study.trials, deployment=deployment,
    )  # fmt: skip
    write_report(content, run.report)
    log(Event("done", "", "bundle: bundle", {"bundle": str(run.bundle), "report": str(run.report), "seconds": 98.0}))
