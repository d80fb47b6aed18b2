"""How large a trial's group of workers is. Apart, because the study's own process needs no torch for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupShape:
    """The workers of a trial, and the CPUs and GPUs of each."""

    workers: int
    cpus: float
    gpus: float
