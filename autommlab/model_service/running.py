"""One service from its settings to its end: checked before anything starts, watched while it runs, ended whole."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.common.environment import home, keep_bytecode
from autommlab.common.errors import DeploymentError, ModelServiceError
from autommlab.common.files import write_private
from autommlab.common.ports import free_port, is_loopback, port_problem
from autommlab.common.processes import ending_with_us
from autommlab.model_service.settings import KEY_VARIABLE, ModelServiceSettings

if TYPE_CHECKING:
    import psutil

Tell = Callable[[str], None]
_KEY_BYTES = 32
_POLL_S = 0.1
#: Seconds between looks at the application while it runs.
_WATCH_S = 5.0
_KILL_AFTER_S = 3.0
#: Controller, proxy and their helpers; Ray starts so many workers at once beside the replicas.
_WORKERS = 3
_OBJECT_STORE_BYTES = 100 * 2**20
#: Set while Ray starts. The prediction has a thread of its own, so Serve's needs none; and what people wait for must
#: not run behind everything else on the machine.
_RAY_ENVIRONMENT = {
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_worker_niceness": "0",
}


@dataclass(frozen=True)
class ModelService:
    """A service that answers.

    Attributes:
        url: base address.
        api_key: what it asks for, if anything.
        models: what `GET /v1/models` lists.
        key_file: where the key stands that was made for it.
    """

    url: str
    api_key: str | None = field(repr=False)
    models: tuple[dict[str, Any], ...]
    key_file: Path | None = None

    def watch(self) -> None:
        """Return only when Ray Serve has lost the service for good.

        Raises:
            ModelServiceError: it has, with its reason.
        """
        from ray import serve
        from ray.serve.schema import ApplicationStatus

        from autommlab.model_service.app import APP_NAME

        gone = {ApplicationStatus.DEPLOY_FAILED, ApplicationStatus.DELETING, ApplicationStatus.NOT_STARTED}
        while True:
            time.sleep(_WATCH_S)
            application = serve.status().applications.get(APP_NAME)
            if application is None or application.status in gone:
                reason = f": {application.message}" if application and application.message else ""
                raise ModelServiceError(f"Ray Serve lost the service{reason}")


def checked(settings: ModelServiceSettings) -> ModelServiceSettings:
    """The settings, with a port and, beyond loopback, a key; every model has predicted once.

    Raises:
        DeploymentError: a bundle is none, damaged, changed since it was delivered, or its engine is missing.
        ModelServiceError: the port is taken.
        StorageError: the key cannot be written.
    """
    from autommlab.model_service.predictions import Predictions

    for name, folder in settings.models.items():
        _require_as_delivered(name, folder)
    Predictions(settings.models, max_megapixels=settings.max_megapixels, threads=settings.engine_threads).warm_up()
    problem = port_problem(settings.host, settings.port)
    if problem is not None:
        raise ModelServiceError(
            f"port {settings.port} of {settings.host} cannot be used ({problem}): give another one with --port, or 0 "
            "for any free one"
        )
    if settings.api_key is None and not is_loopback(settings.host):
        return settings.model_copy(update={"api_key": _own_key()})
    return settings


def with_port(values: dict[str, Any]) -> dict[str, Any]:
    """Values of settings, in which port 0 has become a free one.

    Raises:
        ModelServiceError: none is free.
    """
    if values.get("port") != 0:
        return values
    port = free_port(values["host"])
    if port is None:
        raise ModelServiceError(f"no port of {values['host']} is free, or it is no address of this machine (--host)")
    return {**values, "port": port}


@contextlib.contextmanager
def running(settings: ModelServiceSettings, tell: Tell = lambda _: None) -> Iterator[ModelService]:
    """The service on a private Ray of this process, up inside the block and gone after it.

    Args:
        settings: of the service.
        tell: told each step of the start.

    Raises:
        DeploymentError, ModelServiceError, StorageError: see `checked`; or it does not come up.
    """
    tell("checking the models")
    settings = checked(settings)
    before = _below()
    try:
        with _ray_environment(settings):
            tell("starting Ray")
            _start_ray(settings)
            tell(f"starting {settings.replicas} replica(s)")
            _deploy(settings)
        with ending_with_us(process for process in _below() if process not in before):
            models = _first_answer(settings)
            yield ModelService(settings.url, settings.api_key, models, _key_file() if _is_ours(settings) else None)
    finally:
        _end(before)


def _require_as_delivered(name: str, folder: Path) -> None:
    """A bundle in its run is held against what the run noted when it was made; elsewhere nothing is known of it."""
    from autommlab.bundle_runtime import BundleError
    from autommlab.bundle_runtime.info import read_info
    from autommlab.deployment.delivered import changed_since_delivery

    try:
        files = set(read_info(folder)["files"])
    except BundleError as error:
        raise DeploymentError(f"the model {name!r}: {error}") from error
    changed = [file for file in changed_since_delivery(folder) if file in files]
    if changed:
        raise DeploymentError(
            f"the model {name!r}: {', '.join(changed)} in {folder} is not what the run delivered; "
            f"`autommlab run --resume {folder.parent}` makes the bundle again"
        )


def _own_key() -> str:
    """This user's key for services beyond loopback, made at the first call; clients go on with it after a restart."""
    path = _key_file()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        kept = path.read_text(encoding="ascii").strip()
        if kept:
            return kept
    from autommlab.common.files import storage_errors

    key = secrets.token_urlsafe(_KEY_BYTES)
    with storage_errors(path):
        write_private(path, f"{key}\n")
    return key


