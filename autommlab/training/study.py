"""A study: many trials under Ray Tune on one budget, then one look at TEST for the winner."""

from __future__ import annotations

import functools
import importlib
import json
import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from autommlab import settings
from autommlab.cluster import TrialNeed, cluster_share, require_resources, trial_slots
from autommlab.common.errors import ResumeError, StorageError, TrainingError
from autommlab.common.files import STORAGE_ERRNOS, storage_error, storage_errors, write_text
from autommlab.common.placement import resource_request
from autommlab.common.signing import HOW_TO_TRUST, run_key, trusts_all
from autommlab.common.trial_status import SCORE
from autommlab.progress.events import Events
from autommlab.tasks import objective
from autommlab.training.ledger import TEST_FILE, Ledger, best_record, read_figures, trial_key
from autommlab.training.records import StudyResult, TrialRecord
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study_state import KEPT_CHECKPOINTS, RAY_FOLDER, StudyState, require_space, state_of
from autommlab.training.usage import LLM_FILE, llm_usage
from searchers.space import Configuration, SearchSpace

if TYPE_CHECKING:
    from ray.tune.search import Searcher

    from autommlab.common.storage import Place
    from serve.client import ServiceClient

#: Ray Tune's switches; its loggers write files that nobody reads.
_TUNE_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # prints a box whatever `verbose` says
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # it would end the study at a signal as if it were finished
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
LEDGER_FILE, BEST_FOLDER = "trials.jsonl", "best"
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


class StudyOptions(BaseModel):
    """How a study searches.

    Attributes:
        searcher, scheduler: names known to `searchers`.
        trials: budget in trials, failed ones included.
        time_budget_s: seconds after which running trials are stopped, None = no limit.
        max_concurrent: trials at once, 0 = as many as the cluster has room for.
        cpus_per_trial, gpus_per_trial: Ray resources; GPUs may be fractional.
        workers_per_trial: above 1, each trial is trained by so many processes with DDP, see `training.group` and
            `training.share`; CPUs and GPUs then count for each of them, GPUs 0 or 1. A trial's batch size stays
            that of a step of all workers together.
        node_resource: custom resource that a trial's node must carry; the default is AUTOMMLAB_TRIAL_RESOURCE,
            None = any node.
        reuse_actors: keep workers between trials (switched off only by `bench overhead`).
        keep_all: keep weights and config of every trial in `all/`, for TEST figures beyond the winner's.
    """

    model_config = ConfigDict(frozen=True)

    searcher: str
    scheduler: str = "none"
    trials: int
    time_budget_s: float | None = None
    max_concurrent: int = 0
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    workers_per_trial: int = Field(default=1, ge=1)
    node_resource: str | None = Field(default_factory=settings.trial_resource)
    reuse_actors: bool = True
    keep_all: bool = False

    @property
    def need(self) -> TrialNeed:
        """What a trial asks of Ray."""
        return TrialNeed(self.cpus_per_trial, self.gpus_per_trial, self.workers_per_trial, self.node_resource)


@dataclass(frozen=True)
class _Study:
    """One study at work: what `run_study` was given, where it stands, and whom it tells."""

    setup: TrialSetup
    options: StudyOptions
    folder: Path
    state: StudyState
    ledger: Ledger
    events: Events

    @property
    def best(self) -> Path:
        """Folder of the best trial's weights and config."""
        return self.folder / BEST_FOLDER


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
        TrainingError: the cluster is too small for a trial, or no trial succeeded.
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
    study = _Study(setup, options, folder, state_of(folder, place), ledger, events)
    for bad in ledger.set_aside:
        events.emit(
            "warning", "training", f"{LEDGER_FILE}: {bad}, damaged; that trial is not counted and may come again"
        )
    if len(ledger.records) < options.trials:
        resume = _goes_on(folder, study.state, options)
        earlier = [] if resume else ledger.records
        searcher = _searcher(setup, space, options, default_configuration, service, earlier)
        _search(study, searcher, len(earlier), resume=resume)
    best = best_record(ledger.records)
    if best is None:
        raise TrainingError(_all_failed(ledger.records))
    return StudyResult(
        task=setup.bag.task,
        objective=objective(setup.bag.task).name,
        trials=tuple(ledger.records),
        best=best,
        checkpoint=study.best / "checkpoint.pth",
        config_file=study.best / "config.py",
        val_metrics=best.metrics,
        test_metrics=_test_once(study),
        seconds=time.monotonic() - started,
        llm=llm_usage(folder),
    )


