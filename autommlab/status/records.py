"""Typed records of `autommlab status`; `--json` prints them as they are."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from autommlab.training.usage import Usage


class NodeStatus(BaseModel):
    """One node of a cluster.

    Attributes:
        ip: address of the node.
        state: Ray's word, "RUNNING", "IDLE", or why it failed or is still starting.
        cpus, gpus: what it has; 0 while it starts.
        cpus_used, gpus_used: set aside for trials and replicas.
        roles: its custom resources, such as "trainer".
    """

    model_config = ConfigDict(frozen=True)

    ip: str
    state: str
    cpus: float = 0
    cpus_used: float = 0
    gpus: float = 0
    gpus_used: float = 0
    roles: tuple[str, ...] = ()


class JobStatus(BaseModel):
    """One request or other program on a cluster.

    Attributes:
        name: submission id, or Ray's job id of a program that was not submitted.
        state: PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED.
        command: what was submitted.
        started: seconds since the epoch, None while pending.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    state: str
    command: str
    started: float | None


class ClusterStatus(BaseModel):
    """One Ray.

    Attributes:
        address: of its head, HOST:PORT.
        nodes: those that run, then those that start or have failed.
        waiting: trials, replicas and other work that no node has room for yet.
        jobs: newest first; all that have not ended, and the ended ones that Ray still knows.
        problem: why it tells nothing, "" if it does.
    """

    model_config = ConfigDict(frozen=True)

    address: str
    nodes: tuple[NodeStatus, ...] = ()
    waiting: int = 0
    jobs: tuple[JobStatus, ...] = ()
    problem: str = ""


class RunStatus(BaseModel):
    """One run.

    Attributes:
        folder: of the run, or its URI.
        stage: the one at work, or "finished".
        doing: the run's own last words about it.
        trials_done, trials_total: finished ones, failed ones included, and the budget.
        metric, best: objective and its best value on val so far; None before the first real score.
        failures: trials without a score: how they ended -> how many.
        fallbacks: trials that another searcher proposed because the LLM could not.
        usage: hours of the trials that ended; calls and tokens of the LLM so far.
        left_s: seconds to the end of the stage by the run's own estimate; None if nobody can say, or nobody runs it.
        silent_s: seconds since the run last wrote something; long ones mean that it is not running.
    """

    model_config = ConfigDict(frozen=True)

    folder: str
    text: str
    stage: str
    doing: str
    trials_done: int
    trials_total: int
    metric: str
    best: float | None
    failures: dict[str, int]
    fallbacks: int
    usage: Usage
    left_s: float | None
    silent_s: float | None


class ServiceStatus(BaseModel):
    """The LLM service.

    Attributes:
        state: "healthy", "down" (none was started), or what is wrong with it.
        url: where it listens or should.
        base_model, adapters: what it serves.
        running, waiting: requests being answered, and in its queue; None if the server does not tell.
    """

    model_config = ConfigDict(frozen=True)

    state: str
    url: str | None = None
    base_model: str | None = None
    adapters: tuple[str, ...] = ()
    running: int | None = None
    waiting: int | None = None


class Status(BaseModel):
    """Everything at once."""

    model_config = ConfigDict(frozen=True)

    clusters: tuple[ClusterStatus, ...]
    service: ServiceStatus
    runs: tuple[RunStatus, ...]
