"""How large a trial's group of workers is. Apart, because the study's own process needs no torch for it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GroupShape:
    """The workers of a trial, and the CPUs, GPUs and custom resources of each."""

    workers: int
    cpus: float
    gpus: float
    custom: dict[str, float] = field(default_factory=dict)
