"""Small tables of trials with figures made up by a formula, for tests of what is done with trials."""

from __future__ import annotations

import math
from pathlib import Path

from autommlab.data.records import SPLITS, Bag, BagSplit
from autommlab.models import zoo
from autommlab.models.records import Measured, ModelChoice, Pretrained
from autommlab.tasks import objective
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.runner_config import TrialSetup
from autommlab.training.search_space import search_space
from training_data_gen.trials.planned import PlannedBag
from training_data_gen.trials.quasi import plan_configs
from training_data_gen.trials.records import RecordedTrial, recorded_trials


def setup_of(planned: PlannedBag, seed: int = 0) -> TrialSetup:
    """What a study of this bag would take, without any image."""
    bag = Bag(
        task=planned.task,
        folder=Path("nowhere"),
        classes=planned.classes,
        sources={name: (f"{planned.dataset}/{name}",) for name in planned.classes},
        datasets=(planned.dataset,),
        splits={split: BagSplit(images=40, annotations="none", per_class={}) for split in SPLITS},
        median_size=planned.input_size,
        seed=0,
        digest=planned.content(),
    )
    entry = zoo.entry(planned.model, planned.task)
    measured = Measured(params_m=4.0, flops_g=0.1, ms_per_image=5, input_size=planned.input_size, device="none")
    choice = ModelChoice(
        entry=entry,
        input_size=planned.input_size,
        measured=measured,
        pretrained=Pretrained(kind="package", source=entry.packaged),
        reasons=(),
    )
    return TrialSetup(bag=bag, choice=choice, reports=3, seed=seed)


def score_of(config: Hyperparameters, seed: int) -> float:
    """The learning rate decides nearly alone, best at 1e-3; a seed moves it by 0.01."""
    return round(0.9 - 0.15 * abs(math.log10(config.lr) + 3) - 0.01 * seed, 4)


def made_up(planned: PlannedBag, count: int, *, seed: int = 0) -> list[RecordedTrial]:
    """Trials of the plan's first configurations; those with a rate above 0.05 have diverged."""
    setup, space = setup_of(planned, seed), search_space(planned.budget())
    trials = []
    for number, values in enumerate(plan_configs(space, count, planned.sequence), start=1):
        config = Hyperparameters.model_validate(values)
        diverged = config.lr > 0.05
        score = 0.0 if diverged else score_of(config, seed)
        trials.append(
            TrialRecord(
                number=number,
                trial_id=f"t{number}",
                hyperparameters=config,
                score=score,
                metrics={} if diverged else {objective(planned.task).name: score},
                curve=() if diverged else ((5, score / 2), (10, score)),
                status="diverged" if diverged else "ok",
                reason="DivergedError: the loss is nan" if diverged else "",
                train_s=3.0,
                val_s=1.0,
                seed=seed,
                ended_at=1_790_000_000.0 + number,
                worker="somewhere:1",
            )
        )
    best = max(trials, key=lambda trial: trial.score)
    figures = {objective(planned.task).name: best.score - 0.02}
    return recorded_trials(planned, setup, space, trials, test_metrics={best.number: figures})