def _key_file() -> Path:
    return home() / "model-service.key"


def _is_ours(settings: ModelServiceSettings) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return _key_file().read_text(encoding="ascii").strip() == settings.api_key
    return False


@contextlib.contextmanager
def _ray_environment(settings: ModelServiceSettings) -> Iterator[None]:
    """Inside the block the processes that Ray starts get what the service needs of their environment."""
    from autommlab.model_service.door import CALLBACK, RAY_VARIABLE, SETTINGS_VARIABLE

    given = {SETTINGS_VARIABLE: settings.model_dump_json(), RAY_VARIABLE: CALLBACK, **_RAY_ENVIRONMENT}
    kept = {name: os.environ.get(name) for name in (*given, "RAY_ADDRESS", KEY_VARIABLE)}
    os.environ.update(given)
    for name in ("RAY_ADDRESS", KEY_VARIABLE):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start_ray(settings: ModelServiceSettings) -> None:
    from autommlab.common.private_ray import prepare_ray_environment, start_private_ray

    prepare_ray_environment()
    keep_bytecode(home() / "bytecode")
    try:
        start_private_ray(
            workers_ahead=True, num_cpus=_WORKERS + settings.replicas, object_store_memory=_OBJECT_STORE_BYTES
        )
    except (RuntimeError, TimeoutError) as error:
        raise ModelServiceError(f"Ray does not start on this machine: {error}") from error


def _deploy(settings: ModelServiceSettings) -> None:
    from ray import serve
    from ray.serve.config import HTTPOptions
    from ray.serve.schema import LoggingConfig

    from autommlab.common.ray_serve import why_not_running
    from autommlab.model_service.app import APP_NAME, build

    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # of this process
    quiet = LoggingConfig(enable_access_log=False, log_level="WARNING")
    try:
        serve.start(
            proxy_location="HeadOnly",
            http_options=HTTPOptions(
                host=settings.host, port=settings.port, request_timeout_s=settings.request_timeout_s
            ),
            logging_config=quiet,
        )
        serve.run(build(settings), name=APP_NAME, route_prefix="/", logging_config=quiet)
    except RuntimeError as error:
        raise ModelServiceError(f"the service does not start: {why_not_running(APP_NAME)}") from error


def _first_answer(settings: ModelServiceSettings) -> tuple[dict[str, Any], ...]:
    """What it lists, once it answers.

    Raises:
        ModelServiceError: it gives no answer in time, or answers without the key.
    """
    deadline = time.monotonic() + settings.start_timeout_s
    said = "nothing"
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, content = _get(settings, settings.api_key)
            said = f"status {status}"
            if status == 200:
                if settings.api_key is not None and _get(settings, None)[0] != 401:
                    raise ModelServiceError("the service answers without the key; this is a fault of autommlab")
                return tuple(json.loads(content)["models"])
        time.sleep(_POLL_S)
    raise ModelServiceError(
        f"the service gave no answer at {settings.url} within {settings.start_timeout_s:g} s (last: {said})"
    )


def _get(settings: ModelServiceSettings, key: str | None) -> tuple[int, bytes]:
    address = settings.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=settings.request_timeout_s)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        return answer.status, answer.read()


def _below() -> list[psutil.Process]:
    import psutil

    return psutil.Process().children(recursive=True)


def _end(before: list[psutil.Process]) -> None:
    """Stop Ray and everything below this process that was not there before."""
    from autommlab.common.private_ray import stop_private_ray
    from serve.state import end_processes

    ours = [process for process in _below() if process not in before]
    with contextlib.suppress(Exception):
        stop_private_ray()
    end_processes([*ours, *(process for process in _below() if process not in before)], _KILL_AFTER_S)
