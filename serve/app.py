"""The Ray Serve application: replicas that each hold a vLLM engine behind vLLM's own OpenAI API.

`build` is what a Serve config file names (`serve.app:build`, see `service.yaml`).
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import ray
from ray import serve
from ray.serve.config import AutoscalingConfig

from autommlab.common.placement import resource_request
from autommlab.common.quick_imports import without_collector
from autommlab.common.ray_serve import replica_on_loopback
from serve.base_models import base_model
from serve.engine import engine_arguments, engine_environment
from serve.gate import Gate
from serve.settings import KEY_VARIABLE, ServiceSettings, make_settings

APP_NAME = "autommlab-llm"
DEPLOYMENT_NAME = "llm"
#: A replica that cannot start fails the application after so many attempts, with its reason.
START_ATTEMPTS = 1


@serve.deployment(name=DEPLOYMENT_NAME)
@serve.ingress()
class LanguageModel:
    """One replica. Made by Ray Serve only.

    Args:
        values: `ServiceSettings` as plain values.
    """

    async def __init__(self, values: dict[str, Any]) -> None:  # type: ignore[misc]
        replica_on_loopback()
        settings = make_settings(values)
        gpu = settings.gpus_per_replica != 0 and bool(ray.get_gpu_ids())
        # Here as well as where the service is started: this may be another node.
        model = base_model(settings.base_model)
        os.environ.update(engine_environment(settings, model, gpu=gpu))
        with without_collector():
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.usage.usage_lib import UsageContext
            from vllm.v1.engine.async_llm import AsyncLLM

        arguments = engine_arguments(settings, model, gpu=gpu)
        context = UsageContext.OPENAI_API_SERVER
        config = AsyncEngineArgs.from_cli_args(arguments).create_engine_config(usage_context=context)
        # The engine is another process, which takes as long to import; the API is imported meanwhile.
        importing = asyncio.get_running_loop().run_in_executor(None, _import_api)
        self._engine = AsyncLLM.from_vllm_config(config, usage_context=context)
        build_app, init_app_state, adapters_of_replica = await importing
        tasks = await self._engine.get_supported_tasks()
        api = build_app(arguments, tasks, self._engine.model_config)
        await init_app_state(self._engine, api.state, arguments, tasks)
        self._adapters = adapters_of_replica(self._engine, api.state.openai_serving_models, settings)
        self._app = Gate(self._adapters.around(api), settings)
        await self._adapters.sync()

    def __serve_build_asgi_app__(self) -> Any:
        """Asked for by Ray Serve once the engine runs."""
        return self._app

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Adapters from Serve's config file, changed there without a restart: {"adapters": {name: folder}}."""
        await self._adapters.pin(user_config.get("adapters", {}))

    async def check_health(self) -> None:
        """Raise when the engine's process is gone; Ray Serve then replaces the replica."""
        await self._engine.check_health()

    async def __del__(self) -> None:
        engine = getattr(self, "_engine", None)
        if engine is not None:
            engine.shutdown()


def build(args: dict[str, Any]) -> serve.Application:
    """The application for these settings.

    Args:
        args: fields of `ServiceSettings`; those left out have their defaults.

    Raises:
        ServiceSettingsError: a field is unknown or its value not allowed.
    """
    settings = make_settings({"api_key": os.environ.get(KEY_VARIABLE) or None, **args})
    deployment = LanguageModel.options(**deployment_options(settings))  # type: ignore[attr-defined]
    return deployment.bind(settings.model_dump(mode="json"))


def deployment_options(settings: ServiceSettings) -> dict[str, Any]:
    """What Ray Serve is told about the replicas."""
    resources: dict[str, Any] = {"num_cpus": settings.cpus_per_replica, "num_gpus": _gpus(settings)}
    if settings.node_resource is not None:
        resources["resources"] = resource_request(settings.node_resource)
    options: dict[str, Any] = {
        "ray_actor_options": resources,
        "user_config": {"adapters": settings.adapters},
        # Far above what runs at once: vLLM queues and batches better than a proxy would.
        "max_ongoing_requests": 8 * settings.max_sequences,
        "health_check_period_s": 5,
        "health_check_timeout_s": 30,
        "graceful_shutdown_timeout_s": 5,
        "max_constructor_retry_count": START_ATTEMPTS,
    }
    if settings.max_replicas is None or settings.max_replicas <= settings.replicas:
        return options | {"num_replicas": settings.replicas}
    scaling = AutoscalingConfig(
        min_replicas=settings.replicas,
        max_replicas=settings.max_replicas,
        target_ongoing_requests=settings.target_requests,
    )
    return options | {"autoscaling_config": scaling}


def _import_api() -> tuple[Any, Any, Any]:
    from vllm.entrypoints.launchers.api_server.app_state import init_app_state
    from vllm.entrypoints.launchers.app import build_app

    from serve.replica_adapters import ReplicaAdapters

    return build_app, init_app_state, ReplicaAdapters


def _gpus(settings: ServiceSettings) -> float:
    if settings.gpus_per_replica is not None:
        return settings.gpus_per_replica
    seen = ray.cluster_resources().get("GPU", 0) if ray.is_initialized() else 0
    return float(settings.tensor_parallel) if seen else 0.0
