"""A tracker follows a run: nothing is lost, nothing comes twice, and its faults cost no trial."""

import time
from collections.abc import Callable

import pytest

from autommlab.common.errors import TrackerError
from autommlab.trackers.base import News, Outcome, RunFacts, TrackedTrial, Tracker
from autommlab.trackers.marks import MARKS_FILE
from autommlab.trackers.targets import Target
from tests.helpers.tracked_run import LOSSES, Interrupted, RunWriter

TARGET = Target("mlflow", "http://tracker")


class Recording(Tracker):
    """A tracker in memory, which outlives the program; `away` is raised by all that it is asked."""

    def __init__(self) -> None:
        self.losses: dict[str, list[tuple[int, float]]] = {}
        self.scores: dict[str, list[tuple[int, float]]] = {}
        self.ended: list[tuple[str, str]] = []
        self.runs: list[str] = []
        self.outcomes: list[Outcome] = []
        self.closed: list[bool] = []
        self.away: Exception | None = None

    def _answer(self) -> None:
        if self.away:
            raise self.away

    def open(self, run: RunFacts, known: str) -> str:
        self._answer()
        self.runs.append(known)
        return "run-1"

    def begin(self, trial: TrackedTrial, known: str) -> str:
        self._answer()
        assert trial.hyperparameters
        return known or f"tracked {trial.trial_id}"

    def log(self, name: str, trial: TrackedTrial, news: News) -> None:
        self._answer()
        assert name == f"tracked {trial.trial_id}"
        self.losses.setdefault(trial.trial_id, []).extend((point.iteration, point.loss) for point in news.losses)
        self.scores.setdefault(trial.trial_id, []).extend(news.scores)

    def end(self, name: str, trial: TrackedTrial) -> None:
        self._answer()
        self.ended.append((trial.trial_id, trial.record.status if trial.record else "given up"))

    def finish(self, outcome: Outcome) -> None:
        self._answer()
        self.outcomes.append(outcome)

    def close(self, *, failed: bool) -> None:
        self.closed.append(failed)


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_trial_at_work_is_told_as_it_goes_and_a_finished_run_whole(run: RunWriter) -> None:
    tracker = Recording()
    with run.followed(TARGET, tracker):
        run.begin("a_0")
        run.report("a_0", range(1, 5))
        until(lambda: tracker.scores.get("a_0"))
        assert not tracker.ended
        run.report("a_0", range(5, 9))
        run.end("a_0")
        until(lambda: tracker.ended)
        run.trial("a_1", "diverged")
    assert tracker.losses == {"a_0": list(LOSSES.items()), "a_1": list(LOSSES.items())}
    assert tracker.scores["a_0"] == [(4, 0.4), (8, 0.8)]
    assert tracker.ended == [("a_0", "ok"), ("a_1", "diverged")]
    assert [outcome.figures["test/accuracy"] for outcome in tracker.outcomes] == [0.75]
    assert (tracker.closed, run.warnings) == ([False], [])


def test_a_resumed_run_goes_on_where_it_was_and_tells_nothing_twice(run: RunWriter) -> None:
    tracker = Recording()
    with run.followed(TARGET, tracker):
        run.trial("a_0")
        run.begin("a_1")
        run.report("a_1", range(1, 5))
        until(lambda: tracker.scores.get("a_1"))
        raise Interrupted
    assert (tracker.outcomes, tracker.closed) == ([], [True])
    with run.followed(TARGET, tracker):
        run.begin("a_1")
        run.report("a_1", range(3, 9))  # from a checkpoint before the interruption
        run.end("a_1")
    with run.followed(TARGET, tracker):
        pass  # resumed once more, with nothing left to do
    assert tracker.runs == ["", "run-1", "run-1"]
    assert tracker.losses == {"a_0": list(LOSSES.items()), "a_1": list(LOSSES.items())}
    assert tracker.ended == [("a_0", "ok"), ("a_1", "ok")]
    assert len(tracker.outcomes) == 1


def test_a_trial_that_a_kill_took_away_is_given_up_at_the_end(run: RunWriter) -> None:
    tracker = Recording()
    with run.followed(TARGET, tracker):
        run.begin("a_0")
        until(lambda: (run.folder / MARKS_FILE).read_text().count("a_0"))
        raise Interrupted
    with run.followed(TARGET, tracker):
        run.trial("b_1")  # the state of Ray was lost: the study begins anew
    assert sorted(tracker.ended) == [("a_0", "given up"), ("b_1", "ok")]


def test_a_tracker_that_goes_away_costs_no_trial_and_gets_all_of_it_later(run: RunWriter) -> None:
    tracker = Recording()
    with run.followed(TARGET, tracker):
        run.trial("a_0")
        until(lambda: tracker.ended)
        tracker.away = ConnectionError("refused by http://me:secret@tracker:5000 now\nand more")
        run.trial("a_1")
        until(lambda: run.warnings)
        tracker.away = None
        until(lambda: len(tracker.ended) == 2)
    assert [ended for ended, _ in tracker.ended] == ["a_0", "a_1"]
    assert tracker.losses["a_1"] == list(LOSSES.items())
    assert run.warnings == [
        "mlflow=http://tracker fails (refused by http://***@tracker:5000 now): training goes on, and what it lacks is "
        "sent when it works again",
        "mlflow=http://tracker works again, and lacks nothing",
    ]


def test_one_that_stays_away_gets_the_rest_from_a_resumed_run(run: RunWriter) -> None:
    tracker = Recording()
    with run.followed(TARGET, tracker):
        tracker.away = TimeoutError()
        run.trial("a_0")
    assert "fails (TimeoutError)" in run.warnings[0]
    assert "is sent when the run is resumed" in run.warnings[-1]
    tracker.away = None
    with run.followed(TARGET, tracker):
        pass
    assert tracker.ended == [("a_0", "ok")]
    assert len(tracker.outcomes) == 1


def test_one_that_does_not_take_the_run_is_told_before_training(run: RunWriter) -> None:
    tracker = Recording()
    tracker.away = PermissionError("no such user")
    with pytest.raises(TrackerError, match=r"--track mlflow=http://tracker cannot be used: no such user\. Nothing was"):
        run.follower(TARGET, tracker).start()


def test_damaged_lines_cost_no_more_than_themselves(run: RunWriter) -> None:
    tracker = Recording()
    curves = run.folder / "study" / "curves.jsonl"
    run.trial("a_0")
    lines = curves.read_bytes().splitlines(keepends=True)
    curves.write_bytes(b'{"trial_id": 7\n' + lines[0][:20] + b"\n" + b"".join(lines[1:]))
    with run.followed(TARGET, tracker):
        run.trial("a_1")
    assert tracker.losses == {"a_0": list(LOSSES.items()), "a_1": list(LOSSES.items())}
    assert run.warnings == []
