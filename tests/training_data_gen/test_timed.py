"""Runs within a time on sets of photos: order, what is typed, going on, and what is read from a run's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.api.runs import Run
from autommlab.common.errors import DataError
from autommlab.planning.records import Plan, Size
from autommlab.progress.events import Events
from tests.helpers.program import autommlab_here
from tests.helpers.record_table import finished_run
from training_data_gen.benchmarks.photo_sets import MEASURED_SETS, PHOTO_SETS, TRIED_SETS
from training_data_gen.benchmarks.timed import (
    RUNS_FILE,
    Job,
    TimedResult,
    TimedRun,
    Way,
    command_of,
    found_in,
    made_by_command,
    mean_test,
    order,
    run_timed,
)

SIGNS, BLOOD = PHOTO_SETS[:2]


class FakeRuns:
    """Makes no model: TEST is 0.9 for the search and 0.8 for everything else, at 96x96."""

    def __init__(self) -> None:
        self.made: list[tuple[str, Size | None]] = []

    def __call__(self, job: Job, folder: Path, data: Path, size: Size | None) -> TimedRun:
        self.made.append((job.key, size))
        test = 0.9 if job.way is Way.SEARCH else 0.8
        return TimedRun(
            photos=job.photos.name, figure="accuracy", wish=0.97, way=job.way, minutes=job.minutes, seed=job.seed,
            date="2026-12-01", test=test, input_size=(96, 96), seconds=60 * job.minutes * 1.02,
        )  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for photos in PHOTO_SETS:
        (tmp_path / "data" / photos.folder).mkdir(parents=True)
    return tmp_path / "data"


def test_whatever_is_cut_off_is_the_end_and_a_comparison_is_whole_before_the_next() -> None:
    keys = [job.key for job in order([SIGNS, BLOOD], [5, 20], 2, list(Way))]
    assert keys[:4] == ["signdigits/search/5/0", "signdigits/alone/5/0", "bccd/search/5/0", "bccd/alone/5/0"]
    assert keys[8:10] == ["signdigits/trials/0/0", "bccd/trials/0/0"]
    assert len(keys) == len(set(keys)) == 20


def test_what_is_typed_is_what_a_person_types(tmp_path: Path) -> None:
    typed = {way: command_of(Job(SIGNS, way, 5, 2), tmp_path / "run", tmp_path, None) for way in Way}
    assert typed[Way.SEARCH] == [
        "run", SIGNS.sentence, "--data", str(tmp_path / SIGNS.folder), "--seed", "2", "--time", "5", "--out",
        str(tmp_path / "run"),
    ]  # fmt: skip
    assert "--time" not in typed[Way.TRIALS]
    alone = command_of(Job(SIGNS, Way.ALONE, 5, 2), tmp_path / "run", tmp_path, (128, 96))
    assert alone[-6:-2] == ["--trials", "0", "--input-size", "128x96"]


def test_it_goes_on_where_it_was_and_takes_over_what_is_known(tmp_path: Path, data: Path) -> None:
    fake = FakeRuns()
    jobs = list(order([SIGNS], [5], 2, [Way.SEARCH, Way.ALONE]))
    first = run_timed(jobs[:1], tmp_path / "a", data, Events(), make=fake)
    assert (fake.made, len(first)) == ([("signdigits/search/5/0", None)], 1)
    run_timed(jobs[:2], tmp_path / "a", data, Events(), make=fake)
    assert fake.made[1:] == [("signdigits/alone/5/0", (96, 96))]
    joined = run_timed(jobs, tmp_path / "b", data, Events(), make=fake, known=first)
    assert [key for key, _ in fake.made[2:]] == [
        "signdigits/alone/5/0",
        "signdigits/search/5/1",
        "signdigits/alone/5/1",
    ]
    (line,) = TimedResult(runs=tuple(joined), command="c", date="d").lines()
    assert line.differences == pytest.approx([0.1, 0.1])
    assert line.most_off == pytest.approx(0.02)
    assert mean_test(line.search) == pytest.approx(0.9)
    assert mean_test(line.trials) is None


def test_what_a_finished_runs_folder_tells(tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run")
    folder.write("plan", Plan())
    run = Run(folder.path)
    told = found_in(run, "accuracy")
    assert (told["val"], told["test"], told["interval"]) == (0.5, 0.4, None)
    assert (told["trials"], told["finals"], told["steps"], told["proposed_by"]) == (2, 0, 11, "tpe")
    assert told["input_size"] == run.model.measured.input_size
    assert found_in(run, "F1")["test"] is None


def test_the_test_part_of_a_set_to_try_changes_on_is_not_there(tmp_path: Path, data: Path) -> None:
    for photos in PHOTO_SETS:
        for part in ("train/a/1.png", "val/a/2.png", "test/a/3.png", "annotations/val.json", "annotations/test.json"):
            (data / photos.folder / part).parent.mkdir(parents=True, exist_ok=True)
            (data / photos.folder / part).write_text(part)
    given: dict[str, set[str]] = {}

    def fake(job: Job, folder: Path, sets: Path, size: Size | None) -> TimedRun:
        files = (file for file in (sets / job.photos.folder).rglob("*") if file.is_file())
        given[job.photos.name] = {file.read_text() for file in files}
        return FakeRuns()(job, folder, sets, size)

    run_timed(list(order(PHOTO_SETS, [5], 1, [Way.SEARCH])), tmp_path / "out", data, Events(), make=fake)
    assert all(len(given[photos.name]) == 5 for photos in MEASURED_SETS)
    for photos in TRIED_SETS:
        assert given[photos.name] == {"train/a/1.png", "val/a/2.png", "annotations/val.json"}
        assert (tmp_path / "out/sets" / photos.folder / "test/a/2.png").is_file()
        assert (tmp_path / "out/sets" / photos.folder / "annotations/test.json").is_file()


def test_no_run_is_begun_when_its_hours_are_over(tmp_path: Path, data: Path) -> None:
    fake = FakeRuns()
    jobs = list(order([SIGNS], [5], 1, [Way.SEARCH]))
    assert run_timed(jobs, tmp_path / "a", data, Events(), make=fake, hours=1e-12) == []
    assert not fake.made


def test_a_run_without_a_model_is_kept_with_its_reason_and_counts_as_nothing(tmp_path: Path, data: Path) -> None:
    found = made_by_command(Job(SIGNS._replace(sentence=""), Way.SEARCH, 5, 0), tmp_path / "run", data, None)
    assert found.test is None
    assert "request" in found.problem.lower()
    (line,) = TimedResult(runs=(found,), command="c", date="d").lines()
    assert mean_test(line.search) == 0


def test_alone_without_its_search_and_a_set_that_is_not_there_are_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(DataError, match="needs the input size"):
        run_timed([Job(SIGNS, Way.ALONE, 5, 0)], tmp_path / "a", data, Events(), make=FakeRuns())
    with pytest.raises(DataError, match=r"classification_signdigits is not in .*--data-root"):
        run_timed([Job(SIGNS, Way.SEARCH, 5, 0)], tmp_path / "a", tmp_path, Events(), make=FakeRuns())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--sets", "signdigit"), "signdigits"),
        (("--ways", "alone"), "name both"),
        (("--ways", "fast"), "search, alone"),
        (("--minutes", "5,soon"), "whole numbers"),
    ],
)
def test_bad_options_are_told_before_anything_begins(tmp_path: Path, words: tuple[str, str], told: str) -> None:
    done = autommlab_here("bench", "time", "--out", str(tmp_path / "out"), *words)
    assert done.code != 0
    assert told in done.err
    assert not (tmp_path / "out" / RUNS_FILE).exists()
