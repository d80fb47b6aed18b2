"""A run that trackers follow."""

from pathlib import Path

import pytest

from tests.helpers.tracked_run import RunWriter, quick


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunWriter:
    """Its folder; trackers look at it often."""
    quick(monkeypatch.setattr)
    return RunWriter(tmp_path)
