"""TEST figures of every trial of a finished study, for tables on which searchers are replayed."""

from __future__ import annotations

import json
from pathlib import Path

from autommlab.common.files import write_text
from autommlab.tasks import Task
from autommlab.training.study import ALL_FOLDER, TEST_FILE
from autommlab.training.study_log import CHECKPOINT_FILE
from autommlab.training.trainable import CONFIG_FILE


def measure_all(folder: Path, task: Task) -> dict[int, dict[str, float]]:
    """Measure the trials whose weights the study in `folder` kept; each once, then its weights are deleted.

    Returns:
        Number of a trial -> canonical figure -> fraction.
    """
    from autommlab.training.trial import evaluate

    found = {}
    for trial in sorted((folder / ALL_FOLDER).glob("*")):
        stored, weights = trial / TEST_FILE, trial / CHECKPOINT_FILE
        if not stored.exists():
            write_text(stored, json.dumps(evaluate(trial / CONFIG_FILE, weights, task), indent=1))
        weights.unlink(missing_ok=True)
        found[int(trial.name)] = json.loads(stored.read_text(encoding="utf-8"))
    return found
