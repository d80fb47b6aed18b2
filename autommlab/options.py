"""What a run was asked to do: the command line's options as one record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict

from autommlab import settings
from autommlab.acceleration import Acceleration
from autommlab.budget import (
    READERS,
    BatchText,
    BudgetFile,
    ImagesText,
    IterationsText,
    SizeText,
    TaskChanges,
)
from autommlab.settings import Profile
from autommlab.tasks import Task
from searchers import today

#: Of a searcher; one of an earlier release becomes today's.
SearcherName = Annotated[str, AfterValidator(today)]

#: What only extends a study, or spreads it otherwise over machines and searchers; the rest decides what is learnt.
MAY_CHANGE = frozenset(
    {
        "searcher",
        "searcher_options",
        "scheduler",
        "trials",
        "time_min",
        "concurrent",
        "cpus_per_trial",
        "gpus_per_trial",
        "acceleration",
        "track",
        "optuna_storage",
        "quantize",
        "quantize_loss",
    }
)


#: Field -> its option on the command line and its argument in Python, where the two differ.
OPTION_OF_FIELD = {"text": "request", "time_min": "time", "budget_file": "budget", "batch_size": "batch"}


class RunOptions(BaseModel):
    """Everything that decides a run's outcome; stored in the run folder and compared on resume.

    Attributes:
        text: the person's sentence.
        parse: JSON file with the parse, None = ask the LLM service.
        data: name or path of a data set that overrides the request.
        model: name of a model that overrides the request.
        weights: pretrained file.
        task, classes, engine, device: each overrides what the request is understood to ask for.
        cfg_options: overrides of the toolbox's config, "KEY=VALUE" each, see `autommlab.cfg_options`.
        profile: budget profile, of which the five next ones change parts; see `budget`.
        budget_file: what `--budget` named, read; its own path is not compared.
        input_size, images, iterations, batch_size: as typed ("224x224", "500", "20..80"), over the file's.
        searcher, scheduler: names known to `searchers`.
        searcher_options: the searcher's own, "NAME=VALUE" each, see `searchers.read_options`.
        trials: None = the budget's number, 0 = no search.
        time_min: minutes for training, None = no limit.
        concurrent: trials at once, 0 = as many as fit.
        cpus_per_trial, gpus_per_trial: None = the budget's.
        workers_per_trial: processes that train one trial together; CPUs and GPUs count for each.
        acceleration: how trials use their device, None = the profile's.
        seed: of data split, initialisation and searcher.
        track: trackers that are told of the run, see `trackers.targets.read_target`.
        quantize: when an INT8 model is made: never, auto or always, see `settings.Quantize`.
        quantize_loss: most of the figure, a fraction, that INT8 may lose.
        optuna_storage: URL or file of an Optuna storage that is told of the study; "" = none any more.
        refit: whether the delivered model is trained on train and val: never or auto, see `settings.Refit`.
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
    cfg_options: tuple[str, ...] = ()
    profile: str = "laptop"
    budget_file: BudgetFile | None = None
    input_size: SizeText | None = None
    images: ImagesText | None = None
    iterations: IterationsText | None = None
    batch_size: BatchText | None = None
    searcher: SearcherName = "llm+grid"
    searcher_options: tuple[str, ...] = ()
    scheduler: str = "none"
    trials: int | None = None
    time_min: float | None = None
    concurrent: int = 0
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    workers_per_trial: int = 1
    acceleration: Acceleration | None = None
    seed: int = settings.DEFAULT_SEED
    track: tuple[str, ...] = ()
    optuna_storage: str | None = None
    quantize: str = settings.Quantize.AUTO.value
    quantize_loss: float = settings.QuantizePolicy().most_loss
    refit: str = settings.Refit.NEVER.value

    @property
    def searches(self) -> bool:
        """Whether there may be a search: `--trials 0` asks for none."""
        return self.trials != 0

    @property
    def quantize_policy(self) -> settings.QuantizePolicy:
        """What this run asks of INT8."""
        return settings.QuantizePolicy(when=settings.Quantize(self.quantize), most_loss=self.quantize_loss)

    @property
    def budget(self) -> Profile:
        """What this run may use: the profile, over it the file, over it the options.

        Raises:
            RequestError: no such profile.
        """
        profile = settings.profile(self.profile)
        if self.budget_file is not None:
            profile = self.budget_file.over(profile)
        names = ("trials", "cpus_per_trial", "gpus_per_trial", "acceleration")
        options = {name: getattr(self, name) for name in names}
        tasks = {task: self._typed.over(budget) for task, budget in profile.tasks.items()}
        named = {name: value for name, value in options.items() if value is not None}
        return profile.model_copy(update={**named, "tasks": tasks})

    @property
    def _typed(self) -> TaskChanges:
        return TaskChanges.model_validate({name: getattr(self, name) for name in READERS})

    def fixed(self, task: Task) -> TaskChanges:
        """What the person fixes of a task's budget, by an option or else the file; None = left to the profile."""
        file = self.budget_file.tasks.get(task) if self.budget_file is not None else None
        typed = self._typed.model_dump(exclude_none=True)
        return (file or TaskChanges()).model_copy(update=typed)

    def differences(self, other: RunOptions) -> Differences:
        """What `other` asks for that is not this run's."""
        mine, asked = (each.model_dump(mode="json", exclude={"budget_file": {"file"}}) for each in (self, other))
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
