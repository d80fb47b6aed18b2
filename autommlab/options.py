"""What a run was asked to do: the command line's options as one record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict

from autommlab import settings
from autommlab.acceleration import Acceleration
from searchers import today

#: Of a searcher; one of an earlier release becomes today's.
SearcherName = Annotated[str, AfterValidator(today)]

#: What only extends a study, or spreads it otherwise over machines and searchers; the rest decides what is learnt.
MAY_CHANGE = frozenset(
    {"searcher", "scheduler", "trials", "time_min", "concurrent", "cpus_per_trial", "gpus_per_trial", "acceleration"}
)


class RunOptions(BaseModel):
    """Everything that decides a run's outcome; stored in the run folder and compared on resume.

    Attributes:
        text: the person's sentence.
        parse: JSON file with the parse, None = ask the LLM service.
        data: name or path of a data set that overrides the request.
        model: name of a model that overrides the request.
        weights: pretrained file.
        task, classes, engine, device: each overrides what the request is understood to ask for.
        profile: budget profile.
        searcher, scheduler: names known to `searchers`.
        trials: None = the profile's number.
        time_min: minutes for training, None = no limit.
        concurrent: trials at once, 0 = as many as fit.
        cpus_per_trial, gpus_per_trial: None = the profile's.
        workers_per_trial: processes that train one trial together; CPUs and GPUs count for each.
        acceleration: how trials use their device, None = the profile's.
        seed: of data split, initialisation and searcher.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = ""
    parse: Path | None = None
    data: str | None = None
    model: str | None = None
    weights: Path | None = None
    task: str | None = None
    classes: tuple[str, ...] = ()
    engine: str | None = None
    device: str | None = None
    profile: str = "laptop"
    searcher: SearcherName = "hpo-llama"
    scheduler: str = "none"
    trials: int | None = None
    time_min: float | None = None
    concurrent: int = 0
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    workers_per_trial: int = 1
    acceleration: Acceleration | None = None
    seed: int = settings.DEFAULT_SEED

    @property
    def cpus(self) -> float:
        """CPUs of each worker of a trial, the profile's where none are named."""
        return settings.profile(self.profile).cpus_per_trial if self.cpus_per_trial is None else self.cpus_per_trial

    @property
    def gpus(self) -> float:
        """GPUs of each worker of a trial, the profile's where none are named."""
        return settings.profile(self.profile).gpus_per_trial if self.gpus_per_trial is None else self.gpus_per_trial

    def differences(self, other: RunOptions) -> Differences:
        """What `other` asks for that is not this run's."""
        mine, asked = self.model_dump(mode="json"), other.model_dump(mode="json")
        lines = {
            name: f"{name}: stored {mine[name]!r}, now {asked[name]!r}" for name in mine if mine[name] != asked[name]
        }
        return Differences(
            refused=[line for name, line in lines.items() if name not in MAY_CHANGE],
            allowed=[line for name, line in lines.items() if name in MAY_CHANGE],
        )


class Differences(NamedTuple):
    """Lines "field: stored X, now Y": those that make another run of it, and those that extend or reschedule it."""

    refused: list[str]
    allowed: list[str]
