"""The one place of the model service's settings; light to import."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from autommlab.common.errors import RequestError

#: The key may come by this variable instead of the command line, which other users of a machine can see.
KEY_VARIABLE = "AUTOMMLAB_MODEL_KEY"
DEFAULT_PORT = 8474
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAMED = re.compile(r"(?P<name>[^=/]*)=(?P<path>.+)", re.DOTALL)
#: What a run calls the folder of its bundle; the run's own name says more.
_OF_A_RUN = "bundle"


class ModelServiceSettings(BaseModel):
    """Everything about one service.

    Attributes:
        models: name -> folder of the bundle.
        host, port: where it listens.
        api_key: what clients must send; None asks for nothing, and then only loopback's host names are served.
        replicas: processes that predict, each with all models.
        threads: of the engine in each replica; None shares the cores out among the replicas.
        batch: pictures of one call of an engine at most, where its graph bears several; 1 = one after the other.
        max_body_mb: largest request.
        max_megapixels: largest picture.
        max_requests: requests under way in the whole service.
        request_timeout_s: after which a request is given up, and a replica that is still at it is replaced.
        start_timeout_s: longest wait for the first answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: dict[str, Path] = Field(min_length=1)
    host: str = "127.0.0.1"
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65535)
    api_key: str | None = Field(default=None, min_length=8)
    replicas: int = Field(default=1, ge=1, le=256)
    threads: int | None = Field(default=None, ge=1, le=256)
    batch: int = Field(default=1, ge=1, le=64)
    max_body_mb: float = Field(default=20.0, gt=0, le=1024)
    max_megapixels: float = Field(default=50.0, gt=0, le=256)
    max_requests: int = Field(default=32, ge=1, le=4096)
    request_timeout_s: float = Field(default=60.0, gt=0, le=3600)
    start_timeout_s: float = Field(default=120.0, gt=0)

    @property
    def url(self) -> str:
        """Where a client of this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - no address to bind to
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def engine_threads(self) -> int:
        """Threads of the engine in each replica."""
        return self.threads or max(1, len(os.sched_getaffinity(0)) // self.replicas)


def usual_replicas() -> int:
    """Two, so that one answers while the other is replaced; more cost memory, which only a measurement justifies."""
    return min(2, len(os.sched_getaffinity(0)))


def named_bundles(given: Iterable[str]) -> dict[str, Path]:
    """Names and folders of `NAME=PATH` or `PATH`; without a name it is the folder's, or the run's for RUN/bundle.

    Raises:
        RequestError: a name is taken twice, or cannot stand in an address.
    """
    found: dict[str, Path] = {}
    for word in given:
        named = _NAMED.fullmatch(word)
        folder = Path(named["path"] if named else word).expanduser().absolute()
        name = named["name"] if named else folder.parent.name if folder.name == _OF_A_RUN else folder.name
        if not _NAME.fullmatch(name):
            raise RequestError(
                f"{name[:80]!r} cannot be the name of a model: it has letters, digits, '.', '_' and '-', 64 at most. "
                f"Give one before the folder: NAME={folder}"
            )
        if name in found:
            raise RequestError(
                f"two models are called {name!r}: {found[name]} and {folder}. Name one of them: NAME={folder}"
            )
        found[name] = folder
    return found
