"""The finalists of a run with little data, compared over folds of train and val, or on val alone.

Each training is a Ray task: Ray keeps the processes between them, so that toolboxes are imported once. Finished ones
stand in a ledger, from which a run that goes on takes them. TEST is never looked at.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.cluster import TrialNeed, require_resources
from autommlab.common.errors import NoResultError, TrainingError
from autommlab.common.files import storage_errors
from autommlab.common.placement import resource_request
from autommlab.common.quick_imports import without_collector
from autommlab.common.stopping import raise_if_stopped
from autommlab.common.trial_status import WORST_SCORE, is_scored
from autommlab.progress.events import Events
from autommlab.training.ledger import Ledger, lead_of
from autommlab.training.pace import Deadline
from autommlab.training.records import CrossValidated, CrossValidation, Hyperparameters, TrialRecord
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study_at_work import LEDGER_FILE

if TYPE_CHECKING:
    from autommlab.common.storage import Place

#: Of the run, for its events.
STAGE = "folds"
#: How often Ray begins again where a process or its node died.
_RETRIES = 2
#: Seconds between looks at the trainings, in which a signal can be heard.
_LOOK_S = 1.0
#: A fold begins while there is time for this part of what its trainings were planned to take.
_WORTH_BEGINNING = 0.5


@dataclass(frozen=True, slots=True)
class Finalist:
    """A configuration to be compared, and where it comes from, in words."""

    point: Hyperparameters
    origin: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared, on what, and in which time.

    Attributes:
        setups: one a fold, all alike but for train and val of their bags; a single one has VAL as it is.
        finalists: in the order of their numbers.
        need: of each training.
        concurrent: trainings at once.
        ends_at: when the last one has to be over, seconds since the epoch.
        start_s: until a process is ready for its first step.
        each_s: what one training was planned to take.
        why: so many folds, a sentence.
    """

    setups: tuple[TrialSetup, ...]
    finalists: tuple[Finalist, ...]
    need: TrialNeed
    concurrent: int
    ends_at: float
    start_s: float
    each_s: float
    why: str = ""

    def fold(self, index: int) -> int:
        """The number by which records name a fold."""
        return index + 1 if len(self.setups) > 1 else 0


def cross_validate(comparison: Comparison, folder: Path, events: Events, place: Place | None = None) -> CrossValidation:
    """Train what is not finished yet, and compare. Ray must be connected.

    Trainings begin fold after fold. Where the time ends early, the folds that all finalists have finished count; at
    least one is trained. A finalist that fails on a fold is out.

    Args:
        comparison: what is compared.
        folder: gets the ledger.
        events: told of every finished training.
        place: a storage that all nodes reach; None = they share the disk.

    Raises:
        TrainingError: the cluster is too small for a training.
        NoResultError: no finalist has a result.
        StorageError: the folder cannot be written.
    """
    started = time.monotonic()
    require_resources(comparison.need)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder / LEDGER_FILE)
    _Trainings(comparison, ledger, events, place).run()
    return compared(comparison, ledger).model_copy(update={"seconds": time.monotonic() - started})


def compared(comparison: Comparison, ledger: Ledger) -> CrossValidation:
    """The finalists by their finished trainings.

    Raises:
        NoResultError: no finalist has a result.
    """
    alive = [one for one in comparison.finalists if not _failures(comparison, ledger, one)]
    indices = range(len(comparison.setups))
    done = [i for i in indices if all(ledger.find(one.point.model_dump(), comparison.fold(i)) for one in alive)]
    if not alive or not done:
        raise NoResultError(_no_result(comparison, ledger))
    found = [
        _over_folds(number, one, _failures(comparison, ledger, one) or _records(comparison, ledger, one, done))
        for number, one in enumerate(comparison.finalists, start=1)
    ]
    scored = [one for one in found if is_scored(one.status)]
    best = max(scored, key=lambda one: (one.score, -one.number))
    pictures = sum(comparison.setups[i].bag.splits["val"].images for i in done)
    return CrossValidation(
        folds=len(comparison.setups),
        finished=len(done),
        pictures=pictures,
        finalists=tuple(found),
        best=best.number,
        lead=lead_of(best, scored, pictures),
        why=comparison.why,
    )


def _records(comparison: Comparison, ledger: Ledger, finalist: Finalist, indices: Sequence[int]) -> list[TrialRecord]:
    found = (ledger.find(finalist.point.model_dump(), comparison.fold(i)) for i in indices)
    return [record for record in found if record is not None]


def _failures(comparison: Comparison, ledger: Ledger, finalist: Finalist) -> list[TrialRecord]:
    records = _records(comparison, ledger, finalist, range(len(comparison.setups)))
    return [record for record in records if not is_scored(record.status)]


def _over_folds(number: int, finalist: Finalist, records: Sequence[TrialRecord]) -> CrossValidated:
    failed = next((record for record in records if not is_scored(record.status)), None)
    steps = round(statistics.fmean(record.as_trained.iterations for record in records))
    told: dict[str, Any] = {
        "number": number, "origin": finalist.origin,
        "hyperparameters": finalist.point.model_copy(update={"iterations": steps}),
    }  # fmt: skip
    scores = tuple(record.score for record in records)
    if failed is not None:
        return CrossValidated(**told, status=failed.status, reason=failed.reason, scores=scores, score=WORST_SCORE)
    return CrossValidated(
        **told,
        status="ok",
        scores=scores,
        score=statistics.fmean(scores),
        metrics=_means([record.metrics for record in records]),
        resampled=_mean_draws([record.resampled for record in records]),
    )


