"""`autommlab data ...` as a person types it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autommlab.cli.data import data_app
from autommlab.common.errors import DataError
from tests.helpers import layouts


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(data_app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_add_list_show_remove(tmp_path: Path) -> None:
    root = layouts.coco_detection_plain(tmp_path / "yard")
    told = run("add", root).stdout
    assert "yard: detection, layout coco-detection, 2 classes: person, dog" in told
    listed = json.loads(run("list", "--task", "detection", "--json").stdout)
    (mine,) = [entry for entry in listed if not entry["embedded"]]
    assert (mine["name"], mine["found"], mine["classes"]) == ("yard", True, ["person", "dog"])
    assert {entry["task"] for entry in listed} == {"detection"}
    table = run("list").stdout
    assert "yard" in table
    assert "embedded" in table
    shown = run("show", "Yard").stdout
    (dogs,) = [line for line in shown.splitlines() if "dog" in line]
    assert [int(word) for word in dogs.split() if word.isdigit()] == [4, 2, 2, 8]
    assert "forgot yard" in run("remove", "yard").stdout
    assert "yard" not in run("list").stdout


def test_show_json(tmp_path: Path) -> None:
    root = layouts.index_masks(tmp_path / "cells")
    counted = json.loads(run("show", root, "--json").stdout)
    assert counted["images"] == {"train": 4, "val": 2, "test": 2}
    assert counted["per_class"]["wall"] == {"train": 4, "val": 2, "test": 2}
    assert counted["problems"] == 0


def test_show_of_an_embedded_set_draws_nothing_unless_a_class_is_asked_for(tmp_path: Path) -> None:
    planned = json.loads(run("show", "openmoji-objects", "--json").stdout)
    assert planned["per_class"]["cat"]["train"] > 50
    assert planned["images"]["train"] == sum(tally["train"] for tally in planned["per_class"].values())
    assert not (tmp_path / "home").exists()
    drawn = json.loads(run("show", "openmoji-objects", "--class", "cat", "--json").stdout)
    assert drawn["per_class"] == {"cat": planned["per_class"]["cat"]}


def test_show_of_a_class_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(data_app, ["show", str(layouts.image_folders(tmp_path / "a")), "--class", "cow"])
    assert isinstance(result.exception, DataError)
    assert "unknown class 'cow'" in str(result.exception)


def test_preview(tmp_path: Path) -> None:
    root, out = layouts.coco_keypoints(tmp_path / "people"), tmp_path / "sheet.png"
    assert f"wrote {out}" in run("preview", root, "--out", out, "--split", "val", "--class", "person").stdout
    assert out.read_bytes().startswith(b"\x89PNG")


def test_check_without_problem(tmp_path: Path) -> None:
    assert "8 images, no problem found" in run("check", layouts.coco_detection_plain(tmp_path / "a")).stdout


def test_check_with_warnings_only_exits_0(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "a")
    (root / "train" / "owl").mkdir()
    told = run("check", root).stdout
    assert "empty-class" in told
    assert "0 error(s), 1 warning(s)" in told


def test_check_with_errors_exits_3(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "a")
    (root / "train" / "cat" / "0.jpg").write_bytes(b"")
    told = run("check", root, code=3).stdout
    assert "train/cat/0.jpg" in told
    assert "1 error(s)" in told
    (problem,) = json.loads(run("check", root, "--json", code=3).stdout)
    assert (problem["kind"], problem["severity"]) == ("corrupt-image", "error")


def test_check_of_a_set_without_any_usable_image_still_lists(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "a")
    for path in root.rglob("*.jpg"):
        path.write_bytes(b"")
    problems = json.loads(run("check", root, "--json", code=3).stdout)
    assert [problem["kind"] for problem in problems].count("corrupt-image") == 10


def test_brackets_in_names_are_printed_as_they_are(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "a", ("cat [red]", "dog"))
    assert "cat [red]" in run("show", root).stdout
    (root / "train" / "cat [red]" / "0.jpg").write_bytes(b"")
    assert "train/cat [red]/0.jpg" in run("check", root, code=3).stdout


def test_ambiguous_folder_needs_the_task(tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "voc")
    result = CliRunner().invoke(data_app, ["add", str(root)])
    assert isinstance(result.exception, DataError)
    assert "--task detection" in str(result.exception)
    run("add", root, "--task", "segmentation", "--name", "streets")
    assert "segmentation, pascal-voc" in run("show", "streets").stdout


@pytest.mark.parametrize("command", [["show", "nothing"], ["check", "nothing"], ["remove", "nothing"]])
def test_unknown_name_is_left_to_the_main_program(command: list[str]) -> None:
    result = CliRunner().invoke(data_app, command)
    assert isinstance(result.exception, DataError)
    assert "no data set 'nothing'" in str(result.exception)


@pytest.mark.parametrize("command", ["check", "show", "preview"])
def test_a_class_that_is_not_there_is_never_passed_over(command: str, tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "a")
    arguments = [
        command,
        str(root),
        "--class",
        "banana",
        *(["--out", str(tmp_path / "x.png")] * (command == "preview")),
    ]
    result = CliRunner().invoke(data_app, arguments)
    assert isinstance(result.exception, DataError)
    assert "unknown class 'banana'. Known: cat, dog" in str(result.exception)


@pytest.mark.parametrize("name", ["a/../x", "..", "-x", "~me", "s3://b", "a\\b", "a\nb", "x" * 101])
def test_a_name_that_a_command_takes_for_something_else_is_refused(name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(data_app, ["add", str(layouts.image_folders(tmp_path / "a")), f"--name={name}"])
    assert isinstance(result.exception, DataError)
    assert "cannot be the name of a data set" in str(result.exception)
    assert not (tmp_path / "home").exists()


def test_names_stand_whole_in_a_narrow_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = "Cherry_(including_sour)___Powdery_mildew_and_some_more_words_that_make_it_longer_than_a_line"
    root = layouts.image_folders(tmp_path / f"my set {'of many words ' * 6}".strip(), (long, "dog"))
    (root / "train" / long / f"{'x' * 90}.jpg").write_bytes(b"")
    assert long in run("add", root).stdout
    listed = run("list").stdout
    assert root.name in listed
    assert str(root) in listed
    assert long in run("show", root.name).stdout
    told = run("check", root.name, code=3).stdout
    assert f"train/{long}/{'x' * 90}.jpg" in told


def test_a_long_check_tells_in_a_log_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autommlab.data.at_work.EVERY_S", 0)
    told = run("check", layouts.image_folders(tmp_path / "set"))
    assert "pictures checked" in told.stderr
    assert "pictures checked" not in told.stdout
