"""Set-ups shared by the tests of clusters."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

from tiny import make_setup

from autommlab.tasks import Task
from autommlab.training.runner_config import TrialSetup


@pytest.fixture(scope="session")
def tiny_classification(tmp_path_factory: pytest.TempPathFactory) -> TrialSetup:
    """A small real set-up."""
    return make_setup(Task.CLASSIFICATION, tmp_path_factory.mktemp("tiny"))
