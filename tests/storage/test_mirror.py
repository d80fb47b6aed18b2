"""The copy of a run folder on a storage: a real one of files, and one in memory that behaves like an object store."""

import shutil
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow.fs import FSSpecHandler, PyFileSystem

from autommlab.common.errors import ResumeError, StorageError
from autommlab.common.storage import Place, is_uri, place_of, working_folder
from autommlab.progress.events import Events
from autommlab.storage.mirror import Mirror, Mirroring
from autommlab.storage.run_target import run_target


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return place_of(f"file://{tmp_path}/storage/run")
    MemoryFileSystem.store.clear()
    return Place("memory://bucket/run", PyFileSystem(FSSpecHandler(MemoryFileSystem())), "bucket/run")


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): path.read_text() for path in files if path.name != "mirror.json"}


def test_another_machine_gets_what_was_pushed(place: Place, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    write(here, options_DOT_json="{}", study__best__checkpoint_DOT_pth="weights", study__trials_DOT_jsonl="1\n")
    mirror = Mirror(place, here)
    assert mirror.push() == 3
    assert Mirror(place, there).fetch()
    assert tree(there) == tree(here)


def test_only_new_and_changed_files_are_copied(place: Place, tmp_path: Path) -> None:
    write(tmp_path / "here", a_DOT_txt="a", b_DOT_txt="b")
    mirror = Mirror(place, tmp_path / "here")
    assert [mirror.push(), mirror.push()] == [2, 0]
    write(tmp_path / "here", b_DOT_txt="longer", c_DOT_txt="c")
    assert Mirror(place, tmp_path / "here").push() == 2


def test_locks_drafts_and_rays_own_state_stay(place: Place, tmp_path: Path) -> None:
    write(tmp_path / "here", _DOT_lock="", a_DOT_txt="a", study___DOT_x_DOT_new="half", study__ray__big="big")
    assert Mirror(place, tmp_path / "here").push() == 1


@pytest.mark.parametrize(
    "content", ['{"version": "1", "files": ', '{"version": 3, "files": []}', "[" * 100_000, "\x00" * 50]
)
def test_a_damaged_list_on_the_storage_is_told(content: str, place: Place, tmp_path: Path) -> None:
    write(tmp_path / "here", a_DOT_txt="a")
    mirror = Mirror(place, tmp_path / "here")
    mirror.push()
    with place.files.open_output_stream(place.inside("mirror.json")) as stream:
        stream.write(content.encode())
    for use in (mirror.push, Mirror(place, tmp_path / "there").fetch):
        write(tmp_path / "here", b_DOT_txt="b")
        with pytest.raises(StorageError, match=r"mirror\.json there is damaged .* delete mirror\.json"):
            use()


def test_a_list_without_folder_is_read(place: Place, tmp_path: Path) -> None:
    write(tmp_path / "here", a_DOT_json='{"text": "a"}')
    Mirror(place, tmp_path / "here").push()
    with place.files.open_output_stream(place.inside("mirror.json")) as stream:
        stream.write(b'{"version": "1", "files": {}}')
    assert Mirror(place, tmp_path / "there").fetch()
    assert tree(tmp_path / "there") == {"a.json": '{"text": "a"}'}


def test_a_copy_that_a_crash_left_half_done_is_fetched_with_its_newest_files(place: Place, tmp_path: Path) -> None:
    here = tmp_path / "here"
    write(here, a_DOT_txt="old")
    mirror = Mirror(place, here)
    mirror.push()
    write(here, a_DOT_txt="newer", b_DOT_txt="b")
    for name in ("a.txt", "b.txt"):
        mirror._send(name)  # killed before the list was written
    Mirror(place, tmp_path / "there").fetch()
    assert tree(tmp_path / "there") == {"a.txt": "newer", "b.txt": "b"}


def test_the_machine_that_is_ahead_keeps_its_own_files(place: Place, tmp_path: Path) -> None:
    write(tmp_path / "here", a_DOT_txt="a")
    Mirror(place, tmp_path / "here").push()
    write(tmp_path / "here", a_DOT_txt="not pushed yet")
    assert Mirror(place, tmp_path / "here").fetch()
    assert tree(tmp_path / "here") == {"a.txt": "not pushed yet"}


def test_what_was_never_pushed_is_set_aside_when_another_machine_went_on(place: Place, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    write(here, a_DOT_txt="a")
    Mirror(place, here).push()
    other = Mirror(place, there)
    other.fetch()
    write(there, a_DOT_txt="went on")
    other.push()
    write(here, a_DOT_txt="never pushed")
    Mirror(place, here).fetch()
    assert tree(here) == {"a.txt": "went on"}
    (aside,) = tmp_path.glob("here-*")
    assert (aside / "a.txt").read_text() == "never pushed"


def test_two_runs_at_one_place_do_not_mix(place: Place, tmp_path: Path) -> None:
    first, second = Mirror(place, tmp_path / "first"), Mirror(place, tmp_path / "second")
    write(tmp_path / "first", a_DOT_txt="a")
    write(tmp_path / "second", a_DOT_txt="b")
    first.push()
    with pytest.raises(StorageError, match="changed by another run"):
        second.push()


def test_a_storage_that_cannot_be_written_is_named_and_the_local_copy_stays(tmp_path: Path) -> None:
    write(tmp_path, a_DOT_txt="a")
    mirror = Mirror(place_of("file:///proc/autommlab-run"), tmp_path)
    with pytest.raises(StorageError, match=r"cannot write file:///proc/autommlab-run: .* Everything is kept in"):
        mirror.push()
    assert tree(tmp_path) == {"a.txt": "a"}


def test_a_cut_network_delays_trials_and_ends_stages(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    write(tmp_path / "here", a_DOT_txt="a")
    told: list[str] = []
    events = Events(lambda event: told.append(event.kind))
    events.add(Mirroring(Mirror(place_of(f"file://{storage}/run"), tmp_path / "here"), events))
    storage.write_text("a file in the way")
    events.emit("trial", "training", "trial 1 of 2")
    assert told == ["trial", "warning"]
    with pytest.raises(StorageError):
        events.emit("stage-finished", "training", "done")
    storage.unlink()
    events.emit("trial", "training", "trial 2 of 2")
    assert tree(storage / "run") == {"a.txt": "a"}


def test_a_uri_has_one_working_folder_and_a_folder_is_itself(tmp_path: Path) -> None:
    assert not is_uri("runs/a")
    assert run_target(str(tmp_path)).folder == tmp_path
    uri = f"file://{tmp_path}/run"
    assert run_target(uri).folder == working_folder(uri) == working_folder(uri + "/")
    shutil.rmtree(working_folder(uri), ignore_errors=True)


def test_a_uri_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match="holds no run"):
        run_target(f"file://{tmp_path}/run", resume=True)


@pytest.mark.parametrize("uri", ["ftq://x/y", "s4://bucket"])
def test_an_unknown_scheme_is_refused_with_those_that_work(uri: str) -> None:
    with pytest.raises(StorageError, match=r"no storage that can be written.*s3://BUCKET"):
        run_target(uri)
