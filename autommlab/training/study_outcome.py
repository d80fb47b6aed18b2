"""What comes of a study: the winner, its one look at TEST, or why there is none."""

from __future__ import annotations

import time
from pathlib import Path

from autommlab.common.errors import NoResultError, ResumeError
from autommlab.common.files import write_text
from autommlab.common.trial_status import is_scored
from autommlab.training.ledger import TEST_FILE, Ledger, best_record, lead_of, read_test
from autommlab.training.objective import Objective
from autommlab.training.records import StudyResult, TestResult, TrialRecord
from autommlab.training.study_at_work import StudyAtWork
from autommlab.training.usage import llm_usage

#: Rounding of a score that is worked out again.
_SAME_SCORE = 1e-6


def outcome_of(study: StudyAtWork, started: float) -> StudyResult:
    """What came of it, after the winner's look at TEST.

    Raises:
        NoResultError: no trial succeeded.
    """
    setup, records = study.setup, study.ledger.records
    best = best_record(records)
    if best is None:
        raise NoResultError(_all_failed(records))
    tested = _test_once(study) if study.options.test else TestResult(figures={})
    study.state.delete()  # the study is over; its state is large
    return StudyResult(
        task=setup.bag.task,
        objective=setup.objective.name,
        score_name=setup.objective.score_name,
        searched=setup.objective.in_words,
        trials=tuple(records),
        best=best,
        checkpoint=study.best / "checkpoint.pth",
        config_file=study.best / "config.py",
        val_metrics=best.metrics,
        test_metrics=tested.figures,
        test_intervals=tested.intervals,
        lead=lead_of(best, records, setup.bag.splits["val"].images),
        seconds=time.monotonic() - started,
        llm=llm_usage(study.folder),
    )


def require_scored_alike(ledger: Ledger, objective: Objective, folder: Path) -> None:
    """Trials of one study are ordered by one score.

    Raises:
        ResumeError: an older version searched for another figure, here.
    """
    real = [record for record in ledger.records if is_scored(record.status) and record.metrics]
    if any(abs(objective.score(record.metrics) - record.score) > _SAME_SCORE for record in real):
        raise ResumeError(
            f"the trials in {folder} were searched for another figure than {objective.name}, by an older version of "
            "this program. Start a new run with --out"
        )


def _test_once(study: StudyAtWork) -> TestResult:
    """TEST figures of the winner; measured at the first call, read from the folder afterwards."""
    best, setup = study.best, study.setup
    stored = best / TEST_FILE
    known = read_test(stored)
    if known is not None:
        return known
    from autommlab.training.final_test import measure_winner

    tested = measure_winner(setup, study.options.need, best / "config.py", best / "checkpoint.pth", study.state.place)
    if tested.skipped:
        study.events.emit("warning", study.options.stage, tested.words_of_skipped())
    write_text(stored, tested.result.model_dump_json(indent=1))
    return tested.result


def _all_failed(records: list[TrialRecord]) -> str:
    if not records:
        return "no trial finished within the time budget; give more with --time"
    reasons = "\n".join(
        f"  trial {r.number} {r.status}: {r.reason.splitlines()[0] if r.reason else ''}" for r in records[:5]
    )
    trace = next((r.reason for r in records if "\n" in r.reason), "")
    return f"all {len(records)} trials failed:\n{reasons}" + (f"\nfirst failure in full:\n{trace}" if trace else "")
