"""One tiny real service for all tests of this folder, with three adapters at hand."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from serve.lifecycle import ServiceAddress
from serve.settings import ServiceSettings
from serve.testing import running_service, tiny_adapter, tiny_settings

API_KEY = "test-key"
_FOLDER = Path(__file__).parent
_RUNNING: list[ServiceAddress] = []
_ENDS = contextlib.ExitStack()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ServiceSettings:
    return tiny_settings(tmp_path_factory.mktemp("tiny-service"), api_key=API_KEY)


@pytest.fixture(scope="session")
def adapters(tiny: ServiceSettings) -> dict[str, Path]:
    base = Path(tiny.base_model)
    return {f"voice-{seed}": tiny_adapter(base, base.parent / f"adapter-{seed}", seed) for seed in (1, 2, 3)}


@pytest.fixture(scope="module")
def service(tiny: ServiceSettings) -> ServiceAddress:
    """Started for the first module that asks for it, and again if tests of other folders came between."""
    if not _RUNNING:
        _RUNNING.append(_ENDS.enter_context(running_service(tiny)))
    return _RUNNING[0]


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """The service ends with the tests of this folder: for the rest of the session it would take a fifth of a core."""
    if nextitem is None or _FOLDER not in nextitem.path.parents:
        _RUNNING.clear()
        _ENDS.close()
