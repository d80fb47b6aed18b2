"""How far a run has come, read from its folder; nothing in it is changed or locked."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autommlab import settings
from autommlab.events import Event
from autommlab.progress_state import REAL_SCORES, Watched
from autommlab.run_folder import RunFolder
from autommlab.status.records import RunStatus
from autommlab.training.ledger import best_record
from autommlab.training.records import TrialRecord

#: Name of the stage of a run that has ended well.
FINISHED = "finished"


def run_status(path: Path, now: float | None = None) -> RunStatus:
    """The state of the run in a folder.

    Args:
        path: run folder.
        now: seconds since the epoch; None = the clock.

    Raises:
        ResumeError: it holds no run.
    """
    folder = RunFolder(path)
    options = folder.options()
    now = time.time() if now is None else now
    events, trials = _events(folder.events), _trials(folder.study / "trials.jsonl")
    watched = _replayed(events)
    last = events[-1] if events else None
    finished = last is not None and last.kind == "done"
    best = best_record(trials)
    return RunStatus(
        folder=folder.path,
        text=options.text,
        stage=FINISHED if finished else watched.stage,
        doing=last.message if last else "",
        trials_done=len(trials),
        trials_total=options.trials or settings.profile(options.profile).trials,
        metric=watched.metric,
        best=best.score if best else None,
        failures=dict(Counter(trial.status for trial in trials if trial.status not in REAL_SCORES)),
        fallbacks=sum(bool(trial.fallback) for trial in trials),
        left_s=None if finished else _left(watched, now),
        silent_s=max(0.0, now - last.time) if last else None,
    )


def _left(watched: Watched, now: float) -> float | None:
    return None if watched.eta_s is None else max(0.0, watched.eta_s - (now - watched.eta_at))


def _replayed(events: list[Event]) -> Watched:
    """What a progress display would know after these events."""
    watched = Watched()
    metric = ""
    for event in events:
        if event.kind in ("stage-started", "stage-skipped"):
            watched.start(event)
        elif event.kind in ("progress", "trial"):
            watched.advance(event)
        metric = watched.metric or metric
    watched.metric = metric
    return watched


def _events(path: Path) -> list[Event]:
    return [Event(**values) for values in _lines(path)]


def _trials(path: Path) -> list[TrialRecord]:
    found = []
    for values in _lines(path):
        try:
            found.append(TrialRecord.model_validate(values))
        except ValidationError:  # of another version; the run itself refuses it
            continue
    return found


def _lines(path: Path) -> list[dict[str, Any]]:
    """Complete lines; a run that writes at this moment, or was cut off, may leave half of one."""
    if not path.exists():
        return []
    read = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            read.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return [values for values in read if isinstance(values, dict)]
