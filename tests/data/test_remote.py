"""Data sets on a storage: fetched once, checked, brought up to date, and brought to nodes without the driver's disk."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from autommlab.common.errors import DataError, StorageError
from autommlab.common.storage import place_of
from autommlab.data import registry, remote
from autommlab.data.bag import select_bag
from autommlab.data.remote import SUMS_FILE, fetch_dataset
from autommlab.settings import PROFILES
from autommlab.storage.mirror import Mirror
from autommlab.tasks import Task
from autommlab.training.node_data import bring_bag
from autommlab.understanding.request import DataPart, ModelPart, ModelRequest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def stored(tmp_path: Path, shapes: Path) -> Path:
    """The shapes on a "storage": a copy that a test may change."""
    return Path(shutil.copytree(shapes, tmp_path / "bucket" / "materials"))


def uri_of(folder: Path) -> str:
    return f"file://{folder}"


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def write_sums(folder: Path) -> None:
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  ./{n}" for n in sorted(names(folder))]
    (folder / SUMS_FILE).write_text("\n".join(lines) + "\n")


def test_all_of_it_comes_once(home: Path, stored: Path) -> None:
    here = fetch_dataset(uri_of(stored))
    assert here.name == "materials"
    assert names(here) == names(stored)
    times = {name: (here / name).stat().st_mtime_ns for name in names(here)}
    assert fetch_dataset(uri_of(stored)) == here
    assert {name: (here / name).stat().st_mtime_ns for name in names(here)} == times


def test_what_changed_what_was_lost_and_what_is_gone_is_made_right(home: Path, stored: Path) -> None:
    here = fetch_dataset(uri_of(stored))
    first, second, third = sorted(names(stored))[:3]
    (stored / first).write_bytes((stored / first).read_bytes() + b"more")
    (here / second).write_bytes(b"torn")
    (stored / third).unlink()
    fetch_dataset(uri_of(stored))
    assert names(here) == names(stored)
    assert (here / first).read_bytes() == (stored / first).read_bytes()
    assert (here / second).read_bytes() == (stored / second).read_bytes()


def test_sums_are_held_against_the_files(home: Path, stored: Path) -> None:
    write_sums(stored)
    fetch_dataset(uri_of(stored))
    bad = sorted(name for name in names(stored) if name.endswith(".png"))[0]
    (stored / bad).write_bytes(b"another picture")
    with pytest.raises(DataError, match=f"{bad} is not what {SUMS_FILE} says"):
        fetch_dataset(uri_of(stored))
    write_sums(stored)
    assert (fetch_dataset(uri_of(stored)) / bad).read_bytes() == b"another picture"


def test_a_file_that_comes_in_part_is_not_taken_for_whole(
    home: Path, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = remote._offered
    longer = lambda place, target: {  # noqa: E731
        name: mark.model_copy(update={"size": mark.size + 1}) for name, mark in honest(place, target).items()
    }
    monkeypatch.setattr(remote, "_offered", longer)  # a fault: the storage promises more than it sends
    with pytest.raises(StorageError, match=r"bytes instead of .* goes on"):
        fetch_dataset(uri_of(stored))
    monkeypatch.undo()
    monkeypatch.setenv("AUTOMMLAB_HOME", str(home))
    assert names(fetch_dataset(uri_of(stored))) >= names(stored)


def test_nothing_there_is_said_clearly(home: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data set at file:///.*nowhere: there is no such folder"):
        fetch_dataset(uri_of(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="it holds no file"):
        fetch_dataset(uri_of(tmp_path / "empty"))
    with pytest.raises(StorageError, match="unheard://x is no storage"):
        fetch_dataset("unheard://x")


def test_a_set_is_registered_by_its_uri_and_found_by_name_and_uri(home: Path, stored: Path) -> None:
    spec = registry.add_dataset(uri_of(stored), name="materials-there")
    assert (spec.uri, spec.task) == (uri_of(stored), Task.CLASSIFICATION)
    assert registry.find_dataset("materials there") == registry.find_dataset(uri_of(stored)) == spec
    shutil.rmtree(spec.root)
    assert registry.load_dataset(spec).samples
    registry.remove_dataset("materials-there")
    assert registry.find_dataset(uri_of(stored)).classes == ()


def test_a_node_without_the_drivers_disk_fetches_the_set_itself(home: Path, stored: Path, tmp_path: Path) -> None:
    request = ModelRequest(data=DataPart(object=("brick", "sky")), model=ModelPart(task=Task.CLASSIFICATION))
    budget = PROFILES["laptop"].tasks[Task.CLASSIFICATION].model_copy(update={"images": (40, 10, 10)})
    run = tmp_path / "run"
    bag = select_bag(request, budget=budget, folder=run / "bag", seed=0, data=uri_of(stored))
    assert list(bag.fetched) == [uri_of(stored)]
    place = place_of(f"file://{tmp_path}/results/run")
    Mirror(place, run).push()
    shutil.rmtree(run)
    shutil.rmtree(home)

    bring_bag(bag, place)
    for split in bag.splits:
        for line in bag.annotation_file(split).read_text().splitlines():
            assert Path(line.rpartition(" ")[0]).is_file()
