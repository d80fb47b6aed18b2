"""A Ray of our own on this machine, listening on loopback only, with a token and a folder that nobody else has."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from autommlab.common.private_folder import PrivateFolder, make_private_folder, restore_variables, use_token

START_ATTEMPTS = 3
#: Folders of the private Ray of this process, and Ray's variables as they were before it.
_OWN: list[tuple[PrivateFolder, dict[str, str | None]]] = []
#: Nobody can listen there.
_NO_ADDRESS = b"127.0.0.1:0"
_CLUSTER_SWITCH = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"

#: Set before Ray starts. The `uv run` hook would re-create the environment in every worker, and a
#: usage report has nowhere to go on a machine without internet.
RAY_ENVIRONMENT = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0"}


def prepare_ray_environment() -> None:
    """Environment variables that Ray reads when it is imported; what is already set stays.

    Where Ray is imported already, its constant for the `uv run` hook is set as well: with it on, workers
    of a driver under `uv run` never come up in a folder that uv cannot build from, and the study hangs.
    """
    for name, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    constants = sys.modules.get("ray._private.ray_constants")
    if constants is not None and os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0":
        constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = False  # type: ignore[attr-defined]


def start_private_ray(*, log_to_driver: bool = False, workers_ahead: bool = False, **options: Any) -> None:
    """Ray on loopback; tried again where a busy machine does not bring it up within Ray's fixed 30 s.

    `stop_private_ray` ends it.

    Args:
        log_to_driver: show what workers print.
        workers_ahead: begin with an idle worker a CPU. Trials take none of them: Ray Tune's actors have an environment
            of their own, so each of these would cost 0.4 s of CPU and 100 MB for nothing.
        **options: more of `ray.init`.

    Raises:
        RuntimeError, TimeoutError: it does not come up.
    """
    import ray

    for attempt in range(1, START_ATTEMPTS + 1):
        folder = _of_this_process()
        try:
            with _on_loopback(), _few_processes(log_to_driver), own_signal_handlers():
                started: Any = ray.init(
                    address="local",
                    _node_ip_address="127.0.0.1",
                    include_dashboard=False,
                    log_to_driver=log_to_driver,
                    logging_level=logging.ERROR,
                    _temp_dir=str(folder.temporary),
                    _system_config={"prestart_worker_first_driver": workers_ahead},
                    **options,
                )
                folder.tell_address(started.address_info["gcs_address"])
            return
        except Exception as error:
            # Ray says with a bare Exception that its node was too slow.
            slow = type(error) is Exception and "timed out during startup" in str(error)
            stop_private_ray()
            if not slow and not isinstance(error, RuntimeError | TimeoutError):
                raise
            if attempt == START_ATTEMPTS:
                if slow:
                    raise TimeoutError(
                        f"Ray's node did not start, {attempt} times; is the machine overloaded?"
                    ) from error
                raise


def stop_private_ray() -> None:
    """Disconnect from Ray; one that this process started ends, and its token and folder are deleted."""
    ray: Any = sys.modules.get("ray")
    if ray is not None:
        ray.shutdown()
    while _OWN:
        folder, kept = _OWN.pop()
        restore_variables(kept)
        folder.remove()


def _of_this_process() -> PrivateFolder:
    """New folders; from now on Ray uses their token."""
    folder = make_private_folder()
    _OWN.append((folder, use_token(folder.token_file)))
    return folder


@contextlib.contextmanager
def own_signal_handlers() -> Iterator[None]:
    """Inside the block `ray.init` leaves SIGTERM to this process, whose handlers hold after it.

    Ray would exit with the signal's number, and its C++ part prints a stack and aborts.
    """
    from ray._private import utils

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    original = utils.set_sigterm_handler
    utils.set_sigterm_handler = lambda handler: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = original
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.getsignal(number))  # Python knows ours still, the kernel Ray's


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Inside the block Ray takes 127.0.0.1 for its node: then, and only then, do its servers listen there alone.

    `ray.init` replaces a loopback address that it is given by the address of the network card. This switch,
    meant for Windows and macOS, is the only way to keep it. Put back afterwards: this process may later
    connect to a cluster, or start one.
    """
    from ray._private import ray_constants

    kept, variable = os.environ.get(_CLUSTER_SWITCH), ray_constants.ENABLE_RAY_CLUSTER
    os.environ[_CLUSTER_SWITCH] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = variable
        if kept is None:
            del os.environ[_CLUSTER_SWITCH]
        else:
            os.environ[_CLUSTER_SWITCH] = kept


@contextlib.contextmanager
def _few_processes(log_to_driver: bool) -> Iterator[None]:
    """Inside the block Ray starts what a Ray of one process needs, and its agent takes any free port.

    `ray.init` has no argument for either. Left out are the autoscaler's monitor, the web server, of which
    `include_dashboard=False` leaves a process that reports usage, and, where nobody reads it, the monitor of the
    workers' logs: 4 s of CPU, while the caller waits. With its fixed port for the agent, a `ray start --head` on the
    same machine would never accept a job.
    """
    from ray._private import ray_constants
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    begin, web = RayParams.__init__, Node.start_api_server
    own = {"dashboard_agent_listen_port": 0, "no_monitor": True, "include_log_monitor": log_to_driver}

    def begin_with_few(self: Any, *args: Any, **options: Any) -> None:
        begin(self, *args, **{**options, **own})

    def start_no_web_server(self: Any, **_: Any) -> None:
        """Without any address the agent would ask for it, and complain in its log, every second."""
        name = ray_constants.DASHBOARD_ADDRESS.encode()
        self.get_gcs_client().internal_kv_put(name, _NO_ADDRESS, True, ray_constants.KV_NAMESPACE_DASHBOARD)

    RayParams.__init__ = begin_with_few  # type: ignore[method-assign]
    Node.start_api_server = start_no_web_server  # type: ignore[method-assign]
    try:
        yield
    finally:
        RayParams.__init__ = begin  # type: ignore[method-assign]
        Node.start_api_server = web  # type: ignore[method-assign]