def _goes_on(folder: Path, state: StudyState, options: StudyOptions) -> bool:
    """Whether Ray Tune goes on from its own state.

    One of another budget, searcher or other resources is dropped, and one of a folder that was moved: its trials know
    their place by absolute paths. The ledger has all that is finished.
    """
    asked = json.dumps({**options.model_dump(mode="json", include=_IN_STATE), "state": state.ray}, ensure_ascii=False)
    stored = folder / SEARCH_FILE
    if stored.exists() and stored.read_bytes() != asked.encode():
        state.delete()
    write_text(stored, asked)
    return _recovered(state)


def _searcher(
    setup: TrialSetup,
    space: SearchSpace,
    options: StudyOptions,
    default_configuration: Configuration | None,
    service: ServiceClient | None,
    earlier: Sequence[TrialRecord],
) -> Searcher:
    """The searcher; it is told of earlier trials of this study that are in no state of its own."""
    import searchers
    from autommlab.training.search_space import study_context

    first = [default_configuration] if default_configuration and searchers.needs_first_configs(options.searcher) else []
    searcher = searchers.create(
        options.searcher,
        space,
        metric=SCORE,
        mode="max",
        # With the same seed, one that has yet to learn would draw the same points again.
        seed=(setup.seed + len(earlier)) % 2**32,
        first_configs=first,
        context=study_context(setup),
        service=service,
    )
    tried = [(record, record.hyperparameters.model_dump()) for record in earlier]
    for record, point in sorted(tried, key=lambda pair: pair[1] not in first):
        if hasattr(searcher, "observe"):  # one of somebody else's may not know how to
            searcher.observe(record.trial_id, point, record.proposed_by)
            told = {SCORE: record.score, "status": record.status, "reason": record.reason}
            searcher.on_trial_complete(record.trial_id, told)
    return searcher


def _search(study: _Study, searcher: Searcher, earlier: int, *, resume: bool) -> None:
    """Let Ray Tune run the study.

    Args:
        study: of which no result of TEST is known.
        searcher: proposes.
        earlier: trials of the ledger of which Ray Tune knows nothing.
        resume: Ray Tune goes on from its own state.
    """
    from ray import tune
    from ray.tune.error import TuneError

    from autommlab.training.study_log import Silent, StopWhenHopeless, StudyLog
    from searchers.tune.fair_share import FairShare
    from searchers.tune.schedulers import create_scheduler
    from searchers.tune.snapshots import StudySnapshots, save_often

    setup, options, state, ledger = study.setup, study.options, study.state, study.ledger
    quiet_tune()
    save_often()
    limited = FairShare(searcher, options.max_concurrent or _slots(options), share=cluster_share)
    finished = {trial_key(record.hyperparameters.model_dump()): record for record in ledger.records}
    log = StudyLog(
        ledger,
        study.best,
        study.events,
        options.trials,
        objective(setup.bag.task).name,
        searcher,
        all_folder=study.folder / ALL_FOLDER if options.keep_all else None,
    )
    try:
        tune.run(
            _trainable(study, finished),
            name=RAY_FOLDER,
            storage_path=state.folder,
            storage_filesystem=state.files,
            search_alg=limited,
            scheduler=create_scheduler(options.scheduler, metric=SCORE, mode="max", max_t=setup.reports, share=limited),
            stop=StopWhenHopeless(ledger),
            num_samples=options.trials - earlier,
            time_budget_s=options.time_budget_s,
            resources_per_trial=_resources(options),
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=KEPT_CHECKPOINTS, checkpoint_frequency=1, checkpoint_at_end=True
            ),
            reuse_actors=options.reuse_actors,
            max_failures=settings.MAX_WORKER_FAILURES,
            raise_on_failed_trial=False,
            callbacks=[log, StudySnapshots(run_key())],
            resume=resume,
            verbose=0,
            progress_reporter=Silent(),
        )
        usage: dict[str, Any] = getattr(searcher, "usage", dict)()
        if "llm" in usage:
            write_text(study.folder / LLM_FILE, json.dumps(usage["llm"]))
    except (TuneError, OSError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, StorageError):
            raise cause from error
        if isinstance(cause, OSError) and cause.errno in STORAGE_ERRNOS:
            raise storage_error(study.folder, cause) from error
        raise TrainingError(
            f"the study in {study.folder} stopped: {error}. Finished trials are kept; go on with --resume"
        ) from error


