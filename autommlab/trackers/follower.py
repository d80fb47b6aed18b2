"""Keeps a tracker up to date with a run folder, in a thread of its own.

Ray Tune's own callbacks for MLflow and W&B call the service inside the controller's loop, begin a new run for each
trial of a resumed study, and know one point a report. So a tracker follows the files of the run instead: what it lacks
of them is sent when it can be, whether it was slow, away, or the program was killed in between, and no trial waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from autommlab.common.errors import TrackerError
from autommlab.common.escaping import one_line
from autommlab.common.storage import is_uri, shown_uri
from autommlab.trackers.base import News, Outcome, RunFacts, TrackedTrial, Tracker
from autommlab.trackers.marks import OUTCOME, RUN, Mark, Marks
from autommlab.trackers.study_tail import StudyTail
from autommlab.trackers.targets import Target

#: Between two looks at the files, and before a tracker that failed is tried again.
LOOK_S, RETRY_S = 3.0, 30.0
#: For what is left to be sent when a run is over, and when it ends early.
FINISH_S, LEAVE_S = 180.0, 10.0
_SHOWN = 200
Tell = Callable[[str], None]


class Follower:
    """One tracker of one run.

    Args:
        target: as it was asked for.
        tracker: what is told.
        run: what is known of the run.
        studies: folders of its studies, whether they are there yet or not.
        warn: told, once, when the tracker fails, and when it takes everything again.
    """

    def __init__(self, target: Target, tracker: Tracker, run: RunFacts, studies: Sequence[Path], warn: Tell) -> None:
        self._target, self._tracker, self._run, self._warn = target, tracker, run, warn
        self._marks = Marks(run.folder, str(target))
        self._tails = [StudyTail(folder) for folder in studies]
        self._names: dict[str, str] = {}
        self._outcome: Outcome | None = None
        self._ends, self._failed = threading.Event(), False
        self._away = False
        self._thread = threading.Thread(target=self._follow, name=f"tracker {target.kind}", daemon=True)

    def start(self) -> None:
        """Begin, or go on with, the run in the tracker; then follow it in the background.

        Raises:
            TrackerError: it does not take the run.
        """
        try:
            name = self._tracker.open(self._run, self._marks.get(RUN).name)
        except Exception as error:  # whatever its client raises
            raise TrackerError(
                f"{self._target.option} cannot be used: {_in_words(error)}. Nothing was trained yet; set it right, or "
                "go on without it: --resume with --track none"
            ) from error
        self._marks.put(Mark(tracker=str(self._target), trial_id=RUN, name=name))
        self._thread.start()

    def end(self, outcome: Outcome | None) -> None:
        """Begin to send what is left, and the outcome; without one the run ends early and may go on elsewhere."""
        self._outcome, self._failed = outcome, outcome is None
        self._ends.set()

    def wait(self) -> None:
        """Until all is sent, or time is up."""
        self._thread.join(LEAVE_S if self._failed else FINISH_S)
        if self._thread.is_alive() or self._away:
            self._warn(f"{self._target} lacks a part of this run; it is sent when the run is resumed (run --resume)")

    def _follow(self) -> None:
        tried = 0.0
        while not self._ends.wait(LOOK_S):
            if not self._away or time.monotonic() - tried > RETRY_S:
                tried = time.monotonic()
                self._attempt(self._send)
        self._attempt(self._send_the_rest)
        if not self._away:
            self._attempt(lambda: self._tracker.close(failed=self._failed))

    def _attempt(self, send: Callable[[], None]) -> None:
        try:
            send()
        except Exception as error:  # a tracker costs no trial, whatever its client raises
            if not self._away:
                self._warn(
                    f"{self._target} fails ({_in_words(error)}): training goes on, and what it lacks is sent when it "
                    "works again"
                )
            self._away = True
            return
        if self._away:
            self._warn(f"{self._target} works again, and lacks nothing")
        self._away = False

    def _send(self) -> None:
        for tail in self._tails:
            tail.read()
            for trial in list(tail.trials.values()):
                if not self._marks.get(trial.trial_id).ended:
                    self._send_trial(trial)
                if self._marks.get(trial.trial_id).ended:
                    tail.drop(trial.trial_id)

    def _send_the_rest(self) -> None:
        self._send()
        if self._outcome is None:
            return
        for tail in self._tails:  # of a run that was killed and whose studies went on without their trials
            for trial in list(tail.trials.values()):
                if trial.hyperparameters:
                    self._end_trial(trial)
        if self._marks.get(OUTCOME).name != self._outcome.digest:
            self._tracker.finish(self._outcome)
            self._marks.put(Mark(tracker=str(self._target), trial_id=OUTCOME, name=self._outcome.digest, ended=True))

    def _send_trial(self, trial: TrackedTrial) -> None:
        if not trial.hyperparameters:  # its first line is damaged; its record tells them
            return
        name, mark = self._begun(trial)
        news = _news(trial, mark)
        if news:
            self._tracker.log(name, trial, news)
            told = {"losses": news.losses[-1].iteration} if news.losses else {}
            told |= {"scores": news.scores[-1][0]} if news.scores else {}
            self._marks.put(mark.model_copy(update=told))
        if trial.record is not None:
            self._end_trial(trial)

    def _begun(self, trial: TrackedTrial) -> tuple[str, Mark]:
        """The tracker's name of a trial that it knows in this process."""
        mark = self._marks.get(trial.trial_id)
        if trial.trial_id not in self._names:
            self._names[trial.trial_id] = self._tracker.begin(trial, mark.name)
        name = self._names[trial.trial_id]
        if mark.name != name:
            mark = mark.model_copy(update={"name": name})
            self._marks.put(mark)
        return name, mark

    def _end_trial(self, trial: TrackedTrial) -> None:
        name, mark = self._begun(trial)
        self._tracker.end(name, trial)
        self._marks.put(mark.model_copy(update={"ended": True, **_all_told(trial)}))
        del self._names[trial.trial_id]


def _news(trial: TrackedTrial, mark: Mark) -> News:
    return News(
        [point for point in trial.curve.points if point.iteration > mark.losses],
        [(iteration, score) for iteration, score in sorted(trial.curve.scores.items()) if iteration > mark.scores],
    )


def _all_told(trial: TrackedTrial) -> dict[str, int]:
    return {"losses": max(trial.curve.losses, default=0), "scores": max(trial.curve.scores, default=0)}


def _in_words(error: BaseException) -> str:
    """Its first line, without what a client may repeat of a login."""
    words = str(error).strip().partition("\n")[0].split()
    shown = one_line(" ".join(shown_uri(word) if is_uri(word) else word for word in words))
    return shown[:_SHOWN].rstrip(".:") or type(error).__name__
