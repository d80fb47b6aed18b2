"""Zipped data sets: every layout, and nothing that leads out of the folder or fills the disk."""

import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autommlab.common.errors import DataError
from autommlab.data import archives, readers, registry
from autommlab.data.bag_choice import set_given
from autommlab.tasks import Task
from tests.helpers import layouts


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("AUTOMMLAB_HOME", str(folder))
    return folder


def zipped(root: Path, target: Path, top: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, Path(top) / path.relative_to(root))
    return target


@pytest.mark.parametrize("layout", layouts.BUILDERS)
def test_a_zipped_set_is_what_its_folder_is(layout: str, tmp_path: Path, home: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    task = readers.candidates(root)[0][1]
    plain = readers.get(layout).read(registry.add_dataset(root, "plain", task))
    archive = zipped(root, tmp_path / "my set.ZIP")
    spec = registry.add_dataset(archive, task=task)
    assert (spec.name, spec.layout, spec.task) == ("my set", layout, task)
    assert spec.root.is_relative_to(home)
    loaded = registry.load_dataset(registry.find_dataset("my set"))
    assert [(s.image.relative_to(spec.root), s.instances, s.label) for s in loaded.samples] == [
        (s.image.relative_to(root), s.instances, s.label) for s in plain.samples
    ]
    assert registry.add_dataset(archive, task=task) == spec


def test_a_folder_around_the_set_is_taken_off(tmp_path: Path) -> None:
    archive = zipped(layouts.image_folders(tmp_path / "set"), tmp_path / "pets.zip", "a/b")
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("__MACOSX/._a", b"x")
        more.writestr("a/.DS_Store", b"x")
    assert registry.find_dataset(str(archive)).root.name == "b"
    assert set_given(str(archive), Task.CLASSIFICATION).layout == "image-folders"


def entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


HOSTILE = {
    "traversal": (entry("../../evil.txt"), "leads out of it"),
    "inner traversal": (entry("a/../../../evil.txt"), "leads out of it"),
    "absolute": (entry("/evil.txt"), "leads out of it"),
    "drive": (entry("C:\\evil.txt"), "leads out of it"),
    "backslashes": (entry("..\\..\\evil.txt"), "leads out of it"),
    "long name": (entry("x" * 300 + ".txt"), "cannot be written"),
    "line break": (entry("a\nb.txt"), "cannot be written"),
    "link": (entry("etc", stat.S_IFLNK | 0o777), "is a link or a device"),
    "device": (entry("null", stat.S_IFCHR | 0o666), "is a link or a device"),
    "pipe": (entry("pipe.jpg", stat.S_IFIFO | 0o666), "is a link or a device"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(kind: str, tmp_path: Path, home: Path) -> None:
    info, told = HOSTILE[kind]
    archive = zipped(layouts.image_folders(tmp_path / "set"), tmp_path / "set.zip")
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr(info, "/etc")
    with pytest.raises(DataError, match=told):
        registry.add_dataset(archive)
    left = [path for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == []
    assert not (tmp_path / "evil.txt").exists()


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_FREE_GROWTH_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(10_000_000))
    with pytest.raises(DataError, match="unpacks to more than 100 times its size"):
        registry.add_dataset(tmp_path / "bomb.zip")
    monkeypatch.setattr(archives, "_MOST_FILES", 3)
    with pytest.raises(DataError, match="holds 19 files, at most 3"):
        registry.add_dataset(zipped(layouts.image_folders(tmp_path / "set"), tmp_path / "many.zip"))


def test_what_is_no_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK\3\4 no archive")
    with pytest.raises(DataError, match=r"x.zip: cannot be unpacked .* Zip the folder again"):
        registry.add_dataset(tmp_path / "x.zip")
    with pytest.raises(DataError, match="does not exist"):
        registry.add_dataset(tmp_path / "y.zip")
    os.mkfifo(tmp_path / "z.zip")
    with pytest.raises(DataError, match="is a file, not a folder"):
        registry.add_dataset(tmp_path / "z.zip")


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), min_size=1, max_size=4))
def test_a_damaged_archive_is_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, splices: list[tuple[float, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("zips")
    layouts.write_lines(folder / "set" / "a.txt", ["x" * 50])
    layouts.write_lines(folder / "set" / "b" / "c.txt", ["y" * 50])
    archive = zipped(folder / "set", folder / "set.zip")
    content = bytearray(archive.read_bytes())
    for at, fresh in splices:
        start = int(at * len(content))
        content[start : start + len(fresh)] = fresh
    archive.write_bytes(content)
    try:
        root = archives.unpacked(archive)
    except DataError:
        return
    assert all(path.is_relative_to(root) and not path.is_symlink() for path in root.rglob("*"))
