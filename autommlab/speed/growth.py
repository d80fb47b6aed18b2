"""What a proposal costs as its searcher's history grows: whom to take for a thousand trials, or ten thousand."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from autommlab import settings
from autommlab.common.trial_status import SCORE
from autommlab.speed.suggestions import CONTEXT
from autommlab.tasks import Task
from autommlab.training.search_space import search_space
from searchers import create

SIZES = (100, 1000, 10_000)
#: Proposals that a figure is the mean of.
_MEAN_OF = 5


class Growth(BaseModel):
    """One searcher at one length of history.

    Attributes:
        trials: finished before the proposals that were measured.
        proposal_s: seconds of a proposal and the learning of its result, mean of 5.
        save_s: seconds of a save of the searcher's state.
        state_mb: size of that.
    """

    model_config = ConfigDict(frozen=True)

    searcher: str
    trials: int
    proposal_s: float
    save_s: float
    state_mb: float


def measure_growth(
    searchers: Sequence[str],
    sizes: Sequence[int] = SIZES,
    *,
    seconds: float = 60.0,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Growth, ...]:
    """Let each searcher work through made-up results (a smooth function of the configuration) and look at its cost.

    Args:
        searchers: names of those that need no LLM.
        sizes: lengths of history to stop at, ascending.
        seconds: a searcher that has taken longer is not led to its next size.
        tell: told what is being measured.
    """
    found = []
    space = search_space(settings.profile("laptop").tasks[Task.CLASSIFICATION])
    with tempfile.TemporaryDirectory(prefix="autommlab-bench-") as folder:
        for name in searchers:
            tell(name)
            searcher: Any = create(name, space, metric=SCORE, seed=0, context=CONTEXT)
            file, began, done = Path(folder) / "state.json", time.monotonic(), 0
            for size in sizes:
                while done < size and time.monotonic() - began < seconds:
                    done += _one_trial(searcher, done)
                if done < size:
                    tell(f"{name} has taken {seconds:g} s for {done} trials; {size} are left out")
                    break
                found.append(_at(name, searcher, size, file))
                done += _MEAN_OF
    return tuple(found)


def _one_trial(searcher: Any, number: int) -> int:
    config = searcher.suggest(f"t{number}")
    made_up = 0.9 - 0.1 * (math.log10(config["lr"]) + 3) ** 2
    searcher.on_trial_complete(f"t{number}", {SCORE: made_up})
    return 1


def _at(name: str, searcher: Any, size: int, file: Path) -> Growth:
    began = time.monotonic()
    for number in range(size, size + _MEAN_OF):
        _one_trial(searcher, number)
    proposed = time.monotonic()
    searcher.save(str(file))
    return Growth(
        searcher=name,
        trials=size,
        proposal_s=(proposed - began) / _MEAN_OF,
        save_s=time.monotonic() - proposed,
        state_mb=file.stat().st_size / 1e6,
    )
