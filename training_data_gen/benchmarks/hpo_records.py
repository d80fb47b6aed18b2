"""What `bench hpo` was asked to do and what came out of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from autommlab.race.curves import Estimate
from autommlab.race.records import RaceResult
from autommlab.tasks import Task

#: The paper's rivals, and those that it left out (design: section 5).
SEARCHERS = ("default", "random", "tpe", "tpe+default", "tpe-few", "gp", "prior", "hpo-llama", "llm+tpe", "portfolio")


class HpoBenchOptions(BaseModel):
    """A race on each held-out bag. Another call on the same folder may raise seeds and add searchers or bags.

    Attributes:
        tasks, datasets: as `plan.make_plan` takes them; only held-out bags are used.
        bags: most bags of each task; None = all.
        searchers: names known to `searchers`; the others are tested against the first.
        trials: budget of each study.
        seeds: how many, paired over searchers.
        concurrent: trials at once, 0 = as many as fit.
        cpus_per_trial, gpus_per_trial: Ray resources.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tasks: tuple[Task, ...] = tuple(Task)
    datasets: tuple[str, ...] = ()
    bags: int | None = Field(default=None, ge=1)
    searchers: tuple[str, ...] = Field(default=SEARCHERS, min_length=1)
    trials: int = Field(default=20, ge=1)
    seeds: int = Field(default=5, ge=1)
    concurrent: int = Field(default=0, ge=0)
    cpus_per_trial: float = Field(default=1, ge=0)
    gpus_per_trial: float = Field(default=0, ge=0)


class Overall(BaseModel):
    """One searcher over several bags; scores as shares of each bag's range, 0 its worst trial, 1 its best.

    Attributes:
        task: None = over all tasks.
        bags, seeds: that every searcher has finished.
        after: number of trials -> mean share over bags, with its interval over seeds.
        rank: mean place among the searchers at the end of the budget, 1 the best, ties shared.
        llm_seconds: of a study.
    """

    model_config = ConfigDict(frozen=True)

    searcher: str
    task: Task | None
    bags: int
    seeds: int
    after: dict[int, Estimate]
    rank: float
    llm_seconds: float


class After(NamedTuple):
    """The best of a searcher's first so many trials."""

    searcher: str
    trials: int

    def __str__(self) -> str:
        return f"{self.searcher} after {self.trials}"


class Contrast(BaseModel):
    """How much better one searcher is than another, over all bags.

    Attributes:
        one, other: which are compared.
        difference: of their shares of the bag's range, positive where `one` is better; interval over seeds.
        better, equal, worse: bags on which `one` is so, mean over seeds.
    """

    model_config = ConfigDict(frozen=True)

    one: After
    other: After
    difference: Estimate
    better: int
    equal: int
    worse: int


class Source(BaseModel):
    """Where the scores come from.

    Attributes:
        kind: "real trials" that were run for this; a "table" of real trainings, a proposal taking its nearest row's
            figure; or a "surrogate", a model fitted to trials, which proves nothing.
        figures: how coarse the table or how wrong the surrogate is.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["real trials", "table", "surrogate"] = "real trials"
    figures: dict[str, float] = {}

    def in_words(self) -> str:
        """One line for a title."""
        figures = ", ".join(f"{name} {value:.3g}" for name, value in self.figures.items())
        words = {"real trials": "", "table": "READ OFF TABLES OF REAL TRAININGS", "surrogate": "ON A SURROGATE"}
        return f"{words[self.kind]} ({figures})" if figures else words[self.kind]


class HpoBenchResult(BaseModel):
    """All figures of a benchmark, and how to run it again.

    Attributes:
        source: what the scores are.
        races: bag -> its race.
        overall: per task, then over all of them.
        contrasts: answers to the questions that were fixed beforehand.
        command, date, machine: what reproduces it, when and where it was run.
    """

    model_config = ConfigDict(frozen=True)

    searchers: tuple[str, ...]
    trials: int
    races: dict[str, RaceResult]
    overall: tuple[Overall, ...]
    contrasts: tuple[Contrast, ...] = ()
    source: Source = Source()
    command: str
    date: str
    machine: dict[str, str] = {}
