"""What a comparison was asked to do and what came out of it."""

from __future__ import annotations

import shlex
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from autommlab.common.errors import ResumeError
from autommlab.common.stored import record_of
from autommlab.compare.curves import Estimate
from autommlab.options import RunOptions, SearcherName
from autommlab.tasks import Task

#: Proposals under these origins came from nobody's model.
FALLBACK_MARK = ":fallback"


class CompareOptions(BaseModel):
    """A comparison: one request, several searchers.

    Attributes:
        run: request, data, model, profile and budget, the same for all; its seed is that of the data split.
        searchers: names known to `searchers`.
        seeds: how many; seed k of one searcher is paired with seed k of every other, and sets the
            initialisation of the model and the searcher's own randomness.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: RunOptions
    searchers: tuple[SearcherName, ...] = Field(min_length=1)
    seeds: int = Field(ge=1)


#: Of a study; curves have a value for each.
MOST_TRIALS = 1_000_000
#: In the folder of a comparison, beside what a run has there.
OPTIONS_FILE = "comparison-options.json"
#: There, at its end; in the folder of each study, at the end of that.
RESULT_FILE, SUMMARY_FILE = "comparison.json", "study.json"


def require_no_comparison(folder: Path) -> None:
    """A comparison is not gone on with as a run.

    Raises:
        ResumeError: there is one in the folder; says what goes on with it.
    """
    if not (folder / OPTIONS_FILE).exists():
        return
    try:
        comparison = record_of(CompareOptions, (folder / OPTIONS_FILE).read_bytes())
    except (OSError, ValueError):
        words = ["autommlab", "compare"]
    else:
        text = [comparison.run.text] if comparison.run.text else []
        parse = ["--parse", str(comparison.run.parse)] if comparison.run.parse else []
        searchers = ["--searchers", ",".join(comparison.searchers), "--seeds", str(comparison.seeds)]
        words = ["autommlab", "compare", *text, *parse, *searchers]
    again = shlex.join([*words, "--out", str(folder)])
    raise ResumeError(
        f"{folder} holds a comparison, not a run. Go on with: {again}, and the other options it was given"
    )


class StudySummary(BaseModel):
    """One study: one searcher with one seed.

    Attributes:
        scores: on VAL in order of completion, failed trials as 0.
        budget: trials that it was given, which may be fewer than the comparison's; None = the comparison's.
        statuses: how each trial ended, in the same order.
        proposed_by: origin -> number of trials.
        test: objective on TEST of the best trial by VAL, measured once; None where nothing was trained.
        seconds: of the whole study.
        llm_seconds, llm_tokens: what the language model cost, prompt and answer.
    """

    model_config = ConfigDict(frozen=True)

    searcher: SearcherName
    seed: int
    scores: tuple[float, ...]
    statuses: tuple[str, ...]
    proposed_by: dict[str, int]
    test: float | None
    seconds: float
    llm_seconds: float = 0.0
    llm_tokens: int = 0
    budget: int | None = Field(default=None, ge=0, le=MOST_TRIALS)

    @property
    def fallbacks(self) -> int:
        """Trials that a searcher's fallback proposed."""
        return sum(count for origin, count in self.proposed_by.items() if FALLBACK_MARK in origin)


class Standing(BaseModel):
    """One searcher's line of the table.

    Attributes:
        best_after: number of trials -> best score on VAL so far, over seeds; as far as its budget goes. The other
            figures are those at the end of its budget.
        test: of the winners, over seeds; None where nothing was trained.
        regret: distance to the comparison's best, as a fraction of all scores' range.
        wins: seeds in which it ended best, ties shared.
        failed: fraction of trials that failed.
        fallbacks: fraction of trials that a fallback proposed.
        p_value: Wilcoxon against the comparison's first searcher on the final best; None if not testable.
        trials_to_match: of the median seed, to reach the first searcher's mean final best; None = never.
    """

    model_config = ConfigDict(frozen=True)

    searcher: SearcherName
    best_after: dict[int, Estimate]
    test: Estimate | None
    regret: Estimate
    wins: float
    failed: float
    fallbacks: float
    p_value: float | None
    trials_to_match: int | None
    seconds: float
    llm_seconds: float
    llm_tokens: int


class Comparison(BaseModel):
    """Everything that a table or plot of a comparison needs, and how to run it again.

    Attributes:
        objective: canonical name of the figure that was searched for.
        score_name: what the scores on VAL are called, see `StudyResult`; "" = the objective.
        command: what reproduces it.
        date, machine: when and where it was run, with versions.
    """

    model_config = ConfigDict(frozen=True)

    task: Task
    objective: str
    data: str
    model: str
    trials: int = Field(ge=1, le=MOST_TRIALS)
    seeds: int
    studies: tuple[StudySummary, ...]
    standings: tuple[Standing, ...]
    command: str
    date: str
    machine: dict[str, str] = {}
    score_name: str = ""

    @property
    def val_name(self) -> str:
        """What is shown of VAL: the objective, or a score where that is another thing."""
        return self.score_name or self.objective