def _recovered(state: StudyState) -> bool:
    """Whether there is a state to go on from; Ray Tune unpickles it, so it must be one that we wrote.

    Raises:
        ResumeError: it is not.
    """
    from autommlab.common.errors import UntrustedSnapshot
    from searchers.tune.snapshots import recover

    try:
        return recover(state.ray, state.files, key=None if trusts_all() else run_key())
    except UntrustedSnapshot as error:
        raise ResumeError(f"{error}. {HOW_TO_TRUST}") from error


def quiet_tune() -> None:
    """Ray Tune prints nothing of its own and leaves signals to us; failures are told by our own records."""
    for name, value in _TUNE_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # At SIGUSR1, for which there is no switch, it would end a study as if it were finished, too.
    vars(importlib.import_module("ray.tune.tune"))["_setup_signal_catching"] = threading.Event
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)


def _trainable(study: _Study, finished: dict[str, TrialRecord]) -> Any:
    """What Ray Tune runs: a trial in one process, or one that drives a group of them."""
    from ray import tune

    options = study.options
    shared = {"setup": study.setup, "finished": finished, "place": study.state.place}
    if options.workers_per_trial == 1:
        from autommlab.training.trainable import TrialTrainable

        return tune.with_parameters(TrialTrainable, **shared)
    from autommlab.training.distributed.trainable import GroupTrainable
    from autommlab.training.records import GroupShape

    shape = GroupShape(
        options.workers_per_trial,
        options.cpus_per_trial,
        options.gpus_per_trial,
        resource_request(options.node_resource),
    )
    return tune.with_parameters(GroupTrainable, **shared, shape=shape)


def _resources(options: StudyOptions) -> dict[str, float]:
    """Ray Tune's own part of a trial; a group of workers gets its resources from Ray Train."""
    if options.workers_per_trial > 1:
        return {"cpu": 0, "memory": settings.GROUP_DRIVER_BYTES}  # Tune refuses a trial without any resource
    return {"cpu": options.cpus_per_trial, "gpu": options.gpus_per_trial, **resource_request(options.node_resource)}


def _slots(options: StudyOptions) -> int:
    """Trials that the cluster has room for at once."""
    return trial_slots(options.need)


def _test_once(study: _Study) -> dict[str, float]:
    """TEST figures of the winner; measured at the first call, read from the folder afterwards."""
    best, setup = study.best, study.setup
    stored = best / TEST_FILE
    known = read_figures(stored)
    if known is not None:
        return known
    from autommlab.training.trial import evaluate

    annotations = setup.bag.annotation_file("test")
    warn = functools.partial(study.events.emit, "warning", "training")
    figures = evaluate(best / "config.py", best / "checkpoint.pth", setup.bag.task, annotations, warn)
    write_text(stored, json.dumps(figures, indent=1))
    study.state.delete()  # the study is over; its state is large
    return figures


def _all_failed(records: list[TrialRecord]) -> str:
    if not records:
        return "no trial finished within the time budget; give more with --time"
    reasons = "\n".join(
        f"  trial {r.number} {r.status}: {r.reason.splitlines()[0] if r.reason else ''}" for r in records[:5]
    )
    trace = next((r.reason for r in records if "\n" in r.reason), "")
    return f"all {len(records)} trials failed:\n{reasons}" + (f"\nfirst failure in full:\n{trace}" if trace else "")
