"""The process behind `serve up`: holds a private Ray with the application, or deploys on a cluster and ends.

`python -m serve.daemon up FOLDER` takes its settings from FOLDER/started.json;
`python -m serve.daemon down ADDRESS` deletes the application from the cluster.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

from autommlab.common.errors import AutoMMLabError
from autommlab.common.placement import resources_of_node
from autommlab.common.ports import free_port, port_problem
from autommlab.common.private_ray import prepare_ray_environment, start_private_ray, stop_private_ray
from autommlab.common.processes import boot_id, created_after_boot_s
from autommlab.common.ray_address import send_token_if_asked
from autommlab.common.ray_serve import why_not_running
from autommlab.common.stored import record_of
from serve.base_models import check_base_model
from serve.client import Sampling, ServiceClient
from serve.errors import ServiceError, ServiceStartError
from serve.settings import ServiceSettings
from serve.state import Phase, ServiceState, end_processes, write_state

SETTINGS_FILE = "started.json"
#: What the first answer must look like; small, for the slowest machine.
FIRST_SCHEMA = {"type": "object", "properties": {"ready": {"type": "boolean"}}, "required": ["ready"]}
#: Seconds between looks at the application while it runs.
_WATCH_S = 2.0
_KILL_AFTER_S = 3.0
_WORKERS = 3
_OBJECT_STORE_BYTES = 100 * 2**20


_GUARD = """
import os, signal, sys, time
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_IGN)
me, session = os.getpid(), os.getsid(0)
sys.stdin.buffer.read()
while True:
    left = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and int(name) != me and os.getsid(int(name)) == session:
                os.kill(int(name), signal.SIGKILL)
                left.append(name)
        except OSError:
            pass
    if not left:
        break
    time.sleep(0.1)
