"""How well requests are understood: parses against the labelled ones, at LAMP's four levels.

Item level: task, specific model, speed, FLOPs, parameters, GPU, engine. List level: objects, metrics.
Key level: all of these. Request level: all of them right at once. The first three count every field of
every request (LAMP's own scorer divides the distinct faulty requests by the number of items, which
inflates them). A request without a valid parse has every field wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, computed_field

from autommlab.common.errors import RequestError
from autommlab.tasks import Task
from training_data_gen.benchmarks.parse_compare import BESIDE_FIELDS, FIELDS, ITEM_FIELDS, KEY_FIELDS, LIST_FIELDS
from training_data_gen.benchmarks.request_sets import LabelledRequest, Prediction

_Z_95 = 1.959964


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Share(_Record):
    """So many right of so many, with the Wilson 95 % interval.

    The interval takes the counted things as independent. Fields of one request are not quite,
    so at the item, list and key level it is somewhat too narrow.
    """

    right: int
    of: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def share(self) -> float | None:
        """Between 0 and 1, None where nothing was counted."""
        return self.right / self.of if self.of else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval(self) -> tuple[float, float]:
        """(lower, upper) end; (0, 1) where nothing was counted."""
        return wilson(self.right, self.of)


class Row(_Record):
    """One line of the table.

    Attributes:
        all: over all requests.
        tasks: over the requests of each task that the set has.
        stated: over the requests that say something about the field; for a field that is seldom
            stated, answering always "none" already looks good in `all`. None for levels.
    """

    all: Share
    tasks: dict[Task, Share]
    stated: Share | None = None


class ParseReport(_Record):
    """The table.

    Attributes:
        requests: how many.
        valid: how many have a parse that fits the schema; a question back to the person is none.
        levels: by "item", "list", "key" and "request".
        fields: by `KEY_FIELDS`.
        beside: by `BESIDE_FIELDS`, which count at no level.
    """

    requests: int
    valid: Row
    levels: dict[str, Row]
    fields: dict[str, Row]
    beside: dict[str, Row]


class Mistake(_Record):
    """A field that is wrong, both values as a person reads them."""

    field: str
    expected: str
    got: str


class ParseVerdict(_Record):
    """What one request's parse has wrong.

    Attributes:
        id, task, request: of the example.
        stated: fields that the request says something about.
        mistakes: fields that are wrong, `BESIDE_FIELDS` among them.
        error: why there is no parse, "" where there is one.
    """

    id: str
    task: Task
    request: str
    stated: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    error: str = ""

    def wrong(self, fields: Collection[str] = KEY_FIELDS) -> int:
        """How many of these fields are wrong."""
        return sum(mistake.field in fields for mistake in self.mistakes)


def judge(example: LabelledRequest, prediction: Prediction | None) -> ParseVerdict:
    """Compare one prediction with its label, field by field; None = there is no prediction."""
    given = prediction.parse if prediction else None
    mistakes = []
    for name, field in FIELDS.items():
        expected = field.value(example.parse)
        if given is None:
            mistakes.append(Mistake(field=name, expected=field.shown(expected), got="no parse"))
        elif not field.same(expected, got := field.value(given)):
            mistakes.append(Mistake(field=name, expected=field.shown(expected), got=field.shown(got)))
    error = (prediction.error if prediction else "") or "no parse was given"
    return ParseVerdict(
        id=example.id,
        task=example.task,
        request=example.request,
        stated=tuple(name for name, field in FIELDS.items() if field.is_stated(example.parse)),
        mistakes=tuple(mistakes),
        error=error if given is None else "",
    )


def judge_all(examples: Sequence[LabelledRequest], predictions: Mapping[str, Prediction]) -> tuple[ParseVerdict, ...]:
    """A verdict on each example, in order.

    Raises:
        RequestError: a prediction belongs to none of the examples, so it was made for another set.
    """
    foreign = sorted(predictions.keys() - {example.id for example in examples})
    if foreign:
        raise RequestError(
            f"{len(foreign)} prediction(s) belong to no request of the set ({', '.join(foreign[:5])}); "
            "name the set that they were made for with --set"
        )
    return tuple(judge(example, predictions.get(example.id)) for example in examples)


def parse_report(verdicts: Sequence[ParseVerdict]) -> ParseReport:
    """Count the verdicts."""
    return ParseReport(
        requests=len(verdicts),
        valid=_row(verdicts, lambda verdict: (int(not verdict.error), 1)),
        levels={
            "item": _row(verdicts, lambda verdict: _right(verdict, ITEM_FIELDS)),
            "list": _row(verdicts, lambda verdict: _right(verdict, LIST_FIELDS)),
            "key": _row(verdicts, lambda verdict: _right(verdict, KEY_FIELDS)),
            "request": _row(verdicts, lambda verdict: (int(not verdict.wrong()), 1)),
        },
        fields={name: _field_row(verdicts, name) for name in KEY_FIELDS},
        beside={name: _field_row(verdicts, name) for name in BESIDE_FIELDS},
    )


def worst(verdicts: Iterable[ParseVerdict], limit: int) -> tuple[ParseVerdict, ...]:
    """The faulty ones with the most wrong fields first, equal ones in the set's order."""
    faulty = (verdict for verdict in verdicts if verdict.wrong())
    return tuple(sorted(faulty, key=lambda verdict: -verdict.wrong())[:limit])


def wilson(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) where nothing was counted."""
    if of == 0:
        return 0.0, 1.0
    share, spread = right / of, _Z_95**2 / of
    centre = (share + spread / 2) / (1 + spread)
    half = _Z_95 * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    # Rounding would leave ends like 1 - 1e-16 where the interval touches 0 or 1.
    return (0.0 if right == 0 else centre - half), (1.0 if right == of else centre + half)


def _right(verdict: ParseVerdict, fields: Collection[str]) -> tuple[int, int]:
    return len(fields) - verdict.wrong(fields), len(fields)


def _field_row(verdicts: Sequence[ParseVerdict], name: str) -> Row:
    row = _row(verdicts, lambda verdict: _right(verdict, (name,)))
    stated = _share(_right(verdict, (name,)) for verdict in verdicts if name in verdict.stated)
    return row.model_copy(update={"stated": stated})


def _row(verdicts: Sequence[ParseVerdict], count: Callable[[ParseVerdict], tuple[int, int]]) -> Row:
    tasks = [task for task in Task if any(verdict.task is task for verdict in verdicts)]
    return Row(
        all=_share(map(count, verdicts)),
        tasks={task: _share(count(verdict) for verdict in verdicts if verdict.task is task) for task in tasks},
    )


def _share(counts: Iterable[tuple[int, int]]) -> Share:
    pairs = list(counts)
    return Share(right=sum(right for right, _ in pairs), of=sum(of for _, of in pairs))
