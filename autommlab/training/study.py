"""A study: many trials under Ray Tune on one budget, then one look at TEST for the winner."""

from __future__ import annotations

import importlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from autommlab import settings
from autommlab.cluster import TrialNeed, cluster_share, require_resources, trial_slots
from autommlab.common.errors import (
    NoResultError,
    ResumeError,
    SearcherError,
    StorageError,
    TrainingError,
    UntrustedSnapshot,
)
from autommlab.common.files import STORAGE_ERRNOS, storage_error, storage_errors, write_text
from autommlab.common.placement import resource_request
from autommlab.common.signing import HOW_TO_TRUST, run_key, trusts_all
from autommlab.common.trial_status import SCORE, WORST_SCORE, is_scored
from autommlab.progress.events import Events
from autommlab.training.ledger import TEST_FILE, Ledger, best_record, lead_of, read_test, trial_key
from autommlab.training.memory import require_gpu_part
from autommlab.training.objective import Objective
from autommlab.training.records import StudyResult, TestResult, TrialRecord
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study_state import KEPT_CHECKPOINTS, RAY_FOLDER, StudyState, require_space, state_of
from autommlab.training.usage import LLM_FILE, llm_usage
from searchers.space import Configuration, SearchSpace

if TYPE_CHECKING:
    from ray.tune.search import Searcher

    from autommlab.common.storage import Place
    from searchers.context import StudyContext
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
#: A trial begins while the study has time for this part of it.
_WORTH_BEGINNING = 0.7
#: Rounding of a score that is worked out again.
_SAME_SCORE = 1e-6


class StudyOptions(BaseModel):
    """How a study searches.

    Attributes:
        searcher, scheduler: names known to `searchers`.
        searcher_options: the searcher's own, "NAME=VALUE" each.
        trials: budget in trials, failed ones included.
        time_budget_s: seconds after which running trials are stopped, None = no limit.
        max_concurrent: trials at once, 0 = as many as the cluster has room for.
        cpus_per_trial, gpus_per_trial: Ray resources; GPUs may be fractional.
        workers_per_trial: above 1, each trial is trained by so many processes with DDP, see `training.group` and
            `training.share`; CPUs and GPUs then count for each of them, GPUs 0 or 1. A trial's batch size stays
            that of a step of all workers together.
        trial_s: expected seconds of a trial; where the setup has a deadline, none begins that has no time for most of
            it. 0 = all begin.
        node_resource: custom resource that a trial's node must carry; the default is AUTOMMLAB_TRIAL_RESOURCE,
            None = any node.
        reuse_actors: keep workers between trials (switched off only by `bench overhead`).
        keep_all: keep weights and config of every trial in `all/`, for TEST figures beyond the winner's.
        finalists: configurations that are trained instead of a searcher's, as many as there are trials.
        test: measure the winner on TEST; not where its configuration is going to be trained again.
    """

    model_config = ConfigDict(frozen=True)

    searcher: str
    searcher_options: tuple[str, ...] = ()
    scheduler: str = "none"
    trials: int
    time_budget_s: float | None = None
    max_concurrent: int = 0
    trial_s: float = 0.0
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    workers_per_trial: int = Field(default=1, ge=1)
    node_resource: str | None = Field(default_factory=settings.trial_resource)
    reuse_actors: bool = True
    keep_all: bool = False
    finalists: tuple[Configuration, ...] = ()
    test: bool = True

    @property
    def stage(self) -> str:
        """Of the run that it is, for its events."""
        return "final" if self.finalists else "training"

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
    study = _Study(setup, options, folder, state_of(folder, place), ledger, events)
    for bad in ledger.set_aside:
        events.emit(
            "warning", options.stage, f"{LEDGER_FILE}: {bad}, damaged; that trial is not counted and may come again"
        )
    _require_scored_alike(ledger, setup.objective, folder)
    if len(ledger.records) < options.trials:
        if words := require_gpu_part(setup, options.need, place):
            events.emit("note", options.stage, words)
        _go_on(study, space, default_configuration, service)
    return _outcome(study, started)


def _go_on(
    study: _Study, space: SearchSpace, default_configuration: Configuration | None, service: ServiceClient | None
) -> None:
    """Train what the study lacks, by Ray Tune's own state or by the ledger alone."""
    from autommlab.training.search_space import study_context

    setup, options = study.setup, study.options
    resume = _goes_on(study)
    earlier = [] if resume else study.ledger.records
    first = _first(options, default_configuration)
    context = study_context(setup, default_configuration)
    searcher = _searcher(space, options, first, context, service, seed=setup.seed + len(earlier))
    _tell(searcher, earlier, first)
    _search(study, searcher, len(earlier), resume=resume)


