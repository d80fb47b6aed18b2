"""The Ray Serve application: replicas that each hold all models behind the HTTP API.

All models are in each replica, so a request passes one process between the client and the engine. A deployment for
each model behind another one for HTTP would cost a second passage, which takes as long as a small model does.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ray import serve

from autommlab.common.ray_serve import replica_on_loopback
from autommlab.model_service.settings import ModelServiceSettings

if TYPE_CHECKING:
    from autommlab.bundle_runtime.sessions import Session
    from autommlab.model_service.batching import Batches

APP_NAME = "autommlab-models"
DEPLOYMENT_NAME = "models"
#: Requests that a replica holds: one that it predicts, and the next that are read meanwhile.
_HELD = 4
_HEALTH_CHECK_S = 2.0


@serve.deployment(name=DEPLOYMENT_NAME)
@serve.ingress()
class Models:
    """One replica. Made by Ray Serve only.

    Args:
        values: `ModelServiceSettings` as plain values.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        replica_on_loopback()
        from autommlab.model_service.http_api import make_api
        from autommlab.model_service.predictions import Predictions

        settings = ModelServiceSettings.model_validate(values)
        self._predictions = Predictions(
            settings.models,
            max_megapixels=settings.max_megapixels,
            threads=settings.engine_threads,
            batch=settings.batch,
        )
        self._predictions.warm_up()
        # An engine's threads are all at work on one call, and not every engine takes two: so requests come one after
        # the other, or together where the engine takes several pictures at once.
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self._together: ThreadPoolExecutor | None = None
        self._patience_s = settings.request_timeout_s
        self._begun: dict[int, float] = {}
        self._api = make_api(self._predictions.described(), self._predict)

    def __serve_build_asgi_app__(self) -> Any:
        """Asked for by Ray Serve after the constructor."""
        return self._api

    def check_health(self) -> None:
        """Raise where a prediction hangs; Ray Serve then replaces the replica."""
        longest = time.monotonic() - min(self._begun.values(), default=math.inf)
        if longest > self._patience_s:
            raise RuntimeError(f"a prediction takes longer than {self._patience_s:g} s")

    async def _predict(self, name: str, content: bytes, asked: Any) -> Any:
        loop = asyncio.get_running_loop()
        if self._predictions.batches and self._together is None:
            most = max(batches.most for batches in self._predictions.batches.values())
            self._together = ThreadPoolExecutor(most, thread_name_prefix="together")
            for model, batches in self._predictions.batches.items():
                self._predictions.model(model).predictor.session = _collecting(batches, self._lane, loop)
        lane = self._together if name in self._predictions.batches else self._lane
        return await loop.run_in_executor(lane, self._watched, name, content, asked)

    def _watched(self, name: str, content: bytes, asked: Any) -> Any:
        number = threading.get_ident()
        self._begun[number] = time.monotonic()
        try:
            return self._predictions.answer(name, content, asked)
        finally:
            del self._begun[number]


def _collecting(batches: Batches, lane: ThreadPoolExecutor, loop: asyncio.AbstractEventLoop) -> Session:
    """A session for several threads, whose pictures Ray Serve collects while the engine is at work."""

    @serve.batch(max_batch_size=batches.most, batch_wait_timeout_s=0)
    async def together(tensors: list[Any]) -> list[Any]:
        return await loop.run_in_executor(lane, batches, tensors)

    def run(tensor: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(together(tensor), loop).result()

    return run


def build(settings: ModelServiceSettings) -> serve.Application:
    """The application for these settings."""
    deployment = Models.options(**deployment_options(settings))  # type: ignore[attr-defined]
    return deployment.bind(settings.model_dump(mode="json", exclude={"api_key"}))


def deployment_options(settings: ModelServiceSettings) -> dict[str, Any]:
    """What Ray Serve is told about the replicas."""
    return {
        "num_replicas": settings.replicas,
        # Nobody else shares this Ray: slots would only say how many replicas there are.
        "ray_actor_options": {"num_cpus": 0},
        "max_ongoing_requests": max(_HELD, 2 * settings.batch),
        "health_check_period_s": _HEALTH_CHECK_S,
        "health_check_timeout_s": 10,
        "graceful_shutdown_timeout_s": 5,
        "max_constructor_retry_count": 1,
    }
