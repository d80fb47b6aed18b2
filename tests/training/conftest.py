"""Set-ups shared by the tests of training."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tiny import make_setup

from autommlab.tasks import Task


@pytest.fixture(scope="session")
def tiny_setups(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """One small real set-up per task."""
    folder = tmp_path_factory.mktemp("tiny")
    return {task: make_setup(task, folder) for task in Task}
