"""A study: many trials under Ray Tune on one budget, then one look at TEST for the winner."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab import settings
from autommlab.cluster import cluster_share, require_resources, trial_slots
from autommlab.common.errors import ResumeError, SearcherError, StorageError, TrainingError, UntrustedSnapshot
from autommlab.common.files import STORAGE_ERRNOS, storage_error, storage_errors, write_text
from autommlab.common.signing import HOW_TO_TRUST, run_key, trusts_all
from autommlab.common.trial_status import SCORE
from autommlab.progress.events import Events
from autommlab.training.ledger import Ledger, trial_key
from autommlab.training.memory import require_gpu_part
from autommlab.training.records import StudyResult
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study_at_work import LEDGER_FILE, StudyAtWork
from autommlab.training.study_options import StudyOptions
from autommlab.training.study_outcome import outcome_of, require_scored_alike
from autommlab.training.study_searcher import first_configurations, searcher_of, tell_earlier
from autommlab.training.study_state import (
    KEPT_CHECKPOINTS,
    RAY_FOLDER,
    SPACE_FILE,
    StudyState,
    require_space,
    state_of,
)
from autommlab.training.tune_settings import quiet_tune, resources_of, trainable_of
from autommlab.training.usage import LLM_FILE
from searchers.space import Configuration, SearchSpace

if TYPE_CHECKING:
    from ray.tune.search import Searcher

    from autommlab.common.storage import Place
    from serve.client import ServiceClient

#: What Ray Tune's state in the folder was made for.
SEARCH_FILE = "search.json"
_IN_STATE = {
    "searcher",
    "scheduler",
    "trials",
    "cpus_per_trial",
    "gpus_per_trial",
    "workers_per_trial",
    "node_resource",
}
ALL_FOLDER = "all"
#: A trial begins while the study has time for this part of it.
_WORTH_BEGINNING = 0.7


def run_study(
    setup: TrialSetup,
    space: SearchSpace,
    options: StudyOptions,
    *,
    folder: Path,
    events: Events,
    default_configuration: Configuration | None = None,
    service: ServiceClient | None = None,
    place: Place | None = None,
) -> StudyResult:
    """Run, or go on with, the study in `folder`. Ray must be connected.

    Args:
        setup: data, model and seed shared by all trials.
        space: what may be proposed.
        options: searcher and budget.
        folder: gets `trials.jsonl`, `best/` and Ray's own state.
        events: told of every finished trial.
        default_configuration: for searchers that start from it.
        service: the LLM service, for searchers that ask one.
        place: a storage that all nodes reach, for Ray's own state and the checkpoints of running trials;
            None = `folder`, which serves nodes that share its disk.

    Raises:
        TrainingError: the cluster is too small for a trial.
        NoResultError: no trial succeeded.
        StorageError: the folder cannot be written.
    """
    started = time.monotonic()
    require_resources(options.need)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    running = 0 if place else options.max_concurrent or _slots(options)
    # Ray Train keeps those of a group, which may run ahead of Ray Tune, until the trial ends.
    ahead = setup.reports if options.workers_per_trial > 1 else 0
    require_space(folder, setup.choice.measured.params_m, running, ahead)
    ledger = Ledger(folder / LEDGER_FILE)
    study = StudyAtWork(setup, options, folder, state_of(folder, place), ledger, events)
    for bad in ledger.set_aside:
        events.emit(
            "warning", options.stage, f"{LEDGER_FILE}: {bad}, damaged; that trial is not counted and may come again"
        )
    require_scored_alike(ledger, setup.objective, folder)
    if len(ledger.records) < options.trials:
        if words := require_gpu_part(setup, options.need, place):
            events.emit("note", options.stage, words)
        _go_on(study, space, default_configuration, service)
    return outcome_of(study, started)


def _go_on(
    study: StudyAtWork, space: SearchSpace, default_configuration: Configuration | None, service: ServiceClient | None
) -> None:
    """Train what the study lacks, by Ray Tune's own state or by the ledger alone."""
    from autommlab.training.search_space import study_context

    setup, options = study.setup, study.options
    write_text(study.folder / SPACE_FILE, space.model_dump_json())
    resume = _goes_on(study)
    earlier = [] if resume else study.ledger.records
    first = first_configurations(options, default_configuration)
    context = study_context(setup, default_configuration)
    searcher = searcher_of(space, options, first, context, service, seed=setup.seed + len(earlier))
    tell_earlier(searcher, earlier, first)
    _search(study, searcher, len(earlier), resume=resume)


