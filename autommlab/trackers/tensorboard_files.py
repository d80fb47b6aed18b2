"""TensorBoard's files, written with the package that Ray Tune's own TensorBoard callback uses."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from autommlab.common.escaping import markdown
from autommlab.trackers.base import LOSS, RATE, SCORE, News, Outcome, RunFacts, TrackedTrial, Tracker

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

#: In the run's folder, where no other is named.
FOLDER = "tensorboard"
_NOT_IN_A_NAME = re.compile(r"[^\w-]")


class TensorBoard(Tracker):
    """A folder a trial, with its curves, facts and hyperparameters; one for the outcome.

    Each call writes a file of its own and closes it: until then the writer keeps events in a queue that no flush
    empties, and a killed program would lose what counts as told.

    Args:
        where: folder that gets one of the run's name; "" = the run's own.
    """

    def __init__(self, where: str) -> None:
        self._where = where

    def open(self, run: RunFacts, known: str) -> str:
        """See `Tracker.open`."""
        root = Path(self._where) / run.name if self._where else run.folder / FOLDER
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        if not known:
            with self._writer("run") as writer:
                writer.add_text("run", _table(run.parameters))
        return root.name

    def begin(self, trial: TrackedTrial, known: str) -> str:
        """See `Tracker.begin`."""
        # Not what is known: a folder that a damaged or foreign file names could lie anywhere.
        return f"{trial.stage}/{_NOT_IN_A_NAME.sub('_', trial.trial_id)}"

    def log(self, name: str, trial: TrackedTrial, news: News) -> None:
        """See `Tracker.log`."""
        with self._writer(name) as writer:
            for point in news.losses:
                writer.add_scalar(LOSS, point.loss, point.iteration)
                writer.add_scalar(RATE, point.lr, point.iteration)
            for iteration, score in news.scores:
                writer.add_scalar(SCORE, score, iteration)

    def end(self, name: str, trial: TrackedTrial) -> None:
        """See `Tracker.end`."""
        from tensorboardX.summary import hparams

        with self._writer(name) as writer:
            last = max(trial.curve.scores, default=0)
            figures = trial.figures()
            for figure, value in figures.items():
                if figure != SCORE:  # its curve has the last one
                    writer.add_scalar(figure, value, last)
            writer.add_text("trial", _table({**trial.facts(), **trial.hyperparameters}))
            proposed_by = trial.facts().get("proposed_by", "")
            for summary in hparams({**trial.hyperparameters, "proposed_by": proposed_by}, figures):
                writer.file_writer.add_summary(summary)

    def finish(self, outcome: Outcome) -> None:
        """See `Tracker.finish`; TensorBoard keeps no files, so it gets the bundle's place."""
        with self._writer("result") as writer:
            for figure, value in outcome.figures.items():
                writer.add_scalar(figure, value, 0)
            writer.add_text("result", _table({**outcome.facts, "bundle": str(outcome.bundle)}))

    def close(self, *, failed: bool) -> None:
        """Nothing: no file is open."""

    def _writer(self, name: str) -> SummaryWriter:
        from tensorboardX import SummaryWriter

        # Its own names of files hold whole seconds; a run that goes on at once would write over what is there.
        return SummaryWriter(str(self._root / name), filename_suffix=f".{time.time_ns()}")


def _table(facts: Mapping[str, object]) -> str:
    """As TensorBoard shows text: Markdown."""
    rows = (f"| {markdown(name)} | {markdown(str(value))} |" for name, value in facts.items())
    return "\n".join(["| | |", "|---|---|", *rows])