def _means(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of the figures that all have."""
    names = [name for name in figures[0] if all(name in each for each in figures)]
    return {name: statistics.fmean(each[name] for each in figures) for name in names}


def _mean_draws(draws: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Draw by draw; none where one fold has no draws."""
    if not all(draws) or len({len(each) for each in draws}) != 1:
        return ()
    return tuple(round(statistics.fmean(each), 5) for each in zip(*draws, strict=True))


def _no_result(comparison: Comparison, ledger: Ledger) -> str:
    failed = [record for one in comparison.finalists for record in _failures(comparison, ledger, one)]
    if not failed:
        return "no finalist finished within the time; give more with --time"
    return f"all {len(comparison.finalists)} finalists failed: {failed[0].status}: {failed[0].reason}"


class _Trainings:
    """The trainings of a comparison at work."""

    def __init__(self, comparison: Comparison, ledger: Ledger, events: Events, place: Place | None) -> None:
        self._asked, self._ledger, self._events, self._place = comparison, ledger, events, place
        self._total = len(comparison.setups) * len(comparison.finalists)
        self._warm = False

    def run(self) -> None:
        """Train all that is not finished, as far as the time goes."""
        import ray

        running: dict[Any, tuple[int, Finalist]] = {}
        pending = [(i, one) for i in range(len(self._asked.setups)) for one in self._asked.finalists]
        try:
            while running or (pending := self._left(pending)):
                while pending and len(running) < self._asked.concurrent:
                    index, finalist = pending.pop(0)
                    running[self._begun(index, finalist, 1 + len(pending))] = (index, finalist)
                ready, _ = ray.wait(list(running), timeout=_LOOK_S)
                raise_if_stopped()
                for reference in ready:
                    self._finish(reference, *running.pop(reference))
                pending = self._left(pending, [index for index, _ in running.values()])
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def _left(self, pending: Sequence[tuple[int, Finalist]], running: Sequence[int] = ()) -> list[tuple[int, Finalist]]:
        """What is still worth training: not finished, no finalist that is out, and a fold that has the time.

        Args:
            pending: indices of folds, and finalists.
            running: indices of folds at work.
        """
        asked, ledger = self._asked, self._ledger
        late = asked.ends_at - time.time() < _WORTH_BEGINNING * asked.each_s
        begun = {record.fold for record in ledger.records} | {asked.fold(index) for index in (0, *running)}
        return [
            (index, one)
            for index, one in pending
            if ledger.find(one.point.model_dump(), asked.fold(index)) is None
            and not _failures(asked, ledger, one)
            and not (late and asked.fold(index) not in begun)
        ]

    def _begun(self, index: int, finalist: Finalist, left: int) -> Any:
        """A training as a Ray task.

        Args:
            index: of its fold.
            finalist: that trains.
            left: trainings that have not begun, this one included; they share the time.
        """
        import ray

        asked = self._asked
        time_left = asked.ends_at - time.time() - (0.0 if self._warm else asked.start_s)
        seconds = max(1.0, time_left / math.ceil(left / asked.concurrent))
        need = asked.need
        task: Any = ray.remote(
            num_cpus=need.cpus, num_gpus=need.gpus, resources=resource_request(need.resource), max_retries=_RETRIES
        )
        return task(_trained).remote(asked.setups[index], finalist.point, need, seconds, self._place)

    def _finish(self, reference: Any, index: int, finalist: Finalist) -> None:
        self._warm = True
        record = self._result(reference, finalist)
        fold, ledger = self._asked.fold(index), self._ledger
        record = record.model_copy(update={"number": ledger.next_number, "fold": fold, "proposed_by": finalist.origin})
        ledger.append(record)
        done, where = len(ledger.records), f"fold {fold} of {len(self._asked.setups)}" if fold else "val"
        for words in record.execution.get("notes", ()):
            self._events.emit("note", STAGE, f"training {done}: {words}", number=done)
        self._events.emit(
            "trial",
            STAGE,
            f"training {done} of {self._total}: {record.status}, {record.score:.4f}",
            number=done,
            total=self._total,
            metric=self._asked.setups[index].objective.score_name,
            score=record.score,
            status=record.status,
            reason=record.reason.partition("\n")[0],
            hyperparameters=record.as_trained.model_dump(),
            proposed_by=f"{finalist.origin}, on {where}",
            seconds=record.train_s + record.val_s + record.setup_s,
        )

    def _result(self, reference: Any, finalist: Finalist) -> TrialRecord:
        """Of a finished task; a process or node that died again and again is a failed training."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            record: TrialRecord = ray.get(reference)
        except RayTaskError as error:
            if isinstance(error.cause, TrainingError):
                raise error.cause from None
            raise TrainingError(f"a finalist could not be trained: {error.cause}. Go on with --resume") from error
        except RayError as error:
            reason = f"its process or node died again and again: {str(error).splitlines()[0]}"
            return TrialRecord(
                number=1, trial_id="", hyperparameters=finalist.point, score=WORST_SCORE, status="worker-died",
                reason=reason,
            )  # fmt: skip
        return record


def _trained(
    setup: TrialSetup, point: Hyperparameters, need: TrialNeed, seconds: float, place: Place | None
) -> TrialRecord:
    """Of the Ray task: one training within a time, which begins once the toolbox is imported."""
    with without_collector():
        from autommlab.training.execution import use_part
        from autommlab.training.node_data import bring_bag
        from autommlab.training.run_once import train_whole
        from autommlab.training.trial import prepare_toolbox

        prepare_toolbox(setup.bag.task)
    bring_bag(setup.bag, place)
    threads = use_part(need.cpus, need.gpus)
    validation_s = setup.deadline.validation_s if setup.deadline else 0.0
    deadline = Deadline(ends_at=time.time() + seconds, validation_s=validation_s)
    record, _ = train_whole(setup.model_copy(update={"deadline": deadline}), point, threads, test=False)
    return record
