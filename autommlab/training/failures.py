"""How a trial fails: by itself, by losing a process or a node, or by a fault of its machine. No torch in here."""

from __future__ import annotations

import errno
import re
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

from autommlab.common.trial_status import TrialStatus

_TRACEBACK_LINES = 12
_REASON_CHARACTERS = 300


class TrialFailure(Exception):
    """A trial that failed by itself, in words that travel between processes without the toolbox's classes.

    Attributes:
        status: kind of failure.
        reason: one line.
        trace: the last lines of the traceback where it happened; "" where it tells nothing.
    """

    def __init__(self, status: TrialStatus, reason: str, trace: str = "") -> None:
        super().__init__(status, reason, trace)
        self.status, self.reason, self.trace = status, reason, trace


class WorkerLostError(Exception):
    """A process of a trial over several workers died, or a connection between them; Tune tries the trial again."""


def failure_status(error: BaseException) -> TrialStatus:
    """What kind of failure an exception in a trial is."""
    name, text = type(error).__name__, str(error).lower()
    if name == "DivergedError":
        return "diverged"
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or "out of memory" in text:
        return "out-of-memory"
    return "failed"


def trial_failure(error: BaseException) -> TrialFailure:
    """The exception that is being handled, in words; one that is in words already as it is."""
    if isinstance(error, TrialFailure):
        return error
    status = failure_status(error)
    reason = first_line(error)[:_REASON_CHARACTERS]
    return TrialFailure(status, reason, "" if status in ("diverged", "out-of-memory") else _tail_of_traceback())


def first_line(error: BaseException) -> str:
    """Kind and first line of an exception; one that crossed from a loading process has its text behind a traceback."""
    kind, lines = type(error).__name__, str(error).splitlines() or [""]
    if "in DataLoader worker process" in lines[0]:
        told = [line for line in lines if re.match(rf"(\w+\.)*{kind}: ", line)]
        lines = [line.partition(": ")[2] for line in told[-1:]] or lines
    return f"{kind}: {lines[0]}"


def _errno(error: BaseException) -> int | None:
    """Of an OSError; in one that crossed from a loading process it is in the text alone."""
    if not isinstance(error, OSError):
        return None
    told = re.search(r"\[Errno (\d+)\]", str(error))
    return error.errno or (int(told[1]) if told else None)


def _tail_of_traceback() -> str:
    return "\n".join(traceback.format_exc().splitlines()[-_TRACEBACK_LINES:])


#: The disk takes no more, or gives errors; a quota and a limit on the size of files are like a full one.
DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})
#: Words of torch and the driver that mean the GPU or the driver of this machine.
_GPU_WORDS = (
    "no cuda gpus are available",
    "uncorrectable ecc error",
    "busy or unavailable",
    "unable to determine the device handle",
    "gpu is lost",
    "cuda driver initialization failed",
    "system not yet initialized",
)
#: After any of these, the process can use CUDA no more, whoever's fault it was.
_PROCESS_WORDS = ("cuda error", "cublas_status", "cudnn_status", "cusolver_status")
_MEMORY = "out of memory"
#: The resource by which Ray marks the head.
_HEAD = "node:__internal_head__"
#: About a checkpoint of the smallest model.
_PROBE_BYTES = 4 << 20
_NODE_REASON_CHARACTERS = 200


class Fault(NamedTuple):
    """Why a trial is to be tried again.

    Attributes:
        reason: one line.
        of_node: the machine is to blame, so that other trials would fare no better there.
    """

    reason: str
    of_node: bool


def fault_of(error: BaseException, scratch: Path) -> Fault | None:
    """What an exception in a trial says about its machine or process; None if the trial itself failed.

    Args:
        error: as raised.
        scratch: folder on the node's own disk where the trial writes, beside that for temporary files.
    """
    reason = first_line(error)[:_NODE_REASON_CHARACTERS]
    text = str(error).lower()
    if _MEMORY in text:
        return None  # the trial's own doing, and told as such
    if any(words in text for words in _GPU_WORDS):
        return Fault(f"the GPU fails ({reason})", of_node=True)
    if any(words in text for words in _PROCESS_WORDS):
        return Fault(f"CUDA fails ({reason})", of_node=False)
    # Asked whatever the words: torch reports a full disk as "unexpected pos 1977024 vs 1976920".
    refusals = [refusal for folder in {scratch, Path(tempfile.gettempdir())} if (refusal := _refusal(folder))]
    if refusals:
        return Fault(f"the disk fails ({refusals[0]})", of_node=True)
    if _errno(error) in DISK_ERRNOS:
        # The storage that all nodes share; nowhere else would be better.
        return Fault(f"the disk fails ({reason})", of_node=False)
    return None


def leave(fault: Fault) -> WorkerLostError:
    """The exception that makes Ray Tune try the trial again; no more trials start on a node that is to blame."""
    import ray

    if not ray.is_initialized():
        return WorkerLostError(fault.reason)
    address = ray.util.get_node_ip_address()
    if not fault.of_node:
        return WorkerLostError(f"on node {address} {fault.reason}")
    # What follows from it stands first: a reason with a long path may be cut off at its end.
    if _drain(fault.reason):
        return WorkerLostError(f"node {address} takes no more trials until its Ray is started again: {fault.reason}")
    return WorkerLostError(f"on node {address}, whose trials no other could take, {fault.reason}")


def _refusal(folder: Path) -> str:
    """Why a folder takes no checkpoint, "" if it does."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * _PROBE_BYTES)
            probe.flush()
    except OSError as error:
        return f"{error.strerror}: {folder}"
    return ""


def _drain(reason: str) -> bool:
    """Ask Ray to start nothing more on this node; not if it is the head, or nobody else has what this process uses."""
    import ray
    from ray._private.state import state
    from ray.core.generated import autoscaler_pb2
    from ray.experimental.internal_kv import internal_kv_get_gcs_client

    context = ray.get_runtime_context()
    here = context.get_node_id()
    nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
    if _HEAD in nodes.get(here, {}):
        return False
    used = {kind: amount for kind, amount in context.get_assigned_resources().items() if not kind.startswith("node:")}
    leaving = {here, *state.get_draining_nodes()}
    if not any(_holds(free, used) for node, free in nodes.items() if node not in leaving):
        return False
    # As `ray drain-node` does. The other reason that Ray knows, idleness, is refused by a node with running trials.
    why = getattr(autoscaler_pb2, "DrainNodeReason").Value("DRAIN_NODE_REASON_PREEMPTION")  # noqa: B009 - untyped
    accepted, _ = internal_kv_get_gcs_client().drain_node(here, why, f"autommlab: {reason}", 0)
    return bool(accepted)


def _holds(node: dict[str, float], used: dict[str, float]) -> bool:
    return all(node.get(kind, 0) >= amount for kind, amount in used.items())
