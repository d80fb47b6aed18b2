"""What each tracker has been told, kept with the run: `tracked.jsonl`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab.common import jsonl
from autommlab.common.stored import record_of

MARKS_FILE = "tracked.jsonl"
#: In the place of a trial's id: the run, and its outcome.
RUN, OUTCOME = "(run)", "(outcome)"


class Mark(BaseModel):
    """One line; of those with the same tracker and trial the last one counts.

    Attributes:
        tracker: as `--track` names it; it holds no secret.
        trial_id: Ray's, `RUN` or `OUTCOME`.
        name: the tracker's own name of the trial or run; the digest of an outcome.
        losses, scores: last iteration that was told, 0 = none.
        ended: nothing more comes.
    """

    model_config = ConfigDict(frozen=True)

    tracker: str
    trial_id: str
    name: str = ""
    losses: int = 0
    scores: int = 0
    ended: bool = False


class Marks:
    """Those of one tracker.

    Args:
        folder: of the run.
        tracker: whose.
    """

    def __init__(self, folder: Path, tracker: str) -> None:
        self._path, self._tracker = folder / MARKS_FILE, tracker
        lines = jsonl.read_records(self._path, partial(record_of, Mark))
        self._marks = {mark.trial_id: mark for mark in lines.records if mark.tracker == tracker}

    def get(self, trial_id: str) -> Mark:
        """What was told of a trial; nothing yet of one that is not known."""
        return self._marks.get(trial_id) or Mark(tracker=self._tracker, trial_id=trial_id)

    def put(self, mark: Mark) -> None:
        """Remember.

        Raises:
            StorageError: the file cannot be written.
        """
        jsonl.append(self._path, [mark.model_dump_json(exclude_defaults=True)], durable=False)
        self._marks[mark.trial_id] = mark
