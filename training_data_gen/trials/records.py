"""A trial: request (bag and model), hyperparameters, performance. One line of `trials.jsonl`."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from autommlab.common.trial_status import TrialStatus, is_scored
from autommlab.data.records import SPLITS, Bag
from autommlab.models.records import ModelChoice
from autommlab.tasks import Task, objective
from autommlab.training.ledger import trial_key
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.runner_config import TrialSetup
from autommlab.training.search_space import study_context
from searchers.context import Fact
from searchers.space import Configuration, Parameter, SearchSpace
from training_data_gen.trials.planned import PlannedBag
from training_data_gen.trials.quasi import plan_configs

#: Packages whose versions a line carries: what the figures depend on.
_PACKAGES = ("torch", "onedl-mmengine", "onedl-mmcv", "ray")
_TOOLBOXES = {
    "mmpretrain": "onedl-mmpretrain", "mmdet": "onedl-mmdetection", "mmseg": "onedl-mmsegmentation", "mmpose": "mmpose"
}  # fmt: skip
#: Decimals of seconds and figures; more would be noise that compresses badly.
_DECIMALS, _SECONDS_DECIMALS = 5, 2


class BagFacts(BaseModel):
    """What a trial says of its data."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    classes: tuple[str, ...]
    train: int
    val: int
    test: int
    digest: str


class ModelFacts(BaseModel):
    """What a trial says of its model; `score` is the zoo's on its own benchmark."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    family: str
    params_m: float
    flops_g: float
    input_size: tuple[int, int]
    weights: str
    score: float | None = None
    score_dataset: str = ""


class RecordedTrial(BaseModel):
    """One trial with everything that it was about; `context` to `mode` are a past trial of `searchers.transfer`.

    Attributes:
        key: of the content; equal keys are the same training.
        planned: id of the bag in the plan.
        held_out, left_out: see `PlannedBag`.
        context: what a searcher is told about the study.
        parameters: the search space with its bounds.
        config: the hyperparameters.
        sobol_number: number of the quasi-random configuration, from 0; None for the default configuration and those
            near it.
        near: drawn around the default configuration.
        score: the objective on VAL, 0 if the trial failed.
        test: the objective on TEST, measured for the winner of a study, of all trials if asked for.
        metrics, test_metrics: all figures, fractions.
        curve: (iteration, objective on VAL) at each report.
        readback: what the built Runner says it uses.
        train_s, val_s, setup_s: seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    planned: str
    task: Task
    held_out: bool
    left_out: bool
    bag: BagFacts
    model: ModelFacts
    context: dict[str, Fact]
    parameters: tuple[Parameter, ...]
    config: Configuration
    score: float
    status: TrialStatus
    mode: str = "max"
    objective: str
    sobol_number: int | None
    near: bool = False
    seed: int
    test: float | None = None
    metrics: dict[str, float] = {}
    test_metrics: dict[str, float] = {}
    curve: tuple[tuple[int, float], ...] = ()
    reason: str = ""
    readback: dict[str, Fact] = {}
    train_s: float = 0.0
    val_s: float = 0.0
    setup_s: float = 0.0
    ended_at: float = 0.0
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _lies_in_its_space(self) -> Self:
        problems = SearchSpace(parameters=self.parameters).violations(self.config)
        if problems or self.objective != objective(self.task).name:
            raise ValueError(problems[0] if problems else f"{self.objective!r} is not the objective of {self.task}")
        return self

    @property
    def failed(self) -> bool:
        """Whether the score is none that the model reached."""
        return not is_scored(self.status)

    @property
    def seconds(self) -> float:
        """Building, training and validation."""
        return self.train_s + self.val_s + self.setup_s


def recorded_trials(
    planned: PlannedBag,
    setup: TrialSetup,
    space: SearchSpace,
    trials: Sequence[TrialRecord],
    *,
    test_metrics: Mapping[int, dict[str, float]],
    near: bool = False,
) -> list[RecordedTrial]:
    """The lines of one study.

    Args:
        planned: its bag.
        setup: with the seed of this study.
        space: its bounds.
        trials: all of them.
        test_metrics: number of a trial -> its figures on TEST.
        near: they were drawn around the default configuration.
    """
    numbers = (
        {}
        if near
        else {trial_key(config): n for n, config in enumerate(plan_configs(space, len(trials), planned.sequence))}
    )
    measured = objective(planned.task).name
    versions = _versions(setup.choice)
    shared = {
        "planned": planned.id,
        "task": planned.task,
        "held_out": planned.held_out,
        "left_out": planned.left_out,
        "bag": _bag_facts(setup.bag),
        "model": _model_facts(setup.choice),
        "context": study_context(setup).facts,
        "parameters": space.parameters,
        "objective": measured,
        "near": near,
        "seed": setup.seed,
        "versions": versions,
    }
    return [
        RecordedTrial(
            **shared,
            key=training_key(setup, trial.hyperparameters),
            config=trial.hyperparameters.model_dump(),
            score=round(trial.score, _DECIMALS),
            status=trial.status,
            sobol_number=numbers.get(trial_key(trial.hyperparameters.model_dump())),
            test=round(test_metrics[trial.number][measured], _DECIMALS) if trial.number in test_metrics else None,
            metrics=_rounded(trial.metrics),
            test_metrics=_rounded(test_metrics.get(trial.number, {})),
            curve=tuple((iteration, round(score, _DECIMALS)) for iteration, score in trial.curve),
            reason=trial.reason.splitlines()[0] if trial.reason else "",
            readback=trial.readback,
            train_s=round(trial.train_s, _SECONDS_DECIMALS),
            val_s=round(trial.val_s, _SECONDS_DECIMALS),
            setup_s=round(trial.setup_s, _SECONDS_DECIMALS),
            ended_at=round(trial.ended_at),
        )
        for trial in trials
    ]


def training_key(setup: TrialSetup, config: Hyperparameters) -> str:
    """A digest of all that decides a training: data, model, initial weights, input size, configuration, seed."""
    choice = setup.choice
    content = {
        "bag": setup.bag.digest,
        "model": choice.entry.name,
        "weights": choice.pretrained.kind,
        "input": choice.input_size,
        "config": config.model_dump(),
        "seed": setup.seed,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def _bag_facts(bag: Bag) -> BagFacts:
    train, val, test = (bag.splits[split].images for split in SPLITS)
    name = ", ".join(bag.datasets)
    return BagFacts(dataset=name, classes=bag.classes, train=train, val=val, test=test, digest=bag.digest)


def _model_facts(choice: ModelChoice) -> ModelFacts:
    entry = choice.entry
    return ModelFacts(
        name=entry.name,
        title=entry.title,
        family=entry.family,
        params_m=round(choice.measured.params_m, 3),
        flops_g=round(choice.measured.flops_g, 4),
        input_size=choice.input_size,
        weights=choice.pretrained.kind,
        score=entry.score,
        score_dataset=entry.score_dataset,
    )


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, _DECIMALS) for name, value in figures.items()}


def _versions(choice: ModelChoice) -> dict[str, str]:
    packages = (*_PACKAGES, _TOOLBOXES[choice.entry.toolbox])
    return {name: importlib.metadata.version(name) for name in packages}
