"""What large data sets cost: seconds and memory of adding, checking, previewing, selecting and loading them.

Each step is a process of its own with a registry of its own, as a person runs one command after the other.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import DataError, RequestError, unknown
from autommlab.speed.big_sets import IMAGES, make_set
from autommlab.tasks import Task

Step = Literal["add", "check", "preview", "select", "select-few", "load"]
#: In this order; `select` needs a set that is added, `load` one that is selected.
STEPS: tuple[Step, ...] = ("add", "check", "preview", "select", "select-few", "load")
#: Pictures of the small dataset of `select-few` in train, val and test.
FEW = (417, 90, 90)
#: A file that has just been written may still change unseen; a person needs longer to the next command.
_SETTLE_S = 2.5


class Cost(BaseModel):
    """What one step cost at one size.

    Attributes:
        scale: times the set of scale 1.
        images, megabytes: of the set; without its pictures and masks.
        seconds: of the step, without the start of Python and the imports.
        cpu_s: CPU seconds of that, on all cores and with those of processes that it started: other load on the machine
            does not change them.
        memory_mb: highest resident memory of its process.
        imports_mb: the part of that which was there before the step began.
        workers_mb: highest resident memory of the largest process that it started; 0 for none.
    """

    model_config = ConfigDict(frozen=True)

    task: Task
    scale: int
    images: int
    megabytes: float
    step: Step
    seconds: float
    cpu_s: float
    memory_mb: float
    imports_mb: float
    workers_mb: float


class Taken(BaseModel):
    """What the process of a step tells of it; see `Cost`."""

    seconds: float
    cpu_s: float
    memory_mb: float
    imports_mb: float
    workers_mb: float


def measure_data(
    task: Task,
    scales: Sequence[int] = (1, 10),
    *,
    images: int | None = None,
    steps: Sequence[Step] = STEPS,
    folder: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Cost, ...]:
    """Make a set of each size and take the steps with it.

    Args:
        task: the kind of the set.
        scales: times `images`.
        images: pictures at scale 1; None = `big_sets.IMAGES`.
        steps: those that are measured; the ones before them that they need are taken as well.
        folder: where the sets are made and deleted again; None = the temporary folder.
        tell: told what is being done.

    Raises:
        DataError: a step failed; with what it printed.
    """
    found: list[Cost] = []
    for scale in scales:
        with tempfile.TemporaryDirectory(prefix="autommlab-bench-", dir=folder) as place:
            count = scale * (images or IMAGES[task])
            tell(f"making {task} with {count} pictures")
            root = Path(place) / "bench"
            make_set(root, task, count)
            size = sum(file.stat().st_size for file in root.glob("annotations/*.json")) / 1e6
            time.sleep(_SETTLE_S)
            for step in _taken_steps(steps):
                tell(f"{step}, {task} with {count} pictures")
                taken = _taken(step, root, task)
                cost = Cost(
                    task=task, scale=scale, images=count, megabytes=round(size, 1), step=step, **taken.model_dump()
                )
                found += [cost] if step in steps else []
    return tuple(found)


def _taken_steps(wanted: Sequence[Step]) -> list[Step]:
    """The steps with those that they need: a set is added first, and one that is loaded selected."""
    needed = {*wanted, "add", *(["select"] if "load" in wanted else [])}
    return [step for step in STEPS if step in needed]


def _taken(step: Step, root: Path, task: Task) -> Taken:
    """Take a step in a process of its own."""
    environment = {**os.environ, "AUTOMMLAB_HOME": str(root.parent / "home")}
    out = root.parent / "taken.json"
    command = [sys.executable, "-m", "autommlab.speed.big_data_step", step, str(root), str(task), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise DataError(f"the step {step} of {root} failed:\n{done.stderr[-2000:]}")
    return Taken.model_validate_json(out.read_bytes())


def steps_named(names: Sequence[str]) -> tuple[Step, ...]:
    """The steps of these names, in their order; all without any.

    Raises:
        RequestError: no such step.
    """
    for name in names:
        if name not in STEPS:
            raise RequestError(unknown("step", name, list(STEPS)))
    return tuple(step for step in STEPS if not names or step in names)


def with_older(older: Sequence[Cost], fresh: Sequence[Cost]) -> list[Cost]:
    """Costs with fresh ones in place of those of the same task, scale and step."""
    return list({(cost.task, cost.scale, cost.step): cost for cost in (*older, *fresh)}.values())
