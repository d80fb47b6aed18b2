"""How often the checks of a parse against its text are right: alarms on parses made by hand, faults that they find.

`python -m training_data_gen.benchmarks.doubts` measures on the handwritten training requests and the development set,
on which the rules were made, and writes `training_data_gen/results/doubts.json`. No LLM is asked: a fault is one field
of a parse made by hand, changed as a model changes it.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autommlab.common.files import write_text
from autommlab.understanding.checks import findings
from autommlab.understanding.request import ModelRequest
from autommlab.understanding.reverse_check.check import doubts
from autommlab.understanding.text import clean
from training_data_gen.benchmarks.request_sets import read_set
from training_data_gen.requests.corpus import corpus

RESULTS = Path(__file__).resolve().parents[1] / "results" / "doubts.json"
COMMAND = "python -m training_data_gen.benchmarks.doubts"
#: Of the handwritten requests, every so manieth gets faults; alarms are counted on all.
_EVERY = 10
_UNITS = {
    "speed": ("ms", "s", "min", "fps"),
    "flops": ("MFLOPs", "GFLOPs", "TFLOPs"),
    "parameters": ("K", "M", "B"),
}
_NONE = {"value": 0, "unit": "none"}
_TASKS = ("classification", "detection", "segmentation", "keypoint")
_ENGINES = ("onnxruntime", "ncnn", "openvino")


class Labelled(NamedTuple):
    """A text with the parse that a person gave it."""

    id: str
    text: str
    parse: ModelRequest


class Fault(NamedTuple):
    """A parse with one field changed, and how ("speed dropped")."""

    kind: str
    parse: ModelRequest


def handwritten() -> list[Labelled]:
    """The training requests."""
    return [Labelled(one.id, clean(one.text), one.parse) for one in corpus()]


def development() -> list[Labelled]:
    """The development set."""
    return [Labelled(one.id, clean(one.request), one.parse) for one in read_set("dev")]


def alarms(labelled: Sequence[Labelled]) -> dict[str, Any]:
    """Requests whose parse made by hand is doubted, in all and by field of the doubt."""
    by_field: Counter[str] = Counter()
    alarmed = 0
    for one in labelled:
        fields = {doubt.field for doubt in doubts(one.text, one.parse)}
        by_field.update(fields)
        alarmed += bool(fields)
    return {"requests": len(labelled), "doubted": alarmed, "by field": dict(by_field.most_common())}


def found(labelled: Sequence[Labelled], seed: int = 0) -> dict[str, dict[str, int]]:
    """Faults by kind: how many were made, found by the doubts, by the older checks, and by either."""
    rng = random.Random(seed)  # noqa: S311 - draws faults, not secrets
    counts: dict[str, Counter[str]] = {}
    for one in labelled:
        before = _said(one.text, one.parse)
        for fault in faults(one.parse, rng):
            doubted, checked = (new - old for new, old in zip(_said(one.text, fault.parse), before, strict=True))
            counts.setdefault(fault.kind, Counter()).update(
                {"made": 1, "doubts": bool(doubted), "checks": bool(checked), "either": bool(doubted or checked)}
            )
    return {kind: dict(counts[kind]) for kind in sorted(counts)}


def _said(text: str, parse: ModelRequest) -> tuple[set[str], set[str]]:
    return {doubt.says for doubt in doubts(text, parse)}, {finding.says for finding in findings(text, parse)}


def faults(parse: ModelRequest, rng: random.Random) -> Iterator[Fault]:
    """Every kind of fault that the parse has room for."""
    parts = parse.to_dict()
    data, model, deploy = parts["data"], parts["model"], parts["deploy"]
    for field, units in _UNITS.items():
        value, unit = model[field]["value"], model[field]["unit"]
        if unit == "none":
            continue
        yield _changed(f"{field} dropped", parts, "model", field, _NONE)
        other = rng.choice([name for name in units if name != unit])
        yield _changed(f"{field}: another unit", parts, "model", field, {"value": value, "unit": other})
        yield _changed(f"{field} x 10", parts, "model", field, {"value": value * 10, "unit": unit})
        yield _changed(f"{field} / 1000", parts, "model", field, {"value": value / 1000, "unit": unit})
    if model["metrics"]:
        *kept, last = model["metrics"]
        yield _changed("metric dropped", parts, "model", "metrics", kept)
        tenth = {"name": last["name"], "value": last["value"] / 10}
        yield _changed("metric / 10", parts, "model", "metrics", [*kept, tenth])
    if model["specific_model"] != "none":
        yield _changed("model dropped", parts, "model", "specific_model", "none")
    if data["specific"]:
        yield _changed("data set dropped", parts, "data", "specific", data["specific"][:-1])
    if len(data["object"]) > 1:
        yield _changed("last object dropped", parts, "data", "object", data["object"][:-1])
    yield _changed("task: another", parts, "model", "task", _other(rng, _TASKS, model["task"]))
    yield from _of_deployment(parts, deploy["gpu"], deploy["inference engine"], rng)


def _of_deployment(parts: dict[str, Any], device: str, engine: str, rng: random.Random) -> Iterator[Fault]:
    if device == "none":
        yield _changed("device invented: gpu", parts, "deploy", "gpu", "gpu")
        yield _changed("device invented: cpu", parts, "deploy", "gpu", "cpu")
    else:
        yield _changed("device dropped", parts, "deploy", "gpu", "none")
        yield _changed("device: the other", parts, "deploy", "gpu", _other(rng, ("cpu", "gpu"), device))
    if engine != "none":
        yield _changed("engine dropped", parts, "deploy", "inference engine", "none")
        yield _changed("engine: another", parts, "deploy", "inference engine", _other(rng, _ENGINES, engine))


def _other(rng: random.Random, names: Sequence[str], name: str) -> str:
    return rng.choice([other for other in names if other != name])


def _changed(kind: str, parts: dict[str, Any], part: str, field: str, value: object) -> Fault:
    return Fault(kind, ModelRequest.parse({**parts, part: {**parts[part], field: value}}))


def main() -> None:
    """Measure, write the results, and print them."""
    trained, dev = handwritten(), development()
    measured = {
        "command": COMMAND,
        "alarms": {"handwritten training requests": alarms(trained), "development requests": alarms(dev)},
        "faults in requests": len(trained[::_EVERY]) + len(dev),
        "faults": found([*trained[::_EVERY], *dev]),
    }
    text = json.dumps(measured, indent=1, ensure_ascii=False) + "\n"
    write_text(RESULTS, text)
    print(text, end="")


if __name__ == "__main__":
    main()
