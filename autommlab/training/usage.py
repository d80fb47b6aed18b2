"""What a study has used: CPU and GPU hours of its trials, and calls and tokens of the language model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab.common.llm_usage import LlmUsage
from autommlab.common.stored import record_of
from autommlab.options import RunOptions
from autommlab.training.records import TrialRecord

#: In the folder of a study.
LLM_FILE = "llm.json"


class Usage(BaseModel):
    """Of the trials that ended, failed ones included; what an interrupted attempt had used is not known.

    Attributes:
        cpu_hours, gpu_hours: reserved CPUs and GPUs times the time of building, training and validation.
        llm: of all calls; zero if none was made.
    """

    model_config = ConfigDict(frozen=True)

    cpu_hours: float
    gpu_hours: float
    llm: LlmUsage = LlmUsage()

    def in_words(self) -> str:
        """The hours in one line."""
        gpus = f" and {self.gpu_hours:.3g} GPU hours" if self.gpu_hours else ""
        return f"{self.cpu_hours:.3g} CPU hours{gpus}"


def llm_usage(study: Path) -> LlmUsage:
    """What a study's searcher has left in its folder about its calls; zero if it made none, or the file is damaged."""
    with contextlib.suppress(OSError, ValueError):
        return record_of(LlmUsage, (study / LLM_FILE).read_bytes())
    return LlmUsage()


def usage_of(options: RunOptions, trials: Iterable[TrialRecord], llm: LlmUsage | None = None) -> Usage:
    """What the trials of a run with these options have used."""
    hours = sum(trial.setup_s + trial.train_s + trial.val_s for trial in trials) / 3600 * options.workers_per_trial
    budget = options.budget
    cpus, gpus = budget.cpus_per_trial, budget.gpus_per_trial
    return Usage(cpu_hours=hours * cpus, gpu_hours=hours * gpus, llm=llm or LlmUsage())
