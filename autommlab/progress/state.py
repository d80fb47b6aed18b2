"""What the progress displays know of a run: the stage at work, its trials, the time left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from autommlab.common.trial_status import is_scored
from autommlab.common.wording import duration, hyperparameters_line

if TYPE_CHECKING:
    from autommlab.progress.events import Event

#: The numbered stages, in order; the report is written after them and has no number.
STAGES = ("understanding", "data", "model", "plan", "training", "folds", "final", "deployment")


def remaining_s(done: int, total: int, elapsed_s: float, limit_s: float | None = None) -> float | None:
    """Seconds left when `done` of `total` equal pieces of work took `elapsed_s`; the one place of this sum.

    Args:
        done: pieces finished, also by parallel workers.
        total: pieces in all.
        elapsed_s: wall-clock seconds since the first piece began.
        limit_s: wall-clock limit of the whole (`--time`), None if there is none.

    Returns:
        None while nothing is known: no piece is finished and there is no limit.
    """
    estimate = None if done <= 0 else max(0.0, elapsed_s / done * (total - done))
    if limit_s is None:
        return estimate
    left = max(0.0, limit_s - elapsed_s)
    return left if estimate is None else min(estimate, left)


@dataclass(slots=True)
class Watched:
    """What the display remembers of the run so far."""

    stage: str = ""
    stage_began: float = 0.0
    run_began: float | None = None
    doing: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    metric: str = ""
    best: float | None = None
    eta_s: float | None = None
    eta_at: float = 0.0
    limit_s: float | None = None
    before: int = 0
    scores: list[float | None] = field(default_factory=list)
    last_trial: str = ""

    def start(self, event: Event) -> None:
        """A stage begins: forget the one before."""
        fresh = Watched(stage=event.stage, stage_began=event.time, doing=event.message)
        fresh.run_began = event.time if event.stage == STAGES[0] else self.run_began  # the run before may have failed
        fresh.limit_s = event.data.get("limit_s")
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))

    def advance(self, event: Event) -> None:
        """Some work of the stage is done."""
        data, done_before = event.data, self.done
        if event.kind == "trial":
            self._add_trial(data)
        else:
            self.done = int(data.get("done") or self.done)
            self.unit = data.get("unit") or self.unit
            self.doing = event.message or self.doing
        self.total = int(data.get("total") or self.total)
        self.best = data["best"] if data.get("best") is not None else self.best
        self.metric = data.get("metric") or self.metric
        told = data.get("eta_s")
        if told is None and self.done == done_before and self.eta_s is not None:
            return  # nothing finished since the last estimate: it runs down with the clock
        elapsed = event.time - self.stage_began
        done, total = self.done - self.before, self.total - self.before
        self.eta_s = told if told is not None else remaining_s(done, total, elapsed, self.limit_s)
        self.eta_at = event.time

    def _add_trial(self, data: Mapping[str, Any]) -> None:
        number = int(data.get("number") or self.done + 1)
        if not self.scores:
            self.before = number - 1  # a resumed study: those trials took none of this run's time
        self.unit, self.done = "trial", max(self.done, number)
        self.scores.append(data.get("score") if is_scored(data.get("status", "ok")) else None)
        self.last_trial = trial_line(data)

    def seconds(self, event: Event) -> float:
        """How long the stage (for the event `done`: the run) took."""
        told = event.data.get("seconds")
        if told is not None:
            return float(told)
        began = self.stage_began if event.kind != "done" else (self.run_began or event.time)
        return max(0.0, event.time - began)


def stage_label(stage: str) -> str:
    """A numbered stage as "[5/8] training", any other by its bare name."""
    return f"[{STAGES.index(stage) + 1}/{len(STAGES)}] {stage}" if stage in STAGES else stage


def trial_line(data: Mapping[str, Any]) -> str:
    """One finished trial in one plain line, from the data of a `trial` event."""
    of = f" of {data['total']}" if data.get("total") else ""
    status = data.get("status", "ok")
    score, metric = data.get("score"), data.get("metric", "")
    if is_scored(status) and score is not None:
        result = f"{metric} {score:.3f}".strip()
        if data.get("best") is not None and score >= data["best"]:
            result += " (best so far)"
        elif data.get("best") is not None:
            result += f" (best {data['best']:.3f})"
        result += ", stopped early" if status == "stopped" else ""
    else:
        result = f"{status}: {data['reason']}" if data.get("reason") else str(status)
    parts = [f"trial {data.get('number', '?')}{of}", result]
    parts.append(hyperparameters_line(data.get("hyperparameters") or {}))
    parts.append(f"by {data['proposed_by']}" if data.get("proposed_by") else "")
    parts.append(duration(data["seconds"]) if data.get("seconds") is not None else "")
    parts.append(f"{duration(data['eta_s'])} left" if data.get("eta_s") else "")
    return "  ".join(part for part in parts if part)


def products(event: Event) -> list[str]:
    """Where the event `done` says that bundle and report lie, a line each."""
    return [f"{name}: {event.data[name]}" for name in ("bundle", "report") if event.data.get(name)]
