"""Set-ups shared by the tests of training."""

import pytest

from autommlab.tasks import Task
from tests.helpers.tiny_trials import make_setup


@pytest.fixture(scope="session")
def tiny_setups(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """One small real set-up per task."""
    folder = tmp_path_factory.mktemp("tiny")
    return {task: make_setup(task, folder) for task in Task}
