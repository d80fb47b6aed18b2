"""How far a run has come, read from its folder; nothing in it is changed or locked."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from pathlib import Path

from autommlab.common import jsonl
from autommlab.common.errors import ResumeError
from autommlab.common.storage import is_uri, place_errors, place_of, read_whole
from autommlab.common.trial_status import is_scored
from autommlab.options import RunOptions
from autommlab.planning.records import Plan
from autommlab.progress.events import Event, read_event
from autommlab.progress.state import Watched
from autommlab.status.records import RunStatus
from autommlab.storage.run_folder import RunFolder
from autommlab.training.ledger import best_record, read_ledger
from autommlab.training.usage import LLM_FILE, llm_usage, usage_of

#: All that is looked at, so that a run on a storage need not be fetched whole.
_TRIALS_FILE, _FOLDS_FILE, _FINALS_FILE = "study/trials.jsonl", "folds/trials.jsonl", "final/trials.jsonl"
_READ = ("options.json", "plan.json", "events.jsonl", _TRIALS_FILE, _FOLDS_FILE, _FINALS_FILE, f"study/{LLM_FILE}")
#: Name of the stage of a run that has ended well.
FINISHED = "finished"


def status_of(target: str | Path, now: float | None = None) -> RunStatus:
    """The state of a run, in a folder of this machine or as its storage last heard of it.

    Args:
        target: run folder, or the URI that was given as --out.
        now: seconds since the epoch; None = the clock.

    Raises:
        ResumeError: it holds no run.
        StorageError: the storage cannot be read.
    """
    if not is_uri(str(target)):
        return run_status(Path(target), now)
    place = place_of(str(target))
    with tempfile.TemporaryDirectory(prefix="autommlab-status-") as temporary:
        for name in _READ:
            with place_errors(place, "read"):
                content = read_whole(place.files, place.inside(name))
            if content is not None:
                copy = Path(temporary) / name
                copy.parent.mkdir(exist_ok=True)
                copy.write_bytes(content)
        if not RunFolder(Path(temporary)).exists:
            raise ResumeError(f"{target} holds no run (options.json is missing); start one with --out {target}")
        return run_status(Path(temporary), now, elsewhere=True).model_copy(update={"folder": str(target)})


def run_status(path: Path, now: float | None = None, *, elsewhere: bool = False) -> RunStatus:
    """The state of the run in a folder.

    Args:
        path: run folder.
        now: seconds since the epoch; None = the clock.
        elsewhere: it may be at work on another machine.

    Raises:
        ResumeError: it holds no run.
    """
    folder = RunFolder(path)
    options = folder.options()
    now = time.time() if now is None else now
    # Lines that are damaged or half written at this moment are left out; mending them is for the run itself.
    events = jsonl.read_records(folder.events, read_event).records
    trials = read_ledger(folder.path / _TRIALS_FILE).records
    folds, finals = (read_ledger(folder.path / file).records for file in (_FOLDS_FILE, _FINALS_FILE))
    watched = _replayed(events)
    last = events[-1] if events else None
    finished = last is not None and last.kind == "done"
    best = best_record(finals) or best_record(trials)
    return RunStatus(
        folder=str(folder.path),
        text=options.text,
        stage=FINISHED if finished else watched.stage,
        doing=last.message if last else "",
        trials_done=len(trials),
        trials_total=_planned_trials(folder, options),
        metric=watched.metric,
        best=best.score if best else None,
        failures=dict(Counter(trial.status for trial in trials if not is_scored(trial.status))),
        fallbacks=sum(bool(trial.fallback) for trial in trials),
        usage=usage_of(options, [*trials, *folds, *finals], llm_usage(folder.study)),
        left_s=_left(watched, now) if not finished and (elsewhere or folder.is_held) else None,
        silent_s=max(0.0, now - last.time) if last else None,
    )


def _planned_trials(folder: RunFolder, options: RunOptions) -> int:
    """Of the search: the plan's, the budget's where there is none yet or it is being written."""
    with contextlib.suppress(ResumeError):
        plan = folder.read("plan", Plan)
        if plan is not None:
            return plan.search.trials if plan.search else 0
    return options.budget.trials


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
