"""What earlier studies have found, one trial a line; written by others, read here."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from searchers.context import Fact
from searchers.errors import SearcherError
from searchers.settings import EXPERIENCE_VARIABLE
from searchers.space import Parameter, Point

SHIPPED = Path(__file__).with_name("experience.jsonl.gz")


class Experience(BaseModel):
    """One line of an experience file: a trial of an earlier study. Other keys on the line are ignored.

    Attributes:
        context: the facts of its `StudyContext`; with `parameters` and `mode` they tell studies apart.
        parameters: its space, bounds included, as `SearchSpace.parameters`.
        point: the hyperparameters that were tried.
        score: what they reached on validation data; None or anything if it failed.
        status: "ok" or "stopped" (early, by a scheduler); everything else is a failure.
        mode: whether a higher or a lower score is better.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    context: dict[str, Fact]
    parameters: tuple[Parameter, ...]
    point: Point
    score: float | None = None
    status: str = "ok"
    mode: Literal["max", "min"] = "max"

    @property
    def real_score(self) -> float | None:
        """The score, None if the trial failed."""
        return self.score if self.status in ("ok", "stopped") else None


def experience_file(given: str | None) -> Path | None:
    """The file to read: the one given, else that of AUTOMMLAB_EXPERIENCE, else none."""
    name = given or os.environ.get(EXPERIENCE_VARIABLE)
    return Path(name).expanduser() if name else None


def experience_or_shipped(given: str | None) -> Path:
    """As `experience_file`, and for want of one the trials that come with this package.

    Those are `autommlab trials`' own, without its held-out bags (`training_data_gen/triplets`).
    """
    return experience_file(given) or SHIPPED


def load_experience(path: Path) -> list[Experience]:
    """All trials of a JSONL file, compressed if its name ends in ".gz".

    Raises:
        SearcherError: the file cannot be read, holds nothing, or a line is no `Experience` (with its number).
    """
    lines: Sequence[str]
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = raw.decode("utf-8").splitlines()
    except (OSError, EOFError, ValueError) as error:
        raise SearcherError(f"the experience file {path} cannot be read: {error}. {HOW_TO_MAKE_ONE}") from error
    read = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            read.append(Experience.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "line"
            raise SearcherError(f"{path}, line {number}: {where}: {first['msg']}. {HOW_TO_MAKE_ONE}") from error
    if not read:
        raise SearcherError(f"the experience file {path} is empty. {HOW_TO_MAKE_ONE}")
    return read


HOW_TO_MAKE_ONE = (
    'An experience file has one JSON object per finished trial: {"context": {...}, "parameters": [bounds], '
    '"point": {...}, "score": 0.8, "status": "ok"} (searchers.experience.Experience); '
    f"name it by experience=FILE or the environment variable {EXPERIENCE_VARIABLE}"
)