def _goes_on(study: StudyAtWork) -> bool:
    """Whether Ray Tune goes on from its own state.

    One of another budget, searcher or other resources is dropped, and one of a folder that was moved: its trials know
    their place by absolute paths. So is a broken one. The ledger has all that is finished.

    Raises:
        ResumeError: the state is not one that we wrote.
    """
    state, options = study.state, study.options
    own = {"searcher_options": options.searcher_options} if options.searcher_options else {}
    asked = json.dumps(
        {**options.model_dump(mode="json", include=_IN_STATE), **own, "state": state.ray}, ensure_ascii=False
    )
    stored = study.folder / SEARCH_FILE
    if stored.exists() and stored.read_bytes() != asked.encode():
        state.delete()
    write_text(stored, asked)
    try:
        return _recovered(state)
    except SearcherError as error:
        state.delete()
        study.events.emit("warning", options.stage, f"{error}: the finished trials are taken from {LEDGER_FILE}")
        return False


def _search(study: StudyAtWork, searcher: Searcher, earlier: int, *, resume: bool) -> None:
    """Let Ray Tune run the study.

    Args:
        study: of which no result of TEST is known.
        searcher: proposes.
        earlier: trials of the ledger of which Ray Tune knows nothing.
        resume: Ray Tune goes on from its own state.
    """
    from ray import tune

    from autommlab.training.curve_log import CurveLog
    from autommlab.training.study_log import Silent, StopWhenHopeless, StudyLog
    from searchers.tune.fair_share import FairShare
    from searchers.tune.schedulers import create_scheduler
    from searchers.tune.snapshots import StudySnapshots, save_often

    setup, options, state, ledger = study.setup, study.options, study.state, study.ledger
    quiet_tune()
    save_often()
    limited = FairShare(
        searcher, options.max_concurrent or _slots(options), share=cluster_share, ends=_last_call(setup, options)
    )
    finished = {trial_key(record.hyperparameters.model_dump()): record for record in ledger.records}
    log = StudyLog(
        ledger,
        study.best,
        study.events,
        options.trials,
        setup.objective.score_name,
        searcher,
        stage=options.stage,
        all_folder=study.folder / ALL_FOLDER if options.keep_all else None,
    )
    with _study_errors(study.folder):
        tune.run(
            trainable_of(study, finished),
            name=RAY_FOLDER,
            storage_path=state.folder,
            storage_filesystem=state.files,
            search_alg=limited,
            scheduler=create_scheduler(options.scheduler, metric=SCORE, mode="max", max_t=setup.reports, share=limited),
            stop=StopWhenHopeless(ledger),
            num_samples=options.trials - earlier,
            time_budget_s=options.time_budget_s,
            resources_per_trial=resources_of(options),
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=KEPT_CHECKPOINTS, checkpoint_frequency=1, checkpoint_at_end=True
            ),
            reuse_actors=options.reuse_actors,
            max_failures=settings.MAX_WORKER_FAILURES,
            raise_on_failed_trial=False,
            callbacks=[
                CurveLog(study.folder, ledger, searcher, study.events, options.stage),
                log,
                StudySnapshots(run_key()),
            ],
            resume=resume,
            verbose=0,
            progress_reporter=Silent(),
        )
        usage: dict[str, Any] = getattr(searcher, "usage", dict)()
        if "llm" in usage:
            write_text(study.folder / LLM_FILE, json.dumps(usage["llm"]))


@contextlib.contextmanager
def _study_errors(folder: Path) -> Iterator[None]:
    """Inside the block what Ray Tune and the disk raise becomes an error for a person."""
    from ray.tune.error import TuneError

    try:
        yield
    except (TuneError, OSError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, StorageError):
            raise cause from error
        if isinstance(cause, OSError) and cause.errno in STORAGE_ERRNOS:
            raise storage_error(folder, cause) from error
        raise TrainingError(
            f"the study in {folder} stopped: {error}. Finished trials are kept; go on with --resume"
        ) from error


def _last_call(setup: TrialSetup, options: StudyOptions) -> Callable[[], bool]:
    """Whether a trial that began now would be cut short by the deadline of the study."""
    if setup.deadline is None or not options.trial_s:
        return lambda: False
    last = setup.deadline.ends_at - _WORTH_BEGINNING * options.trial_s
    return lambda: time.time() > last


def _recovered(state: StudyState) -> bool:
    """Whether there is a state to go on from; Ray Tune unpickles it, so it must be one that we wrote.

    Raises:
        ResumeError: it is not.
        SearcherError: it is broken.
    """
    from searchers.tune.snapshots import recover

    try:
        return recover(state.ray, state.files, key=None if trusts_all() else run_key())
    except UntrustedSnapshot as error:
        raise ResumeError(f"{error}. {HOW_TO_TRUST}") from error


def _slots(options: StudyOptions) -> int:
    """Trials that the cluster has room for at once."""
    return trial_slots(options.need)
