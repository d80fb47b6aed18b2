"""Adapters of one replica: brought in line with the table before a request is answered.

Imports vLLM: only for the process of a replica.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from vllm.entrypoints.openai.models.serving import OpenAIServingModels
from vllm.entrypoints.serve import create_error_response
from vllm.entrypoints.serve.lora.protocol import LoadLoRAAdapterRequest, UnloadLoRAAdapterRequest
from vllm.entrypoints.serve.utils.api_utils import validate_json_request
from vllm.lora.request import LoRARequest
from vllm.v1.engine.async_llm import AsyncLLM

from serve.adapters import Adapter, table_of
from serve.errors import AdapterError
from serve.settings import ServiceSettings
from serve.shipped import shipped_adapters

logger = logging.getLogger("ray.serve")


class ReplicaAdapters:
    """Loads what the table says into one engine.

    Args:
        engine: of this replica.
        models: vLLM's list of what clients may ask for; changed in place.
        settings: of the service.
    """

    def __init__(self, engine: AsyncLLM, models: OpenAIServingModels, settings: ServiceSettings) -> None:
        self.table = table_of(settings)
        self._engine = engine
        self._models = models
        self._pinned: dict[str, Adapter] = {}
        self._shipped = shipped_adapters(settings)
        self._seen: tuple[int, int] | None = None
        self._lock = asyncio.Lock()

    async def sync(self) -> None:
        """Load and forget adapters if the table changed; one `stat` otherwise."""
        if self.table.stamp() == self._seen:
            return
        async with self._lock:
            stamp = self.table.stamp()
            if stamp == self._seen:
                return
            await self._bring_in_line()
            self._seen = stamp

    async def pin(self, folders: dict[str, str]) -> None:
        """Adapters of the package and of the settings: always there; one of the table with the same name wins.

        Raises:
            AdapterError: one of the settings cannot be loaded; one of the package is left out with a word in the log.
        """
        async with self._lock:
            pinned = {}
            for name, shipped in self._shipped.items():
                try:
                    pinned[name] = await asyncio.to_thread(self.table.prepare, name, shipped)
                except AdapterError as error:  # smaller ranks or fewer layers than ours may have been asked for
                    logger.warning("%s", error)
            for name, folder in folders.items():
                pinned[name] = await asyncio.to_thread(self.table.prepare, name, Path(folder).expanduser())
            self._pinned = pinned
            await self._bring_in_line()

    async def add(self, name: str, folder: Path, *, replace: bool) -> Adapter:
        """Load an adapter here, then register it for all replicas.

        Raises:
            AdapterError: it cannot be used, or the name is taken and `replace` is False.
        """
        if self._models.is_base_model(name):
            raise AdapterError(f"{name!r} is the base model; an adapter needs another name")
        adapter = await asyncio.to_thread(self.table.prepare, name, folder)
        async with self._lock:
            served = self._models.lora_requests.get(name)
            if served is not None and served.lora_path != str(adapter.path) and not replace:
                raise AdapterError(f"there is an adapter {name!r} already: remove it first, or ask to replace it")
            try:
                await self._load(adapter)
                await asyncio.to_thread(self.table.put, adapter)
            except AdapterError:
                await asyncio.to_thread(self.table.discard, adapter)
                raise
            return adapter

    async def remove(self, name: str) -> None:
        """Take an adapter away from all replicas; requests under way finish.

        Raises:
            AdapterError: there is none of that name.
        """
        await asyncio.to_thread(self.table.remove, name)
        await self.sync()

    def around(self, app: FastAPI) -> _Synced:
        """The same app, its requests synced, with the routes under which clients of vLLM know `add` and `remove`."""

        async def load(request: LoadLoRAAdapterRequest) -> Response:
            return await answer(self.add(request.lora_name, Path(request.lora_path), replace=request.load_inplace))

        async def unload(request: UnloadLoRAAdapterRequest) -> Response:
            return await answer(self.remove(request.lora_name))

        async def answer(action: Any) -> Response:
            try:
                await action
            except AdapterError as error:
                refusal = create_error_response(message=str(error), err_type="BadRequestError")
                return JSONResponse(refusal.model_dump(), status_code=400)
            return PlainTextResponse("done")

        for path, action in (("/v1/load_lora_adapter", load), ("/v1/unload_lora_adapter", unload)):
            app.post(path, dependencies=[Depends(validate_json_request)], response_model=None)(action)
        return _Synced(app, self)

    async def _bring_in_line(self) -> None:
        wanted = dict(self._pinned)
        try:
            wanted |= await asyncio.to_thread(self.table.read)
        except AdapterError as error:  # damaged: whoever changes it next is told, and what is loaded stays
            logger.error("%s", error)
        else:
            for name in self._models.lora_requests.keys() - wanted.keys():
                # Only the name goes: vLLM drops the weights itself when it needs their place.
                del self._models.lora_requests[name]
        for adapter in wanted.values():
            try:
                await self._load(adapter)
            except AdapterError as error:
                # One bad adapter must not take the others, or the replica, down.
                logger.error("%s", error)

    async def _load(self, adapter: Adapter) -> None:
        served = self._models.lora_requests.get(adapter.name)
        if served is not None and served.lora_path == str(adapter.path):
            return
        # A new number even for a name that was there: requests under way keep the old weights.
        request = LoRARequest(adapter.name, self._models.lora_id_counter.inc(1), str(adapter.path))
        try:
            await self._engine.add_lora(request)
        except Exception as error:
            raise AdapterError(f"vLLM cannot load the adapter {adapter.name!r} of {adapter.source}: {error}") from error
        self._models.lora_requests[adapter.name] = request


class _Synced:
    """ASGI app around another: a request sees the table as it was when the request came in."""

    def __init__(self, app: Any, adapters: ReplicaAdapters) -> None:
        self._app = app
        self._adapters = adapters

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._adapters.sync()
        await self._app(scope, receive, send)