"""


def main() -> None:
    """Run the subcommand of the command line."""
    action, place = sys.argv[1:3]
    prepare_ray_environment()
    if action == "down":
        _delete(place)
        return
    settings = _settings(Path(place) / SETTINGS_FILE)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    with guarded_session():
        _Start(settings).run()


def _settings(stored: Path) -> ServiceSettings:
    """What the service is to be started with; ends the process where that cannot be read."""
    try:
        return record_of(ServiceSettings, stored.read_bytes())
    except (OSError, ValueError) as error:
        sys.exit(f"{stored} cannot be read ({error}): start the service with `autommlab serve up`, which writes it")


class _Start:
    """One start, from the settings to the first answer, and the watch after it."""

    def __init__(self, settings: ServiceSettings) -> None:
        port = settings.port or free_port(settings.host)
        if port is None:
            raise ServiceStartError(f"no port of {settings.host} is free")
        self.settings = settings.model_copy(update={"port": port})
        self.state = ServiceState(
            pid=os.getpid(),
            started=created_after_boot_s(psutil.Process()),
            boot=boot_id(),
            ray_address=settings.ray_address,
            url=f"http://{settings.host}:{port}",
            api_key=settings.api_key,
            base_model=settings.base_model,
            phase=Phase.SETTINGS,
        )

    def run(self) -> None:
        """Start, watch, and leave nothing behind."""
        folder = self.settings.folder
        try:
            self._enter(Phase.SETTINGS)
            self._start()
            if self.settings.ray_address is None:
                self._watch()
        except Exception as error:
            reason = str(error) if isinstance(error, ServiceError) else f"{type(error).__name__}: {error}"
            if isinstance(error, ServiceError):
                print(reason, flush=True)
            else:
                traceback.print_exc()
            write_state(folder, self.state.model_copy(update={"phase": Phase.FAILED, "error": reason}))
            sys.exit(1)
        finally:
            if self.settings.ray_address is None:
                _end_ray()

    def _start(self) -> None:
        from serve.adapters import table_of

        settings = self.settings
        check_base_model(settings.base_model)
        if settings.ray_address is None:
            _check_port(settings)
            table_of(settings).sweep()
        self._enter(Phase.RAY)
        if settings.ray_address is None:
            # Not slots, nobody asks for one: Ray starts so many workers at once, for controller, proxy and replica.
            start_private_ray(
                log_to_driver=True,
                workers_ahead=True,
                num_cpus=_WORKERS,
                object_store_memory=_OBJECT_STORE_BYTES,
                resources=resources_of_node(settings.node_resource),
            )
        else:
            _connect(settings.ray_address)
        # Ray puts its own handlers in their place.
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)
        self._enter(Phase.ENGINE)
        self._deploy()
        self._enter(Phase.FIRST_ANSWER)
        self._first_answer()
        if settings.ray_address is not None:
            self.state = self.state.model_copy(update={"pid": None, "started": None})
        self._enter(Phase.READY)

    def _deploy(self) -> None:
        from ray import serve
        from ray.serve.config import HTTPOptions

        from serve.app import APP_NAME, build

        settings = self.settings
        serve.start(
            proxy_location="HeadOnly",
            http_options=HTTPOptions(
                host=settings.host, port=settings.port, request_timeout_s=settings.request_timeout_s
            ),
        )
        try:
            serve.run(build(settings.model_dump(mode="json")), name=APP_NAME, route_prefix="/")
        except RuntimeError as error:
            raise ServiceStartError(why_not_running(APP_NAME)) from error

    def _first_answer(self) -> None:
        settings = self.settings
        client = ServiceClient(self.state.url, api_key=settings.api_key, timeout_s=settings.start_timeout_s)
        client.chat(
            [{"role": "user", "content": "Are you ready?"}],
            model=settings.model_name,
            schema=FIRST_SCHEMA,
            sampling=Sampling(max_tokens=32),
        )

    def _watch(self) -> NoReturn:
        from ray import serve
        from ray.serve.schema import ApplicationStatus

        from serve.app import APP_NAME

        while True:
            time.sleep(_WATCH_S)
            application = serve.status().applications.get(APP_NAME)
            if application is None or application.status in {
                ApplicationStatus.DEPLOY_FAILED,
                ApplicationStatus.DELETING,
                ApplicationStatus.NOT_STARTED,
            }:
                raise ServiceStartError(
                    "the application is gone from Ray Serve" + (f": {application.message}" if application else "")
                )

    def _enter(self, phase: Phase) -> None:
        print(f"{time.strftime('%H:%M:%S')} {phase}", flush=True)
        self.state = self.state.model_copy(update={"phase": phase})
        write_state(self.settings.folder, self.state)


@contextlib.contextmanager
def guarded_session() -> Iterator[None]:
    """While the block runs, a guard waits for the death of this process, and kills what it leaves in its session.

    Ray's dashboard and agents would stay for ever after a `kill -9` of this process, holding ports and memory. Only for
    the leader of a session.
    """
    if os.getsid(0) != os.getpid():
        yield
        return
    # The pipe ends with this process however it dies; the guard ignores the signals of a terminal.
    guard = subprocess.Popen([sys.executable, "-S", "-c", _GUARD], stdin=subprocess.PIPE)  # noqa: S603 - our own text
    assert guard.stdin is not None  # noqa: S101 - as asked for
    try:
        yield
    finally:
        guard.kill()
        guard.wait()
        guard.stdin.close()


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _end_ray() -> None:
    """Stop the private Ray and every process below this one, engines included."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    below = psutil.Process().children(recursive=True)
    with contextlib.suppress(Exception):
        stop_private_ray()
    end_processes(below + psutil.Process().children(recursive=True), _KILL_AFTER_S)


def _connect(address: str) -> None:
    import ray

    try:
        send_token_if_asked(address)  # for the life of this process
        ray.init(address=address, log_to_driver=True)
    except (ConnectionError, RuntimeError, TimeoutError, ValueError, AutoMMLabError, ray.exceptions.RayError) as error:
        raise ServiceStartError(f"cannot connect to Ray at {address}: {error}") from error


def _delete(address: str) -> None:
    from ray import serve

    from serve.app import APP_NAME

    _connect(address)
    serve.delete(APP_NAME)


def _check_port(settings: ServiceSettings) -> None:
    problem = port_problem(settings.host, settings.port)
    if problem is not None:
        raise ServiceStartError(
            f"port {settings.port} of {settings.host} cannot be used ({problem}), perhaps for another user's service: "
            "`autommlab serve up --port 0` takes any free one"
        )


if __name__ == "__main__":
    main()
