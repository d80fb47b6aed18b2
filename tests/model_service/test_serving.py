"""The real service on Ray Serve: two models, two replicas, a replica that is killed under load, and its end."""

from __future__ import annotations

import contextlib
import functools
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from autommlab.deployment.predicting import load_bundle
from tests.helpers.program import command
from tests.helpers.tiny_bundles import make_bundle, make_picture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

KEY = "a-key-for-tests"
_UP_WITHIN_S = 200
_REPLICA = "ServeReplica"


@dataclass
class Running:
    """A service, as a person starts it."""

    process: subprocess.Popen[str]
    url: str
    bundles: dict[str, Path]
    picture: Path
    said: list[str] = field(default_factory=list)

    def client(self, key: str | None = KEY) -> httpx.Client:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120)

    def processes(self, title: str = "") -> list[psutil.Process]:
        """Those below the program whose command line holds this."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if title in " ".join(process.cmdline()):
                    found.append(process)
        return found


@contextlib.contextmanager
def served(home: Path, root: Path, *options: object) -> Iterator[Running]:
    """`autommlab serve-model` on two bundles, until the block ends."""
    bundles = {kind: make_bundle(root / kind, kind) for kind in ("classification", "detection")}
    named = [f"{kind[:3]}={folder}" for kind, folder in bundles.items()]
    line, environment = command(home, "serve-model", *named, "--port", 0, *options)
    with (
        (root / "errors.txt").open("w") as errors,
        subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            ready = re.fullmatch(r"models ready at (http://\S+)/v1/models\n", process.stdout.readline())
            assert ready, (root / "errors.txt").read_text()
            yield Running(process, ready[1], bundles, make_picture(root / "photo.png"))
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()


@pytest.fixture(scope="module")
def service(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    options = ("--replicas", 2, "--batch", 4, "--api-key", KEY, "--max-mb", 1, "--max-requests", 16)
    with served(home, tmp_path_factory.mktemp("served"), *options) as running:
        yield running


def until(what: str, holds: object) -> None:
    deadline = time.monotonic() + _UP_WITHIN_S
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_each_model_answers_as_its_bundle_does(service: Running) -> None:
    content = service.picture.read_bytes()
    with service.client() as client:
        for kind, folder in service.bundles.items():
            answer = client.post(f"/v1/models/{kind[:3]}/predict", content=content)
            assert answer.json() == load_bundle(folder).predictor(service.picture)
            form = client.post(f"/v1/models/{kind[:3]}/predict", files={"image": content}, params={"draw": True})
            assert form.content.startswith(b"\x89PNG")
        assert [model["name"] for model in client.get("/v1/models").json()["models"]] == ["cla", "det"]
        assert client.get("/v1/models/cla/predict").status_code == 405
        assert "unknown model 'cat'" in client.post("/v1/models/cat/predict", content=content).text


def test_pictures_of_one_batch_get_their_own_answers(service: Running, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(24)]
    for number, file in enumerate(files):
        Image.new("RGB", (16, 16), (10 * number, 255 - 9 * number, 128)).save(file)
    own = load_bundle(service.bundles["classification"]).predictor
    with service.client() as client, ThreadPoolExecutor(12) as pool:
        assert [model["batch"] for model in client.get("/v1/models").json()["models"]] == [4, 1]
        ask = functools.partial(client.post, "/v1/models/cla/predict")
        for _ in range(3):
            answers = list(pool.map(lambda file: ask(content=file.read_bytes()).json(), files))
            assert answers == [own(file) for file in files]


def test_the_door_stands_before_ray_serve(service: Running) -> None:
    content = service.picture.read_bytes()
    for key in (None, "another-key"):
        with service.client(key) as client:
            assert client.post("/v1/models/cla/predict", content=content).status_code == 401
            assert client.get("/metrics").status_code == 401
            assert client.get("/-/routes").status_code == 401
            assert client.get("/healthz").json() == {"status": "ok"}
            page = client.get("/docs").text
            for link in re.findall(r'(?:src|href)="([^"]+)"', page):
                assert client.get(link).status_code == 200
    with service.client() as client:
        assert client.get("/-/routes").status_code == 404
        with contextlib.suppress(httpx.TransportError):  # it may hang up before it has got all of it
            large = client.post("/v1/models/cla/predict", content=b" " * (2 * 2**20))
            assert large.status_code == 413
        metrics = client.get("/metrics").text
    assert re.search(r'autommlab_requests_total\{model="cla",status="200"\} \d', metrics)
    assert re.search(r'autommlab_predict_seconds_count\{model="det"\} \d', metrics)


def test_it_listens_on_loopback_only(service: Running) -> None:
    open_to_all = []
    for process in [psutil.Process(service.process.pid), *service.processes()]:
        for connection in process.net_connections("inet"):
            address = connection.laddr.ip.removeprefix("::ffff:")
            if connection.status == psutil.CONN_LISTEN and address not in {"127.0.0.1", "::1"}:
                open_to_all.append((process.name(), address))
    assert not open_to_all


def test_no_request_fails_when_a_replica_is_killed_under_load(service: Running) -> None:
    """One after the other both are killed, each with requests in it; even those are answered."""
    content, stop = service.picture.read_bytes(), threading.Event()
    statuses: Counter[int | str] = Counter()

    def ask_on() -> None:
        with service.client() as client:
            while not stop.is_set():
                try:
                    statuses[client.post("/v1/models/det/predict", content=content).status_code] += 1
                except httpx.TransportError as error:
                    statuses[repr(error)] += 1

    askers = [threading.Thread(target=ask_on) for _ in range(8)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(2):
            replicas = service.processes(_REPLICA)
            assert len(replicas) == 2
            before = statuses[200]
            until("answers under load", lambda before=before: statuses[200] > before + 50)
            replicas[0].send_signal(signal.SIGKILL)
            until(
                "Ray Serve replaces the replica",
                lambda old=replicas[0]: len(now := service.processes(_REPLICA)) == 2 and old not in now,
            )
            time.sleep(3)  # until it takes requests, too
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert set(statuses) == {200}, statuses
    with service.client() as client:
        again = re.search(r"^autommlab_requests_asked_again_total (\S+)", client.get("/metrics").text, re.MULTILINE)
    assert again
    assert float(again[1]) > 0, "no request was in a replica that died: this test showed nothing"


def test_sigterm_ends_it_and_leaves_nothing(service: Running) -> None:
    below = service.processes()
    assert len(below) > 4
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 128 + signal.SIGTERM
    _, left = psutil.wait_procs(below, timeout=20)
    assert not left
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{service.url}/healthz")


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_however_it_is_ended_nothing_is_left(home: Path, tmp_path: Path, how: signal.Signals) -> None:
    with served(home, tmp_path) as running:
        with running.client(key=None) as client:
            assert client.post("/v1/models/cla/predict", content=running.picture.read_bytes()).status_code == 200
        below = running.processes()
        running.process.send_signal(how)
        assert running.process.wait(60) == (128 + how if how is signal.SIGINT else -how)
        _, left = psutil.wait_procs(below, timeout=60)
        assert not left, [process.cmdline() for process in left]