def _outcome(study: _Study, started: float) -> StudyResult:
    """What came of it, after the winner's look at TEST.

    Raises:
        NoResultError: no trial succeeded.
    """
    setup, records = study.setup, study.ledger.records
    best = best_record(records)
    if best is None:
        raise NoResultError(_all_failed(records))
    tested = _test_once(study) if study.options.test else TestResult(figures={})
    study.state.delete()  # the study is over; its state is large
    return StudyResult(
        task=setup.bag.task,
        objective=setup.objective.name,
        score_name=setup.objective.score_name,
        searched=setup.objective.in_words,
        trials=tuple(records),
        best=best,
        checkpoint=study.best / "checkpoint.pth",
        config_file=study.best / "config.py",
        val_metrics=best.metrics,
        test_metrics=tested.figures,
        test_intervals=tested.intervals,
        lead=lead_of(best, records, setup.bag.splits["val"].images),
        seconds=time.monotonic() - started,
        llm=llm_usage(study.folder),
    )


def _require_scored_alike(ledger: Ledger, objective: Objective, folder: Path) -> None:
    """Trials of one study are ordered by one score.

    Raises:
        ResumeError: an older version searched for another figure, here.
    """
    real = [record for record in ledger.records if is_scored(record.status) and record.metrics]
    if any(abs(objective.score(record.metrics) - record.score) > _SAME_SCORE for record in real):
        raise ResumeError(
            f"the trials in {folder} were searched for another figure than {objective.name}, by an older version of "
            "this program. Start a new run with --out"
        )


def _goes_on(study: _Study) -> bool:
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


def _searcher(
    space: SearchSpace,
    options: StudyOptions,
    first: Sequence[Configuration],
    context: StudyContext,
    service: ServiceClient | None,
    *,
    seed: int,
) -> Searcher:
    """The searcher of a study; its seed counts earlier trials that are in no state of its own, for one that has yet to
    learn would draw the same points again.
    """
    import searchers
    from searchers.context import StudySettings
    from searchers.finalists import FinalistSearch

    if options.finalists:
        settings = StudySettings(metric=SCORE, seed=seed, first_configs=options.finalists, worst_score=WORST_SCORE)
        return FinalistSearch(space, settings)
    return searchers.create(
        options.searcher,
        space,
        metric=SCORE,
        mode="max",
        seed=seed % 2**32,
        first_configs=first,
        context=context,
        service=service,
        worst_score=WORST_SCORE,
        **searchers.read_options(options.searcher, options.searcher_options),
    )


def _tell(searcher: Searcher, earlier: Sequence[TrialRecord], first: Sequence[Configuration]) -> None:
    """Let a searcher know of earlier trials, those of its first configurations before all others."""
    tried = [(record, record.hyperparameters.model_dump()) for record in earlier]
    for record, point in sorted(tried, key=lambda pair: pair[1] not in first):
        if hasattr(searcher, "observe"):  # one of somebody else's may not know how to
            searcher.observe(record.trial_id, point, record.proposed_by)
            told = {SCORE: record.score, "status": record.status, "reason": record.reason}
            searcher.on_trial_complete(record.trial_id, told)


def _first(options: StudyOptions, default_configuration: Configuration | None) -> list[Configuration]:
    """What the searcher proposes before anything of its own."""
    import searchers

    return [default_configuration] if default_configuration and searchers.needs_first_configs(options.searcher) else []


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


def _test_once(study: _Study) -> TestResult:
    """TEST figures of the winner; measured at the first call, read from the folder afterwards."""
    best, setup = study.best, study.setup
    stored = best / TEST_FILE
    known = read_test(stored)
    if known is not None:
        return known
    from autommlab.training.final_test import measure_winner

    tested = measure_winner(setup, study.options.need, best / "config.py", best / "checkpoint.pth", study.state.place)
    if tested.skipped:
        study.events.emit("warning", study.options.stage, tested.words_of_skipped())
    write_text(stored, tested.result.model_dump_json(indent=1))
    return tested.result


def _all_failed(records: list[TrialRecord]) -> str:
    if not records:
        return "no trial finished within the time budget; give more with --time"
    reasons = "\n".join(
        f"  trial {r.number} {r.status}: {r.reason.splitlines()[0] if r.reason else ''}" for r in records[:5]
    )
    trace = next((r.reason for r in records if "\n" in r.reason), "")
    return f"all {len(records)} trials failed:\n{reasons}" + (f"\nfirst failure in full:\n{trace}" if trace else "")
