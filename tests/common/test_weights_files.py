"""Files of the zoo: fetched once, gone on with, held against their hash, taken from a mirror or torch's cache."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest

from autommlab.common import weights_files
from autommlab.common.errors import ModelError, StorageError
from autommlab.common.weights_files import (
    MIRROR_VARIABLE,
    ORIGINS_VARIABLE,
    at_hand,
    fetched,
    refusal,
    sources,
)
from tests.helpers.zoo_server import ZooServer, serving

SIZE = 3_000_000


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZooServer]:
    for name, value in (("AUTOMMLAB_HOME", "home"), ("TORCH_HOME", "torch")):
        monkeypatch.setenv(name, str(tmp_path / name / value))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    monkeypatch.setattr(weights_files, "PAUSE_S", 0.0)
    with serving() as server:
        monkeypatch.setenv(ORIGINS_VARIABLE, server.url)
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net_8xb32.pth"
    path.write_bytes(bytes(range(250)) * (SIZE // 250))
    return path


def test_a_download_that_breaks_off_goes_on_where_it_stopped(zoo: ZooServer, file: Path) -> None:
    path = zoo.add(file, "v1/")
    zoo.breaks = [1_000_000, 500_000]
    told: list[str] = []
    assert fetched(f"{zoo.url}/{path}", told.append).read_bytes() == file.read_bytes()
    assert zoo.asked == [f"GET /{path}", f"GET /{path} bytes=1000000-", f"GET /{path} bytes=1500000-"]
    assert told[-1].startswith(f"fetching {Path(path).name}: 3 of 3 MB, ")
    fetched(f"{zoo.url}/{path}")
    assert len(zoo.asked) == 3, "what is kept is not fetched again"


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(zoo: ZooServer, file: Path) -> None:
    path = zoo.add(file)
    zoo.breaks = [1_000_000, 0, 0, 0]
    with pytest.raises(ModelError, match=r"cannot be fetched: .*broke off after 1 of 3 MB"):
        fetched(f"{zoo.url}/{path}")
    zoo.breaks = []
    assert fetched(f"{zoo.url}/{path}").read_bytes() == file.read_bytes()
    assert zoo.asked[-1] == f"GET /{path} bytes=1000000-"


def test_a_server_without_ranges_begins_again(zoo: ZooServer, file: Path) -> None:
    path = zoo.add(file)
    zoo.breaks, zoo.ranges = [2_000_000], False
    assert fetched(f"{zoo.url}/{path}").read_bytes() == file.read_bytes()


def test_a_part_of_another_file_is_thrown_away(zoo: ZooServer, file: Path) -> None:
    path = zoo.add(file)
    part = weights_files._kept(path).with_name(f".{path}.part")
    part.parent.mkdir(parents=True)
    for left in (b"x" * 5, b"x" * (SIZE + 5)):
        part.write_bytes(left)
        assert fetched(f"{zoo.url}/{path}").read_bytes() == file.read_bytes()
        weights_files._kept(path).unlink()
    assert not part.exists()


def test_a_file_with_another_hash_is_told_and_not_kept(zoo: ZooServer) -> None:
    zoo.files["net-00000000.pth"] = b"something else"
    with pytest.raises(ModelError, match=r"SHA-256 [0-9a-f]{8}\.\.\., its name tells another"):
        fetched(f"{zoo.url}/net-00000000.pth")
    assert at_hand(f"{zoo.url}/net-00000000.pth") is None


def test_a_file_that_is_not_there_is_asked_for_once(zoo: ZooServer) -> None:
    with pytest.raises(ModelError, match=r"cannot be fetched: .*Not Found"):
        fetched(f"{zoo.url}/net-00000000.pth")
    assert zoo.asked == ["GET /net-00000000.pth"]


def test_workers_that_begin_at_once_fetch_once(zoo: ZooServer, file: Path) -> None:
    path = zoo.add(file)
    threads = [threading.Thread(target=fetched, args=(f"{zoo.url}/{path}",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert zoo.asked == [f"GET /{path}"]


def test_too_little_room_is_told_before_anything_is_written(
    zoo: ZooServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zoo.add(file)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1_000_000))
    with pytest.raises(StorageError, match=r"the disk is full: .*3 MB are missing, 1 MB are free.*AUTOMMLAB_HOME"):
        fetched(f"{zoo.url}/{path}")
    assert not [kept for kept in weights_files._kept(path).parent.iterdir() if kept.suffix != ".lock"]


def test_a_disk_that_fills_up_is_told_and_given_its_room_back(
    zoo: ZooServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zoo.add(file)

    class Full:
        def __init__(self, real: IO[bytes]) -> None:
            self.real, self.name = real, real.name

        def write(self, _: bytes) -> NoReturn:
            raise OSError(errno.ENOSPC, "No space left on device")

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.real.close()

    opened = Path.open

    def full(path: Path, mode: str = "r", *more: Any, **options: Any) -> Any:
        real = opened(path, mode, *more, **options)
        return Full(real) if path.suffix == ".part" and mode != "rb" else real

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageError, match=r"the disk is full: .*No space left on device"):
        fetched(f"{zoo.url}/{path}")
    assert not list(weights_files._kept(path).parent.glob(".*.part"))


@pytest.mark.parametrize("flat", [True, False])
def test_a_mirror_folder_needs_no_network(
    flat: bool, zoo: ZooServer, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zoo.add(file, "" if flat else "mmdetection/v2.0/")
    lying = tmp_path / "mirror" / path
    lying.parent.mkdir(parents=True)
    shutil.copy(file, lying)
    monkeypatch.setenv(MIRROR_VARIABLE, str(tmp_path / "mirror"))
    assert fetched(f"https://download.openmmlab.com/mmdetection/v2.0/{Path(path).name}") == lying
    assert zoo.asked == []


def test_a_mirror_by_url_is_asked_before_the_zoo(zoo: ZooServer, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zoo.add(file, "openmmlab/mmdetection/")
    monkeypatch.delenv(ORIGINS_VARIABLE)
    monkeypatch.setenv(MIRROR_VARIABLE, f"{zoo.url}/openmmlab/")
    url = f"https://download.openmmlab.com/mmdetection/{Path(path).name}"
    assert sources(url)[-1] == url
    assert fetched(url).read_bytes() == file.read_bytes()
    assert zoo.asked == [f"GET /{path}"]
    flat = zoo.add(file, "openmmlab/")
    shutil.rmtree(weights_files._kept("x").parent)
    del zoo.files[path]
    assert fetched(url).read_bytes() == zoo.files[flat]


def test_a_mirror_that_names_no_folder_or_tells_a_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://download.openmmlab.com/net-00000000.pth"
    monkeypatch.setenv(MIRROR_VARIABLE, "/no/such/folder")
    with pytest.raises(StorageError, match=r"AUTOMMLAB_WEIGHTS is '/no/such/folder', which is no folder"):
        at_hand(url)
    monkeypatch.setenv(MIRROR_VARIABLE, "https://me:secret@mirror.example/zoo")
    with pytest.raises(StorageError, match="carries a secret") as raised:
        refusal(url)
    assert "me:secret" not in str(raised.value)


def test_torchs_own_cache_is_taken_and_a_changed_file_in_it_is_not(zoo: ZooServer, file: Path, tmp_path: Path) -> None:
    path = zoo.add(file)
    cache = tmp_path / "TORCH_HOME" / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    shutil.copy(file, cache / path)
    url = f"https://download.openmmlab.com/{path}"
    assert fetched(url) == cache / path
    (cache / path).write_bytes(b"changed")
    assert at_hand(url) is None
