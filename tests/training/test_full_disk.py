"""A real disk (a small tmpfs) that fills up while trials run: the message, and nothing lost."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from autommlab.cluster import ray_session
from autommlab.common.errors import StorageError
from autommlab.progress.events import Event, Events
from autommlab.tasks import Task
from autommlab.training.ledger import Ledger
from autommlab.training.study import run_study
from autommlab.training.study_at_work import LEDGER_FILE
from autommlab.training.study_options import StudyOptions
from tests.helpers.tiny_trials import small_space

pytestmark = pytest.mark.slow

SPACE = small_space(batch_size=(4, 4))
OPTIONS = StudyOptions(searcher="random", trials=2, max_concurrent=1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 MB: enough for a study, little enough to fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets the tests mount no file system of their own")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607


def fill(folder: Path) -> None:
    """Write until nothing more fits."""
    junk = folder / "junk"
    with junk.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 1_000_000):
                pass
        except OSError:
            return


def test_a_disk_that_fills_up_stops_the_study_clearly_and_it_goes_on_later(tiny_setups: dict, small_disk: Path) -> None:
    setup, folder = tiny_setups[Task.CLASSIFICATION], small_disk / "study"

    def fill_after_the_first_trial(event: Event) -> None:
        if event.kind == "trial":
            fill(small_disk)

    with ray_session():
        with pytest.raises(StorageError, match=r"No space left on device.*--resume"):
            run_study(setup, SPACE, OPTIONS, folder=folder, events=Events(fill_after_the_first_trial))
        kept = Ledger(folder / LEDGER_FILE).records
        assert kept, "the finished trial was lost"
        (small_disk / "junk").unlink()
        result = run_study(setup, SPACE, OPTIONS, folder=folder, events=Events())
    assert len(result.trials) == OPTIONS.trials
    assert result.trials[: len(kept)] == tuple(kept)
    assert result.checkpoint.exists()
