"""On the project's own space and context the searchers propose what the published figures were made with."""

from __future__ import annotations

import hashlib
import json

import pytest

from autommlab import settings
from autommlab.common.trial_status import WORST_SCORE
from autommlab.tasks import Task
from autommlab.training.search_space import search_space
from searchers import StudyContext, create
from searchers.space import Configuration
from searchers.testing import METRIC, ask_and_tell

DEFAULT: Configuration = {
    "iterations": 60, "batch_size": 8, "optimizer": "SGD", "lr": 0.01, "weight_decay": 1e-4, "lr_schedule": "StepLR",
}  # fmt: skip
CONTEXT = StudyContext(
    facts={
        "task": "classification", "model": "EfficientNet-Lite0", "params M": 3.38, "GFLOPs": 0.03,
        "weights": "pretrained", "input": "64x64", "classes": 4, "train images": 320, "val images": 80,
        "dataset": "clothes",
    },
    default=DEFAULT,
)  # fmt: skip
TRIALS = 16


def digest(configs: list[Configuration]) -> str:
    """Of all proposals, to six digits: the last ones are the machine's."""
    told = [[f"{v:.6g}" if isinstance(v, float) else v for v in config.values()] for config in configs]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("random", "7d2bbf529307"),
        ("default", "943ae0e0f852"),
        ("sobol", "296b94fb3b5d"),
        ("tpe", "4d1c586f54b3"),
        ("tpe-few+default", "13739cc59fe3"),
        ("cmaes", "fff35819eaf7"),
        ("zero-shot", "e5fbea940bf2"),
        ("surrogate", "f81730ae3a54"),
        ("surrogate-grid", "582f283158cb"),
    ],
)
def test_proposals_are_those_of_the_published_figures(name: str, expected: str) -> None:
    space = search_space(settings.profile("laptop").tasks[Task.CLASSIFICATION])
    first = [DEFAULT] if name.endswith("default") else []
    searcher = create(name, space, metric=METRIC, seed=3, first_configs=first, context=CONTEXT, worst_score=WORST_SCORE)
    assert digest(ask_and_tell(searcher, TRIALS)) == expected
