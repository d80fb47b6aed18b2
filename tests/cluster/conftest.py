"""Set-ups shared by the tests of clusters."""

import pytest

from autommlab.tasks import Task
from autommlab.training.runner_config import TrialSetup
from tests.helpers.tiny_trials import make_setup


@pytest.fixture(scope="session")
def tiny_classification(tmp_path_factory: pytest.TempPathFactory) -> TrialSetup:
    """A small real set-up."""
    return make_setup(Task.CLASSIFICATION, tmp_path_factory.mktemp("tiny"))
