"""The runs below a folder, and one run as its page shows it; nothing of a run is changed or locked."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from autommlab.common import jsonl
from autommlab.common.errors import AutoMMLabError
from autommlab.compare.records import OPTIONS_FILE
from autommlab.data.records import Bag
from autommlab.deployment.records import Deployment
from autommlab.models.records import ModelChoice
from autommlab.planning.records import Plan
from autommlab.progress.events import Event, read_event
from autommlab.progress.state import STAGES
from autommlab.report.content import ReportContent
from autommlab.status.records import RunStatus
from autommlab.status.runs import FINISHED, run_status
from autommlab.storage.run_folder import RunFolder
from autommlab.studio.background import Work
from autommlab.studio.starting import is_stopping, sent_to, work_of
from autommlab.training.ledger import read_ledger
from autommlab.training.loss_curve import TrialCurve, read_curves
from autommlab.training.records import StudyResult
from autommlab.understanding.request import ModelRequest

State = Literal["starting", "running", "stopping", "on a cluster", "finished", "stopped", "damaged"]
#: How far below the folder a run may lie.
_DEEPEST = 3
_TRIALS, _FINALS = "study/trials.jsonl", "final/trials.jsonl"
#: Of a run, relative to its folder.
BUNDLE_FILE, REPORT_FILE = "bundle/bundle.json", "report.html"
#: matplotlib's settings are of the whole process, and pages are made on several threads.
DRAWING = threading.Lock()
_MOST_DRAWN = 32

#: Size and time of each file that a run writes to.
Marks = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ListedRun:
    """One line of the list of runs.

    Attributes:
        name: its folder, relative to the one that is listed; what addresses it.
        status: None where it cannot be read.
        problem: why it cannot be read.
        at: seconds since the epoch when it last wrote something.
    """

    name: str
    state: State
    status: RunStatus | None
    problem: str = ""
    at: float | None = None


@dataclass(frozen=True)
class StageLine:
    """How far one stage has come: "done", "at work", "stopped" or "" where it has not begun; its last words."""

    name: str
    state: str
    words: str
    seconds: float | None = None


@dataclass(frozen=True)
class ShownRun:
    """One run.

    Attributes:
        content: what its folder holds, without pictures.
        stages: the seven, in order.
        warnings: what the run has warned of, the newest last.
        work: the program that the studio started for it, if it did.
    """

    listed: ListedRun
    folder: RunFolder
    content: ReportContent
    stages: tuple[StageLine, ...]
    warnings: tuple[str, ...]
    work: Work

    @property
    def has_bundle(self) -> bool:
        """Whether there is a model to try and to take away."""
        return part_of(self.folder.path, BUNDLE_FILE) is not None

    @property
    def has_report(self) -> bool:
        """Whether the run has written its report."""
        return part_of(self.folder.path, REPORT_FILE) is not None


def listed_runs(root: Path) -> list[ListedRun]:
    """All runs below a folder, the one that wrote last first."""
    runs = [listed_run(root, folder) for folder in folders_of(root) if not is_comparison(folder)]
    return sorted(runs, key=lambda run: -(run.at or 0.0))


def folders_of(root: Path, depth: int = _DEEPEST) -> Iterator[Path]:
    """Folders of runs and comparisons; links and hidden folders are not followed, nor is looked into a run."""
    with contextlib.suppress(OSError):
        for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
            if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
                continue
            folder = Path(entry.path)
            if RunFolder(folder).exists:
                yield folder
            elif depth > 1:
                yield from folders_of(folder, depth - 1)


def is_comparison(folder: Path) -> bool:
    """Whether the folder is one of `autommlab compare`."""
    return (folder / OPTIONS_FILE).is_file()


def folder_named(root: Path, name: str) -> Path | None:
    """The folder of a run below `root`, None where the name leads out of it or to no run."""
    with contextlib.suppress(OSError, ValueError):
        folder = (root / name).resolve()
        if folder.is_relative_to(root.resolve()) and folder != root.resolve() and RunFolder(folder).exists:
            return folder
    return None


def part_of(run: Path, name: str) -> Path | None:
    """A file or folder of a run; None where it is not there, or a link leads out of the run."""
    path = run / name
    return path if path.exists() and path.resolve().is_relative_to(run.resolve()) else None


def listed_run(root: Path, path: Path) -> ListedRun:
    """One run in the list."""
    name = path.resolve().relative_to(root.resolve()).as_posix()
    folder = RunFolder(path)
    at = _written_at(folder)
    try:
        status = _status(path, _marks(path))
    except (AutoMMLabError, OSError, ValueError) as error:
        return ListedRun(name, "damaged", None, str(error), at)
    if folder.is_held:
        status = run_status(path)  # its time left runs down
        return ListedRun(name, "stopping" if is_stopping(path) else "running", status, at=at)
    state: State = "finished" if status.stage == FINISHED else "stopped"
    if state == "stopped" and sent_to(path) is not None and not is_stopping(path):
        return ListedRun(name, "on a cluster", run_status(path, elsewhere=True), at=at)
    if state == "stopped" and work_of(path).is_running:  # it has let go of its folder, or not taken it yet
        state = "stopping" if is_stopping(path) else "starting"
    return ListedRun(name, state, status, at=at)


@lru_cache(maxsize=1024)
def _status(path: Path, _marks_of_files: Marks) -> RunStatus:
    """Of a run that has written nothing since."""
    return run_status(path)


def _marks(path: Path) -> Marks:
    """What changes when a run writes something."""
    marks = []
    for name in ("options.json", "plan.json", "events.jsonl", _TRIALS, _FINALS):
        with contextlib.suppress(OSError):
            now = (path / name).stat()
            marks.append((now.st_mtime_ns, now.st_size))
    return tuple(marks)


def _written_at(folder: RunFolder) -> float | None:
    for file in (folder.events, folder.path / "options.json"):
        with contextlib.suppress(OSError):
            return file.stat().st_mtime
    return None


def shown_run(root: Path, path: Path) -> ShownRun:
    """One run with all that its page shows.

    Raises:
        AutoMMLabError: a record of it is damaged.
    """
    folder = RunFolder(path)
    listed = listed_run(root, path)
    events = jsonl.read_records(folder.events, read_event).records
    return ShownRun(
        listed=listed,
        folder=folder,
        content=_content(folder, listed),
        stages=_stages(events, folder.stage_seconds(), at_work=listed.state in ("running", "stopping", "on a cluster")),
        warnings=tuple(dict.fromkeys(event.message for event in events if event.kind == "warning")),
        work=work_of(path),
    )


def _content(folder: RunFolder, listed: ListedRun) -> ReportContent:
    options = folder.options()
    return ReportContent(
        text=options.text,
        request=folder.read("request", ModelRequest),
        bag=folder.read("bag", Bag),
        choice=folder.read("model", ModelChoice),
        plan=folder.read("plan", Plan),
        study=folder.read("study", StudyResult),
        trials=tuple(read_ledger(folder.path / _TRIALS).records),
        finals=tuple(read_ledger(folder.path / _FINALS).records),
        losses={name: curve.points for name, curve in _curves(folder).items()},
        planned_trials=listed.status.trials_total if listed.status else None,
        deployment=folder.read("deployment", Deployment),
        stage_seconds=folder.stage_seconds(),
        run_folder=folder.path,
    )


def _curves(folder: RunFolder) -> dict[str, TrialCurve]:
    try:
        return read_curves(folder.study)
    except (OSError, ValueError):  # damaged: an ornament
        return {}


def _stages(events: list[Event], seconds: dict[str, float], *, at_work: bool) -> tuple[StageLine, ...]:
    told: dict[str, tuple[str, str]] = {}
    for event in events:
        if event.kind in ("stage-finished", "stage-skipped"):
            kept = told.get(event.stage, ("", ""))
            told[event.stage] = ("done", event.message if event.kind == "stage-finished" else kept[1] or event.message)
        elif event.kind in ("stage-started", "progress") and event.stage in STAGES:
            told[event.stage] = ("at work" if at_work else "stopped", event.message)
    return tuple(StageLine(name, *told.get(name, ("", "")), seconds=seconds.get(name)) for name in STAGES)


@dataclass(frozen=True)
class Drawn:
    """Figures of a study as SVG text that matplotlib wrote; "" where there is nothing to draw yet."""

    best: str = ""
    curves: str = ""
    losses: str = ""


_DRAWN: dict[Path, tuple[Marks, Drawn]] = {}


def drawn(run: ShownRun) -> Drawn:
    """The best so far, learning curves and losses; drawn once for each state of the run."""
    content, marks = run.content, _marks(run.folder.path)
    if not content.all_trials:
        return Drawn()
    from autommlab.report import plots

    with DRAWING:
        known = _DRAWN.get(run.folder.path)
        if known is not None and known[0] == marks:
            return known[1]
        trials, best, metric = content.all_trials, content.best_trial, content.score_name
        made = Drawn(
            plots.best_so_far_plot(trials, best, metric),
            plots.learning_curves(trials, best, metric),
            plots.loss_curves(trials, best, content.losses),
        )
        if len(_DRAWN) >= _MOST_DRAWN:
            _DRAWN.clear()
        _DRAWN[run.folder.path] = marks, made
        return made
