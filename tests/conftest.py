"""Shared by all tests.

Tiers: plain tests need no network and no Ray; `slow` ones train, export or start
Ray; `gpu` ones need a CUDA device. Every test writes under `tmp_path` only, and
the caches of AutoMMLab go to one folder per session unless AUTOMMLAB_HOME says otherwise.
"""

import os

import pytest

from autommlab.compat import prepare_ray_environment

# Before any test module imports Ray, and for every process that a test starts: under `uv run pytest`
# Ray's hook for uv would otherwise try to build the environment anew in each worker.
prepare_ray_environment()


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's own caches and registry out of the tests."""
    os.environ["AUTOMMLAB_HOME"] = str(tmp_path_factory.mktemp("autommlab-home"))
    os.environ.pop("RAY_ADDRESS", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip GPU tests with a reason where there is no GPU."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))
