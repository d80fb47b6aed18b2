"""The benchmark of large data sets, on small ones."""

from pathlib import Path

import pytest

from autommlab.common.errors import RequestError
from autommlab.data import registry
from autommlab.data.check import check_dataset
from autommlab.data.recognise import recognise
from autommlab.speed.big_data import Cost, measure_data, steps_named, with_older
from autommlab.speed.big_sets import make_set
from autommlab.tasks import Task


@pytest.mark.parametrize("task", list(Task))
def test_a_made_set_is_sound(tmp_path: Path, task: Task) -> None:
    make_set(tmp_path / "bench", task, 200, mask_size=(64, 32))
    dataset = registry.load_dataset(recognise(tmp_path / "bench"))
    assert (dataset.spec.task, len(dataset.samples)) == (task, 200)
    assert {sample.split for sample in dataset.samples} == {"train", "val"}
    assert check_dataset(dataset) == []


def test_steps_tell_seconds_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autommlab.speed.big_data._SETTLE_S", 0)
    told: list[str] = []
    found = measure_data(Task.DETECTION, (2,), images=50, steps=("select",), folder=tmp_path, tell=told.append)
    assert [(one.scale, one.images, one.step) for one in found] == [(2, 100, "select")]
    assert all(one.seconds > 0 and one.memory_mb >= one.imports_mb > 10 for one in found)
    assert "add, detection with 100 pictures" in told  # a step that others need is taken, too
    assert not list(tmp_path.iterdir())


def test_figures_take_the_place_of_older_ones() -> None:
    old = Cost(
        task=Task.DETECTION, scale=1, images=9, megabytes=1, step="add", seconds=3, cpu_s=3, memory_mb=2, imports_mb=1,
        workers_mb=0,
    )  # fmt: skip
    known = with_older([old, old.model_copy(update={"step": "check"})], [old.model_copy(update={"seconds": 1.0})])
    assert [(one.step, one.seconds) for one in known] == [("add", 1.0), ("check", 3.0)]


def test_an_unknown_step_names_the_known() -> None:
    assert steps_named(["load", "add"]) == ("add", "load")
    with pytest.raises(RequestError, match=r"ad.*add"):
        steps_named(["ad"])
