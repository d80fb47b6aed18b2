"""The request-understanding sets, and files of predictions for them: both JSON Lines.

"test" has 140 requests in the manner of the LAMP benchmark and is for measuring only; "test2" has 160 of 40
other people and is for measuring only, too; "dev" has 60 of yet others and is for choosing prompts and
settings; "e2e" has 12 about the embedded data sets, for `bench e2e`. No line of any may become training data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from autommlab.common import jsonl
from autommlab.common.errors import RequestError
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest

_FILES = {"test": "ru_test.jsonl", "test2": "ru_test_2.jsonl", "dev": "ru_dev.jsonl", "e2e": "e2e.jsonl"}
SETS = {name: Path(__file__).with_name(file) for name, file in _FILES.items()}


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, Field(min_length=1)]


class LabelledRequest(_Line):
    """A request with the parse that the labelling rules give it."""

    task: Task
    request: Annotated[str, Field(min_length=1)]
    parse: ModelRequest

    @model_validator(mode="after")
    def _one_task(self) -> Self:
        if self.task is not self.parse.model.task:
            raise ValueError(f"the task is {self.task}, that of the parse {self.parse.model.task}")
        return self


class Prediction(_Line):
    """What a model made of the request with that id.

    Attributes:
        parse: None where there is none, or none that fits the schema.
        error: why there is no parse.
    """

    parse: ModelRequest | None = None
    error: str = ""


def read_set(name: str) -> tuple[LabelledRequest, ...]:
    """The examples of "test", "test2", "dev", "e2e" or a file.

    Raises:
        RequestError: no such set or file, a line is no example, or an id comes twice.
    """
    path = SETS.get(name) or Path(name).expanduser()
    if name not in SETS and not path.is_file():
        raise RequestError(f"unknown set {name!r}: neither {' nor '.join(SETS)}, and no such file")
    examples = tuple(_lines(path, LabelledRequest.model_validate))
    if not examples:
        raise RequestError(f"{path} holds no examples; each line is an object with id, task, request and parse")
    return examples


def read_predictions(path: Path) -> dict[str, Prediction]:
    """Predictions by id: lines with "id" and "parse", or "id" and "error".

    A parse that does not fit the schema is the model's mistake: it becomes a prediction without parse.

    Raises:
        RequestError: the file cannot be read, a line is no JSON object with an id, or an id comes twice.
    """
    return {prediction.id: prediction for prediction in _lines(path, _prediction)}


def _prediction(line: Any) -> Prediction:
    if not isinstance(line, dict) or line.get("parse") is None:
        return Prediction.model_validate(line)
    try:
        return Prediction(id=line.get("id", ""), parse=ModelRequest.parse(line["parse"]))
    except RequestError as error:
        return Prediction(id=line.get("id", ""), error=str(error))


_L = TypeVar("_L", bound=_Line)


def _lines(path: Path, read: Callable[[Any], _L]) -> Iterator[_L]:
    seen: set[str] = set()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error}") from error
    for number, line in jsonl.split_lines(content):
        try:
            record = read(jsonl.json_value(line))
        except ValueError as error:  # also a ValidationError
            raise RequestError(f"{path}, line {number}: {error}") from error
        if record.id in seen:
            raise RequestError(f"{path}, line {number}: the id {record.id!r} comes twice; keep one line of each")
        seen.add(record.id)
        yield record
