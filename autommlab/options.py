"""What a run was asked to do: the command line's options as one record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from autommlab import settings
from searchers import today

#: Of a searcher; one of an earlier release becomes today's.
SearcherName = Annotated[str, AfterValidator(today)]


class RunOptions(BaseModel):
    """Everything that decides a run's outcome; stored in the run folder and compared on resume.

    Attributes:
        text: the person's sentence.
        parse: JSON file with the parse, None = ask the LLM service.
        data: name or path of a data set that overrides the request.
        model: name of a model that overrides the request.
        weights: pretrained file.
        profile: budget profile.
        searcher, scheduler: names known to `searchers`.
        trials: None = the profile's number.
        time_min: minutes for training, None = no limit.
        concurrent: trials at once, 0 = as many as fit.
        cpus_per_trial, gpus_per_trial: None = the profile's.
        workers_per_trial: processes that train one trial together; CPUs and GPUs count for each.
        seed: of data split, initialisation and searcher.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = ""
    parse: Path | None = None
    data: str | None = None
    model: str | None = None
    weights: Path | None = None
    profile: str = "laptop"
    searcher: SearcherName = "tpe+default"
    scheduler: str = "none"
    trials: int | None = None
    time_min: float | None = None
    concurrent: int = 0
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    workers_per_trial: int = 1
    seed: int = settings.DEFAULT_SEED

    @property
    def cpus(self) -> float:
        """CPUs of each worker of a trial, the profile's where none are named."""
        return settings.profile(self.profile).cpus_per_trial if self.cpus_per_trial is None else self.cpus_per_trial

    @property
    def gpus(self) -> float:
        """GPUs of each worker of a trial, the profile's where none are named."""
        return settings.profile(self.profile).gpus_per_trial if self.gpus_per_trial is None else self.gpus_per_trial

    def differences(self, given: dict[str, Any]) -> list[str]:
        """One line for each value of `given` that is not this run's: "field: stored X, now Y"."""
        mine = self.model_dump(mode="json")
        asked = RunOptions.model_validate({**mine, **given}).model_dump(mode="json")
        return [f"{name}: stored {mine[name]!r}, now {asked[name]!r}" for name in mine if mine[name] != asked[name]]
