"""Requests a second of `serve-model` against one process that predicts alone, on the same machine in one run."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import ModelServiceError
from autommlab.model_service.running import ModelService, running, with_port
from autommlab.model_service.settings import ModelServiceSettings

Tell = Callable[[str], None]
#: (width, height) in pixels of the picture that is made where none is given: a camera's small one.
PICTURE_SIZE = (640, 480)
_NAME = "model"


class Rate(BaseModel):
    """How often one arrangement answers.

    Attributes:
        replicas, threads, clients: of the service; 0 for the process that predicts alone.
        per_second: answers a second.
        p50_ms, p95_ms: from sending the picture to having the answer, or of one prediction, in milliseconds.
        ratio: `per_second` over that of the process that predicts alone.
    """

    model_config = ConfigDict(frozen=True)

    replicas: int = 0
    threads: int = 0
    clients: int = 0
    per_second: float
    p50_ms: float
    p95_ms: float
    ratio: float = 1.0


class ServedResult(BaseModel):
    """One bundle's figures.

    Attributes:
        model, task, engine, input_size: of `bundle.json`.
        picture: (width, height) in pixels, and the bytes of its file.
        cores: of this machine; the clients run on them too.
        alone: one process, measured before the service and after it, the two joined.
        drift: rate of the second of these over the first: how steady the machine was.
        served: arrangements of the service.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    task: str
    engine: str
    input_size: tuple[int, int]
    picture: tuple[int, int, int]
    cores: int
    alone: Rate
    drift: float
    served: tuple[Rate, ...]


def measure_served(
    bundle: Path,
    *,
    picture: Path | None = None,
    replicas: Sequence[int],
    clients: Sequence[int],
    seconds: float,
    tell: Tell,
) -> ServedResult:
    """Ask the service as fast as it answers, for each number of replicas and clients, between two runs of one process.

    Args:
        bundle: to serve.
        picture: that each request sends; None makes one of `PICTURE_SIZE`.
        replicas: processes of the service.
        clients: that ask at once, each as soon as it has its answer.
        seconds: of each measurement.
        tell: told what is measured.

    Raises:
        DeploymentError, ModelServiceError: the bundle is damaged, or the service does not come up or fails.
    """
    from autommlab.deployment.predicting import load_bundle

    meta = load_bundle(bundle).meta
    with tempfile.TemporaryDirectory(prefix="autommlab-bench-") as folder:
        file = picture or _make_picture(Path(folder) / "picture.jpg")
        tell("one process alone")
        first = _alone(bundle, file, seconds)
        found: list[Rate] = []
        for count in replicas:
            tell(f"the service with {count} replica(s)")
            found += _served(bundle, file.read_bytes(), count, clients, seconds, tell)
        tell("one process alone, again")
        second = _alone(bundle, file, seconds)
        shape = _shape(file)
    alone = _rate(first + second, per_second=len(first + second) / sum(first + second))
    return ServedResult(
        model=meta["model"],
        task=meta["task"],
        engine=meta["engine"],
        input_size=tuple(meta["input"]["size"]),
        picture=shape,
        cores=_cores(),
        alone=alone,
        drift=sum(first) / len(first) / (sum(second) / len(second)),
        served=tuple(rate.model_copy(update={"ratio": rate.per_second / alone.per_second}) for rate in found),
    )


def _alone(bundle: Path, picture: Path, seconds: float) -> list[float]:
    """Seconds of each prediction."""
    line = [sys.executable, "-m", "autommlab.speed.one_process", str(bundle), str(picture), str(seconds)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    taken: list[float] = json.loads(done.stdout.splitlines()[-1])
    return taken


def _served(
    bundle: Path, picture: bytes, replicas: int, clients: Sequence[int], seconds: float, tell: Tell
) -> list[Rate]:
    most = max(clients)
    values = with_port(
        {"models": {_NAME: bundle}, "host": "127.0.0.1", "port": 0, "replicas": replicas, "max_requests": most + 1}
    )
    settings = ModelServiceSettings.model_validate(values)
    found = []
    with running(settings) as service:
        ask_for(service, picture, most, seconds=min(seconds, 2.0))  # every replica has answered by then
        for count in clients:
            tell(f"  {count} client(s)")
            taken, elapsed = ask_for(service, picture, count, seconds=seconds)
            rate = _rate(taken, per_second=len(taken) / elapsed)
            arrangement = {"replicas": replicas, "threads": settings.engine_threads, "clients": count}
            found.append(rate.model_copy(update=arrangement))
    return found


def ask_for(service: ModelService, picture: bytes, clients: int, *, seconds: float) -> tuple[list[float], float]:
    """Seconds of each answer to so many clients at once, and the seconds that all of it took.

    Raises:
        ModelServiceError: a request failed.
    """
    taken: list[list[float]] = [[] for _ in range(clients)]
    failures: list[str] = []
    begun = time.perf_counter()

    def client(own: list[float]) -> None:
        try:
            _ask_until(service, picture, begun + seconds, own)
        except (OSError, http.client.HTTPException, ModelServiceError) as error:
            failures.append(str(error) or type(error).__name__)

    threads = [threading.Thread(target=client, args=(own,), daemon=True) for own in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise ModelServiceError(f"{len(failures)} of {clients} clients got no answer: {failures[0]}")
    return [each for own in taken for each in own], time.perf_counter() - begun


def _ask_until(service: ModelService, picture: bytes, end: float, taken: list[float]) -> None:
    """One client that keeps its connection, as a client that is in a hurry does."""
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=120)
    path, headers = f"/v1/models/{service.models[0]['name']}/predict", {"Content-Type": "image/jpeg"}
    with contextlib.closing(connection):
        while time.perf_counter() < end:
            begun = time.perf_counter()
            connection.request("POST", path, picture, headers)
            answer = connection.getresponse()
            content = answer.read()
            taken.append(time.perf_counter() - begun)
            if answer.status != 200:
                raise ModelServiceError(f"status {answer.status}: {content[:200].decode(errors='replace')}")


def _rate(taken: list[float], *, per_second: float) -> Rate:
    ordered = sorted(taken)
    p50, p95 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 for share in (0.5, 0.95))
    return Rate(per_second=per_second, p50_ms=p50, p95_ms=p95)


def _make_picture(path: Path) -> Path:
    """Soft blobs with a little noise: as many bytes as a photo of its size has."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    blobs = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)).resize(PICTURE_SIZE)
    noisy = np.asarray(blobs, np.int16) + rng.integers(-8, 9, (PICTURE_SIZE[1], PICTURE_SIZE[0], 3))
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=90)
    return path


def _shape(picture: Path) -> tuple[int, int, int]:
    from autommlab.bundle_runtime import pictures

    content = picture.read_bytes()
    return (*pictures.size(BytesIO(content)), len(content))


def _cores() -> int:
    return len(os.sched_getaffinity(0))
