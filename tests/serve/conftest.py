"""One tiny real service for all tests of this folder, with three adapters at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.lifecycle import ServiceAddress
from serve.settings import ServiceSettings
from serve.testing import running_service, tiny_adapter, tiny_settings

API_KEY = "test-key"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ServiceSettings:
    return tiny_settings(tmp_path_factory.mktemp("tiny-service"), api_key=API_KEY)


@pytest.fixture(scope="session")
def adapters(tiny: ServiceSettings) -> dict[str, Path]:
    base = Path(tiny.base_model)
    return {f"voice-{seed}": tiny_adapter(base, base.parent / f"adapter-{seed}", seed) for seed in (1, 2, 3)}


@pytest.fixture(scope="session")
def service(tiny: ServiceSettings) -> Iterator[ServiceAddress]:
    with running_service(tiny) as address:
        yield address
