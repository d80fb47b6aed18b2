"""What benchmarks that play many studies share: LLM service, trainings, pools of studies, what is stored of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

from autommlab import settings
from autommlab.cluster import TrialNeed, require_resources, trial_slots
from autommlab.common.errors import DataError
from autommlab.common.keyed_lines import Keyed, read_keyed
from autommlab.common.placement import resource_request
from autommlab.llm_service import service_for
from autommlab.progress.events import Events
from serve.client import ServiceClient
from training_data_gen.benchmarks.response_cache import CachedAnswer, CachingClient, ResponseCache
from training_data_gen.benchmarks.trainings import Trainings, on_ray
from training_data_gen.trials.records import RecordedTrial

Job = TypeVar("Job")
Study = TypeVar("Study")
Stored = TypeVar("Stored", bound=Keyed)

TRAININGS_FILE, ANSWERS_FILE = "trainings.jsonl", "answers.jsonl"
STAGE = "training"
#: What a user calls a record of it.
NOUN = "study"
#: Studies played at once, for each trial that the cluster has room for: while one asks its searcher, another trains.
_STUDIES_PER_SLOT = 2


def remembering_service(
    searchers: Collection[str], out: Path, answers: Sequence[CachedAnswer], events: Events
) -> ServiceClient | None:
    """The LLM service for these searchers, with its answers kept in `out`; None where none of them asks it.

    Args:
        searchers: names.
        out: folder of the benchmark.
        answers: of other benchmarks, not asked for again.
        events: who is told.
    """
    service = service_for(searchers, tell=lambda words: events.emit("progress", STAGE, words))
    return None if service is None else CachingClient(service, ResponseCache(out / ANSWERS_FILE, answers))


def need_of(cpus: float, gpus: float) -> TrialNeed:
    """What one training takes, where the cluster has it.

    Raises:
        TrainingError: it has not.
    """
    need = TrialNeed(cpus, gpus, resource=settings.trial_resource())
    require_resources(need)
    return need


def trainings_in(out: Path, need: TrialNeed, known: Sequence[RecordedTrial]) -> Trainings:
    """Trainings on Ray, each kept in `out` and made once; `known` ones are not made at all."""
    train = on_ray(cpus=need.cpus, gpus=need.gpus, resources=resource_request(need.resource))
    return Trainings(out / TRAININGS_FILE, train, known)


@contextlib.contextmanager
def played(play: Callable[[Job], Study], jobs: Sequence[Job], need: TrialNeed) -> Iterator[Iterator[tuple[Job, Study]]]:
    """Inside the block: studies as they end. What has not begun when it is left, for whatever reason, never is."""
    pool = ThreadPoolExecutor(_STUDIES_PER_SLOT * trial_slots(need), thread_name_prefix="study")
    with ended([(pool, play, jobs)]) as studies:
        yield studies


@contextlib.contextmanager
def ended(
    work: Sequence[tuple[Executor, Callable[[Job], Study], Sequence[Job]]],
) -> Iterator[Iterator[tuple[Job, Study]]]:
    """As `played`, each part of the work in a pool of its own, which is shut down."""
    try:
        running = {pool.submit(play, job): job for pool, play, jobs in work for job in jobs}
        yield ((running[future], future.result()) for future in as_completed(running))
    finally:
        for pool, _, _ in work:
            pool.shutdown(wait=False, cancel_futures=True)


def read_studies(path: Path, kind: type[Stored], command: str) -> list[Stored]:
    """All studies of a file, compressed or not.

    Args:
        path: as `command` wrote it, packed or in its folder.
        kind: of the records.
        command: for the message.

    Raises:
        DataError: no such file, or a line that is no study.
    """
    try:
        return read_keyed(path, kind, NOUN)
    except OSError as error:
        raise DataError(f"the studies {path} cannot be read: {error}. `{command} --pack` writes them") from error
