"""What Ray Tune, our searcher and our snapshots cost around many trials at once; the trials only sleep."""

from __future__ import annotations

import heapq
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ConfigDict

from autommlab import settings
from autommlab.common.errors import TrainingError
from autommlab.common.private_ray import prepare_ray_environment, start_private_ray, stop_private_ray
from autommlab.common.trial_status import SCORE
from autommlab.speed.suggestions import pauses
from autommlab.tasks import Task
from autommlab.training.search_space import search_space
from autommlab.training.tune_settings import quiet_tune
from searchers import create

#: Seconds between two looks at the driver's memory.
_LOOK_S = 1.0
#: Bytes of Ray's object store; sleeping trials put next to nothing into it.
_STORE_BYTES = 200 * 2**20


class ScaleResult(BaseModel):
    """Figures of one run of the benchmark.

    Attributes:
        trials, finished, slots, trial_s: budget, trials that reported, trials at once, and how long each sleeps.
        seconds: from the first trial's begin to the last one's end.
        ideal_s: the same if all slots began at once and none ever waited.
        started_ideal_s: the same from the moments at which the slots really began: what beginning a process for
            each slot takes depends on the machine, not on the driver.
        slots_used: slots that ran at least one trial.
        start_s: from the call to the first trial's begin, and on until all slots had begun one.
        waiting: fraction of the slots' time between two trials.
        longest_s: longest such pause.
        driver_cpu: CPU seconds of the driver per trial, Tune, searcher and snapshots together.
        memory_mb: the driver's resident memory when a quarter, a half, three quarters and all trials had ended.
        state_mb: size of the study's saved state at the end.
    """

    model_config = ConfigDict(frozen=True)

    searcher: str
    trials: int
    finished: int
    slots: int
    trial_s: float
    seconds: float
    ideal_s: float
    started_ideal_s: float
    slots_used: int
    start_s: tuple[float, float]
    waiting: float
    longest_s: float
    driver_cpu: float
    memory_mb: tuple[float, float, float, float]
    state_mb: float

    @property
    def overhead(self) -> float:
        """Fraction of the ideal time that was needed beyond it, the processes' start included."""
        return self.seconds / self.ideal_s - 1

    @property
    def driver_overhead(self) -> float:
        """The same without the processes' start."""
        return self.seconds / self.started_ideal_s - 1


def measure_scale(
    *,
    searcher: str = "random",
    trials: int = 1000,
    slots: int = 64,
    trial_s: float = 30.0,
    tell: Callable[[str], None] = lambda _: None,
) -> ScaleResult:
    """Run one study of sleeping trials on a private Ray that believes it has `slots` CPUs.

    Args:
        searcher: proposes the configurations; one that needs no LLM.
        trials, slots, trial_s: budget, trials at once, seconds that each sleeps.
        tell: told what is being done.
    """
    prepare_ray_environment()
    quiet_tune()

    tell(f"{trials} sleeping trials of {trial_s:g} s, {slots} at a time")
    start_private_ray(num_cpus=slots, object_store_memory=_STORE_BYTES)
    try:
        with tempfile.TemporaryDirectory(prefix="autommlab-bench-") as folder, _Memory() as memory:
            called, cpu = time.time(), time.process_time()
            reports = _study(searcher, trials, slots, trial_s, Path(folder))
            cpu = time.process_time() - cpu
            state = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    finally:
        stop_private_ray()
    return _result(reports, searcher, (trials, slots, trial_s), called=called, cpu=cpu, memory=memory, state=state)


def _study(searcher: str, trials: int, slots: int, trial_s: float, folder: Path) -> list[dict[str, Any]]:
    from ray import tune

    from autommlab.common.signing import run_key
    from autommlab.speed.sleeping_trial import SleepingTrial
    from autommlab.training.study_log import Silent
    from searchers.tune.fair_share import FairShare
    from searchers.tune.schedulers import create_scheduler
    from searchers.tune.snapshots import StudySnapshots, save_often

    save_often()
    space = search_space(settings.profile("laptop").tasks[Task.CLASSIFICATION])
    limited = FairShare(create(searcher, space, metric=SCORE, mode="max", seed=0), slots, share=lambda: 1.0)
    done = tune.run(
        tune.with_parameters(SleepingTrial, seconds=trial_s),
        name="bench",
        storage_path=str(folder),
        search_alg=limited,
        scheduler=create_scheduler("none", metric=SCORE, mode="max", max_t=1, share=limited),
        num_samples=trials,
        resources_per_trial={"cpu": 1},
        reuse_actors=True,
        raise_on_failed_trial=False,
        callbacks=[StudySnapshots(run_key())],
        verbose=0,
        progress_reporter=Silent(),
    )
    return [trial.last_result for trial in done.trials if "ended" in trial.last_result]


class _Memory:
    """The driver's resident memory over time, watched from a thread."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def at(self, moment: float) -> float:
        """Megabytes at the last look before `moment` (Unix time)."""
        before = [megabytes for when, megabytes in self._seen if when <= moment]
        return (before or [megabytes for _, megabytes in self._seen[:1]] or [0.0])[-1]

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._stop.is_set():
            self._seen.append((time.time(), process.memory_info().rss / 1e6))
            self._stop.wait(_LOOK_S)


def _result(
    reports: list[dict[str, Any]],
    searcher: str,
    size: tuple[int, int, float],
    *,
    called: float,
    cpu: float,
    memory: _Memory,
    state: int,
) -> ScaleResult:
    trials, slots, trial_s = size
    if not reports:
        raise TrainingError(f"none of {trials} sleeping trials reported; fewer --slots need less memory")
    begins, ends = sorted(r["began"] for r in reports), sorted(r["ended"] for r in reports)
    first_of_each: dict[int, float] = {}
    for report in sorted(reports, key=lambda r: r["began"]):
        first_of_each.setdefault(report["worker"], report["began"])
    started = sorted(first_of_each.values())
    waiting, longest = pauses(reports)
    quarters = tuple(memory.at(ends[max(0, round(len(ends) * k / 4) - 1)]) for k in (1, 2, 3, 4))
    return ScaleResult(
        searcher=searcher, trials=trials, finished=len(reports), slots=slots, trial_s=trial_s,
        seconds=ends[-1] - begins[0], ideal_s=-(-len(reports) // slots) * trial_s,
        started_ideal_s=last_end(started, len(reports), trial_s) - begins[0],
        slots_used=len(started),
        start_s=(begins[0] - called, started[-1] - begins[0]),
        waiting=waiting, longest_s=longest, driver_cpu=cpu / len(reports),
        memory_mb=quarters, state_mb=state / 1e6,
    )  # fmt: skip


def last_end(starts: list[float], trials: int, trial_s: float) -> float:
    """When the last of `trials` ends if each slot, free from its start on, takes the next one at once."""
    free = list(starts)
    heapq.heapify(free)
    last = free[0]
    for _ in range(trials):
        last = free[0] + trial_s  # never before the one that began earlier
        heapq.heapreplace(free, last)
    return last
