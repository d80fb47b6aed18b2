"""Past trials with a known best learning rate, and what a surrogate of them expects."""

from __future__ import annotations

import math
import random
from typing import Any

from searchers import StudyContext
from searchers.space import Configuration
from searchers.testing import SPACE
from searchers.transfer.transfer_surrogate import TransferSurrogate, fit_surrogate
from searchers.transfer.trial_history import PastTrial
from tests.helpers.llm_making import CONTEXT, past_trial

BEST_LR = 1e-3


def worth(config: Configuration, best_lr: float = BEST_LR) -> float:
    """1 at the best learning rate, a quarter less for each factor of ten."""
    return 1 - 0.25 * abs(math.log10(float(config["lr"]) / best_lr))


def past_lines(studies: int = 6, trials: int = 20, **best: float) -> list[dict[str, Any]]:
    """Random trials of several studies; `best` = model -> its best learning rate."""
    rng = random.Random(0)
    lines = []
    for number in range(studies):
        model = sorted(best)[number % len(best)] if best else "lite0"
        for _ in range(trials):
            config = SPACE.sample(rng)
            score = worth(config, best.get(model, BEST_LR)) + rng.gauss(0, 0.02)
            lines.append(past_trial(config, score, dataset=f"set-{number}", model=model))
    return lines


def score_of(lines: list[dict[str, Any]], context: StudyContext = CONTEXT, **more: Any) -> TransferSurrogate:
    made = fit_surrogate(SPACE, context, [PastTrial.model_validate(line) for line in lines], **more)
    assert made is not None
    return made
