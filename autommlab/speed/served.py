"""Requests a second of `serve-model` against one process that predicts alone, on the same machine in one run."""

from __future__ import annotations

import contextlib
import http.client
import itertools
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
        batch: pictures that one call of the engine took at most; the model decides how many it takes.
        per_second: answers a second.
        p50_ms, p95_ms: from sending the picture to having the answer, or of one prediction, in milliseconds.
        cpu_ms: CPU time of an answer in all processes of the service, or in the one that predicts alone; what else the
            machine does changes it little.
        ratio: `per_second` over that of the process that predicts alone.
    """

    model_config = ConfigDict(frozen=True)

    replicas: int = 0
    threads: int = 0
    clients: int = 0
    batch: int = 1
    per_second: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float
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
    batches: Sequence[int] = (1,),
    seconds: float,
    tell: Tell,
) -> ServedResult:
    """Ask the service as fast as it answers, for each number of replicas and clients, between two runs of one process.

    Args:
        bundle: to serve.
        picture: that each request sends; None makes one of `PICTURE_SIZE`.
        replicas: processes of the service.
        clients: that ask at once, each as soon as it has its answer.
        batches: pictures of one call of the engine.
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
        for count, batch in itertools.product(replicas, batches):
            tell(f"the service with {count} replica(s), batches of {batch}")
            found += _served(bundle, file.read_bytes(), {"replicas": count, "batch": batch}, clients, seconds, tell)
        tell("one process alone, again")
        second = _alone(bundle, file, seconds)
        shape = _shape(file)
    taken = first.taken + second.taken
    alone = _rate(taken, seconds=sum(taken), cpu_s=first.cpu_s + second.cpu_s)
    return ServedResult(
        model=meta["model"],
        task=meta["task"],
        engine=meta["engine"],
        input_size=tuple(meta["input"]["size"]),
        picture=shape,
        cores=_cores(),
        alone=alone,
        drift=first.mean_s / second.mean_s,
        served=tuple(rate.model_copy(update={"ratio": rate.per_second / alone.per_second}) for rate in found),
    )


class _Alone(BaseModel):
    """What `one_process.py` prints."""

    taken: list[float]
    cpu_s: float

    @property
    def mean_s(self) -> float:
        return sum(self.taken) / len(self.taken)


def _alone(bundle: Path, picture: Path, seconds: float) -> _Alone:
    return _Alone.model_validate_json(_printed("autommlab.speed.one_process", bundle, picture, seconds))


def _printed(module: str, *arguments: object) -> str:
    """The last line that a program of ours prints."""
    line = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    return done.stdout.splitlines()[-1]


def _served(
    bundle: Path, picture: bytes, arrangement: dict[str, int], clients: Sequence[int], seconds: float, tell: Tell
) -> list[Rate]:
    most = max(clients)
    given = {"models": {_NAME: bundle}, "host": "127.0.0.1", "port": 0, "max_requests": most + 1, **arrangement}
    settings = ModelServiceSettings.model_validate(with_port(given))
    found = []
    with running(settings) as service:
        ask_for(service, picture, most, seconds=min(seconds, 2.0))  # every replica has answered by then
        for count in clients:
            tell(f"  {count} client(s)")
            cpu = _cpu_s()
            taken, elapsed = ask_for(service, picture, count, seconds=seconds)
            rate = _rate(taken, seconds=elapsed, cpu_s=_cpu_s() - cpu)
            taken_at_most = {"threads": settings.engine_threads, "clients": count, "batch": service.models[0]["batch"]}
            found.append(rate.model_copy(update={**arrangement, **taken_at_most}))
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


def _cpu_s() -> float:
    """CPU seconds so far of every process below this one."""
    import psutil

    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _rate(taken: list[float], *, seconds: float, cpu_s: float) -> Rate:
    ordered = sorted(taken)
    p50, p95 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 for share in (0.5, 0.95))
    return Rate(per_second=len(taken) / seconds, p50_ms=p50, p95_ms=p95, cpu_ms=cpu_s / len(taken) * 1000)


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
