"""A small real Ray Tune study, run as a script so that a test can kill it.

Usage: quadratic_study.py FOLDER SEARCHER SCHEDULER TRIALS SECONDS_A_REPORT [restore]
Each report is appended to FOLDER/reports.jsonl by the trial itself.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import ray
from ray import tune

from searchers import create, create_scheduler
from searchers.testing import METRIC, SPACE, quadratic
from searchers.tune.snapshots import StudySnapshots, recover, save_often

KEY = b"of this study"

REPORTS = 3


class QuadraticTrial(tune.Trainable):
    """A trivial trainable: three reports of a quadratic; actors are reused."""

    def setup(self, config: dict[str, Any]) -> None:
        self.config = {name: config[name] for name in SPACE.names()}
        self.folder, self.seconds = Path(config["folder"]), config["seconds"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        time.sleep(self.seconds)
        report = self.iteration + 1
        with (self.folder / "reports.jsonl").open("a") as log:
            line = {"trial": self.trial_id, "config": self.config, "report": report, "process": os.getpid()}
            log.write(json.dumps(line) + "\n")
        return {METRIC: quadratic(self.config), "done": report == REPORTS}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        Path(checkpoint_dir, "configuration.json").write_text(json.dumps(self.config))

    def load_checkpoint(self, checkpoint: Any) -> None:
        """The report number, all that a trial has, is Tune's own."""


def start_ray() -> None:
    """A second try, because Ray gives its own node a fixed 30 s to come up on a busy machine."""
    for attempt in (1, 2, 3):
        try:
            ray.init(num_cpus=2, include_dashboard=False, _temp_dir=os.environ["RAY_FOLDER"], log_to_driver=False)
        except Exception:  # Ray raises just that
            ray.shutdown()
            if attempt == 3:
                raise
        else:
            return


def main(folder: Path, searcher: str, scheduler: str, trials: int, seconds: float, restore: bool) -> None:
    trainable = tune.with_resources(QuadraticTrial, {"cpu": 1})
    start_ray()
    constants = {"folder": str(folder), "seconds": seconds}
    save_often()
    if restore:
        recover(folder / "study", key=KEY)
        tuner = tune.Tuner.restore(str(folder / "study"), trainable, param_space=constants)
    else:
        tuner = tune.Tuner(
            trainable,
            param_space=constants,
            tune_config=tune.TuneConfig(
                search_alg=create(searcher, SPACE, metric=METRIC, seed=0),
                scheduler=create_scheduler(scheduler, metric=METRIC, max_t=REPORTS),
                num_samples=trials,
                max_concurrent_trials=1 if scheduler == "none" else 2,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="study", storage_path=str(folder), verbose=0, callbacks=[StudySnapshots(KEY)]
            ),
        )
    results = tuner.fit()
    last = [results[number].metrics or {} for number in range(len(results))]
    summary = [{"id": metrics["trial_id"], "reports": metrics["training_iteration"]} for metrics in last]
    (folder / "summary.json").write_text(json.dumps(summary))
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]), "restore" in sys.argv)
