"""What was read of a large set is kept, and read anew when anything of it has changed."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from autommlab.data import index, readers, registry
from autommlab.data.drawn_masks import DrawnMask
from autommlab.data.readers.coco_json import CocoFile, CocoSet
from autommlab.data.recognise import recognise
from autommlab.data.records import DatasetSpec
from tests.helpers.bag_sets import picture
from tests.helpers.layouts import BUILDERS, coco_detection, image_folders


@pytest.fixture(autouse=True)
def _every_set_is_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(index, "LEAST_IMAGES", 1)
    monkeypatch.setattr(index, "_SETTLED_NS", 0)


def _specs(layout: str, root: Path) -> list[DatasetSpec]:
    BUILDERS[layout](root)
    reader = readers.get(layout if layout in readers.READERS else recognise(root).layout)
    return [recognise(root, task=task, layout=reader.layout) for task in reader.detect(root)]


def _kept(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "home" / "index").glob("*"))


@pytest.mark.parametrize("layout", BUILDERS)
def test_a_kept_set_is_the_read_one(tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = _specs(layout, tmp_path / "set")
    first = [registry.load_dataset(spec) for spec in specs]
    drawn = [found for found in first if isinstance(found.samples[0].mask, DrawnMask)]
    assert len(_kept(tmp_path)) + len(drawn) == len(specs) > 0
    if drawn:
        return
    monkeypatch.setattr(readers, "get", lambda _: pytest.fail("read again"))
    assert [registry.load_dataset(spec) for spec in specs] == first
    # The registry keeps the classes and aliases that were found.
    assert [registry.load_dataset(found.spec) for found in first] == first


def _spec(root: Path) -> DatasetSpec:
    return recognise(coco_detection(root))


def test_changed_annotations_are_read(tmp_path: Path) -> None:
    spec = _spec(tmp_path / "set")
    before = registry.load_dataset(spec)
    file = next((tmp_path / "set").rglob("instances_train*.json"))
    times = file.stat()
    content = json.loads(file.read_text())
    content["categories"][0]["name"] = "wolf"[: len(content["categories"][0]["name"])]
    file.write_text(json.dumps(content).replace(", ", ",").ljust(times.st_size))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # neither size nor time tell of it
    assert file.stat().st_size == times.st_size
    assert set(registry.load_dataset(spec).classes) != set(before.classes)


@pytest.mark.parametrize("change", ["add", "delete", "overwrite"])
def test_changed_pictures_are_read(tmp_path: Path, change: str) -> None:
    spec = recognise(image_folders(tmp_path / "set"))
    before = registry.load_dataset(spec)
    image = before.samples[0].image
    if change == "add":
        picture(image.with_name("new.png"), 1)
    elif change == "delete":
        image.unlink()
    else:
        image.write_bytes(picture(tmp_path / "other.png", 7).read_bytes())
    assert registry.load_dataset(spec).samples != before.samples


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "foreign"])
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage: str) -> None:
    spec = _spec(tmp_path / "set")
    before = registry.load_dataset(spec)
    (kept,) = _kept(tmp_path)
    content = kept.read_bytes()
    middle = content.index(b".jpg") if b".jpg" in content else len(content) // 2
    kept.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "empty": b"",
            "flipped": content[:middle] + b"x" + content[middle + 1 :],
            "foreign": b"{}" * 500,
        }[damage]
    )
    assert registry.load_dataset(spec) == before
    assert kept.read_bytes() == content


def test_a_set_that_has_just_changed_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_SETTLED_NS", 10**15)
    registry.load_dataset(_spec(tmp_path / "set"))
    assert not _kept(tmp_path)


def test_a_set_of_pictures_elsewhere_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = _spec(tmp_path / "set")
    found = readers.get(spec.layout).read(spec)
    found.samples[0] = replace(found.samples[0], image=picture(tmp_path / "elsewhere.png", 3))
    reader = replace(readers.get(spec.layout), parse=lambda _: found)
    monkeypatch.setattr(readers, "get", lambda _: reader)
    assert registry.load_dataset(spec) == found
    assert not _kept(tmp_path)


def test_a_full_disk_only_costs_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "index").write_text("in the way")
    loaded = registry.load_dataset(_spec(tmp_path / "set"))
    assert loaded.samples
    assert "read again next time" in caplog.text


def test_an_added_set_is_parsed_once_and_a_removed_one_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[object] = []
    read = CocoSet.read

    def counting(self: CocoSet, file: CocoFile, content: object) -> None:
        parsed.append(file)
        read(self, file, content)

    monkeypatch.setattr(CocoSet, "read", counting)
    spec = registry.add_dataset(coco_detection(tmp_path / "set"), "mine")
    files = len(parsed)
    registry.load_dataset(registry.find_dataset("mine"))
    assert len(parsed) == files > 0
    registry.remove_dataset(spec.name)
    assert not _kept(tmp_path)
