"""What `bench hpo` was asked to do and what came out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from autommlab.common.errors import RequestError, unknown
from autommlab.compare.curves import Estimate
from autommlab.compare.records import MOST_TRIALS, Comparison
from autommlab.options import SearcherName
from autommlab.tasks import Task

#: The paper's rivals, and those that it left out (design: section 5).
SEARCHERS = (
    "default", "random", "tpe", "tpe+default", "tpe-few", "gp",
    "zero-shot", "surrogate", "hpo-llama", "llm+tpe", "bandit",
)  # fmt: skip


class HpoBenchOptions(BaseModel):
    """A comparison on each held-out task (bag: dataset, classes, model). Another call may ask for more of anything.

    Attributes:
        tasks, datasets: as `plan.plan_bags` takes them; only held-out tasks are used.
        bags: most bags of each task, or the names of some; None = all.
        searchers: names known to `searchers`; the others are tested against the first.
        trials: budget of each study.
        budgets: smaller budgets of some searchers, whose lines and curves end there.
        seeds: how many, paired over searchers.
        concurrent: trials of a study side by side; with 1, each proposal knows all results before it.
        cpus_per_trial, gpus_per_trial: Ray resources.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tasks: tuple[Task, ...] = tuple(Task)
    datasets: tuple[str, ...] = ()
    bags: Annotated[int, Field(ge=1)] | tuple[str, ...] | None = None
    searchers: tuple[SearcherName, ...] = Field(default=SEARCHERS, min_length=1)
    trials: int = Field(default=20, ge=1)
    budgets: dict[str, int] = {}
    seeds: int = Field(default=5, ge=1)
    concurrent: int = Field(default=1, ge=1)
    cpus_per_trial: float = Field(default=1, ge=0)
    gpus_per_trial: float = Field(default=0, ge=0)

    def budget(self, searcher: str) -> int:
        """Trials of each of its studies."""
        return min(self.trials, self.budgets.get(searcher, self.trials))

    def chosen(self, held_out: Mapping[str, Task]) -> list[str]:
        """The bags to compare on, in their order.

        Args:
            held_out: name of a bag -> its task.

        Raises:
            RequestError: a name is none of theirs.
        """
        known = [name for name, task in held_out.items() if task in self.tasks]
        if isinstance(self.bags, tuple):
            for name in self.bags:
                if name not in known:
                    raise RequestError(unknown("held-out task", name, known))
            return [name for name in known if name in self.bags]
        by_task = {task: [name for name in known if held_out[name] is task][: self.bags] for task in self.tasks}
        return [name for name in known if name in by_task[held_out[name]]]


class Overall(BaseModel):
    """One searcher over several bags; scores are normalised: 0 the worst trial of a bag, 1 its best known.

    Attributes:
        task: None = over all tasks.
        bags, seeds: that every searcher has finished.
        after: number of trials -> mean normalised score over bags, with its interval over seeds; as far as its
            budget goes.
        test: figure on TEST of the winner by VAL at the end of the budget, normalised alike, so 0 and 1 are no bounds;
            None where one was not measured.
        rank: mean place among the searchers at the end of the budget, 1 the best, ties shared; None for one with a
            smaller budget.
        llm_seconds: of a study.
    """

    model_config = ConfigDict(frozen=True)

    searcher: str
    task: Task | None
    bags: int
    seeds: int
    after: dict[int, Estimate]
    test: Estimate | None = None
    rank: float | None
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
        difference: of their normalised score, positive where `one` is better; interval over seeds.
        better, equal, worse: bags on which `one` is so, mean over seeds.
        on_test: the same difference between their winners' figures on TEST: what of it is not noise on VAL; None unless
            both are compared at the end of their budgets and were measured.
    """

    model_config = ConfigDict(frozen=True)

    one: After
    other: After
    difference: Estimate
    better: int
    equal: int
    worse: int
    on_test: Estimate | None = None


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
        comparisons: bag -> its comparison.
        overall: per task, then over all of them.
        contrasts: answers to the questions that were fixed beforehand.
        command, date, machine: what reproduces it, when and where it was run.
    """

    model_config = ConfigDict(frozen=True)

    searchers: tuple[str, ...]
    trials: int = Field(ge=1, le=MOST_TRIALS)
    comparisons: dict[str, Comparison]
    overall: tuple[Overall, ...]
    contrasts: tuple[Contrast, ...] = ()
    source: Source = Source()
    command: str
    date: str
    machine: dict[str, str] = {}
