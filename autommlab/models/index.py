"""Reads the model index that each installed toolbox carries and makes the zoo's table of it.

`<toolbox>/.mim/model-index.yml` names metafiles; each metafile lists models with their config,
results, weights and, in mmpretrain, parameters and FLOPs. Neither a toolbox nor torch is imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import yaml

from autommlab.common.errors import ModelError
from autommlab.common.weights_files import ORIGINS
from autommlab.models.records import ModelEntry
from autommlab.models.toolbox_config import read_facts
from autommlab.models.zoo_names import split_name, title_of
from autommlab.tasks import Task

Toolbox = Literal["mmpretrain", "mmdet", "mmseg", "mmpose"]


@dataclass(frozen=True, slots=True)
class _Source:
    """What is taken from one toolbox.

    Attributes:
        results: values of a result's `Task` that count.
        metrics: keys of its `Metrics`, first found wins -> (our name, factor to 0..1).
        data_sets: benchmark names, best known first.
        refused: parts of a config's path that are another kind of task or need other data.
    """

    toolbox: Toolbox
    task: Task
    results: frozenset[str]
    metrics: dict[str, tuple[str, float]]
    data_sets: tuple[str, ...]
    refused: tuple[str, ...] = ()


_KEYPOINT_RESULTS = frozenset(
    f"{kind} 2D Keypoint" for kind in ("Body", "Wholebody", "Animal", "Face", "Hand", "Fashion")
)
#: Typing errors in metafiles of mmpose and mmsegmentation.
_MISTYPED = {"(https://": "https://", "oz1z1penmmlab": "openmmlab"}
SOURCES: tuple[_Source, ...] = (
    _Source(
        "mmpretrain",
        Task.CLASSIFICATION,
        frozenset({"Image Classification"}),
        {"Top 1 Accuracy": ("accuracy", 0.01)},
        ("ImageNet-1k",),
        ("/benchmarks/", "zeroshot", "headless", "linear"),
    ),
    _Source(
        "mmdet",
        Task.DETECTION,
        frozenset({"Object Detection"}),
        {"box AP": ("mAP", 0.01)},
        ("COCO",),
        ("/glip/", "grounding_dino", "/soft_teacher/", "proposal"),
    ),
    _Source(
        "mmseg",
        Task.SEGMENTATION,
        frozenset({"Semantic Segmentation"}),
        {"mIoU": ("mIoU", 0.01), "mDice": ("Dice coefficient", 0.01), "Dice": ("Dice coefficient", 0.01)},
        ("Cityscapes", "ADE20K", "Pascal VOC 2012 + Aug", "COCO-Stuff 164k"),
        ("/san/", "/vpd/"),
    ),
    _Source(
        "mmpose",
        Task.KEYPOINT,
        _KEYPOINT_RESULTS,
        {
            "AP": ("AP", 1.0),
            "Whole AP": ("AP", 1.0),
            "PCK@0.2": ("PCK", 1.0),
            "PCK": ("PCK", 1.0),
            "Mean": ("PCK", 1.0),
            "AUC": ("AUC", 1.0),
        },
        ("COCO", "Body8", "COCO-WholeBody", "AP-10K"),
        ("/associative_embedding/", "/cid/", "/dekr/", "/edpose/", "/rtmo/", "/yoloxpose/", "_3d_keypoint"),
    ),
)


def build_table(
    skipped: Callable[[str, str], None] | None = None,
    tasks: Collection[Task] = tuple(Task),
    families: Collection[str] | None = None,
) -> tuple[ModelEntry, ...]:
    """Every usable model of the installed toolboxes, sorted by task and name; about 30 s for all.

    Args:
        skipped: told the name and the reason for each model that has a score for its task but is left out.
        tasks: only models of these.
        families: only models of these families.

    Raises:
        ModelError: a toolbox is not installed or carries no index.
    """
    table: list[ModelEntry] = []
    for source in SOURCES:
        if source.task not in tasks:
            continue
        found: dict[str, ModelEntry] = {}
        for entry in _entries(source, skipped or _ignore, families):
            # A few configs stand in the index twice, with results on different data sets.
            if entry.name not in found or _preference(source, entry) < _preference(source, found[entry.name]):
                found[entry.name] = entry
        kept = _one_per_model(source, found.values()) if source.task is Task.SEGMENTATION else found.values()
        table.extend(sorted(kept, key=lambda entry: entry.name))
    return tuple(table)


def index_folder(toolbox: str) -> Path:
    """The folder `<toolbox>/.mim` of an installed toolbox.

    Raises:
        ModelError: the toolbox or its index is missing.
    """
    spec = find_spec(toolbox)
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / ".mim"
        if (folder / "model-index.yml").is_file():
            return folder
    raise ModelError(f"{toolbox} is not installed with its model index (.mim/model-index.yml): run `uv sync`")


def _ignore(name: str, reason: str) -> None:
    """Nobody asked why."""


def _yaml(path: Path) -> Any:
    # Both are safe loaders; the one in C reads the index in a third of the time.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with path.open(encoding="utf-8") as file:
        return yaml.load(file, Loader=loader)  # noqa: S506


def _models(folder: Path) -> Iterator[dict[str, Any]]:
    for metafile in _yaml(folder / "model-index.yml")["Import"]:
        content = _yaml(folder / metafile)
        yield from (content.get("Models") or []) if isinstance(content, dict) else []


def _entries(
    source: _Source, skipped: Callable[[str, str], None], families: Collection[str] | None
) -> Iterator[ModelEntry]:
    folder = index_folder(source.toolbox)
    for model in _models(folder):
        score = _score(source, model)
        if score is None or (families is not None and model.get("In Collection") not in families):
            continue
        name, config = str(model["Name"]).removesuffix(".py"), str(model["Config"])
        reason = _refusal(source, folder, config)
        if reason:
            skipped(name, reason)
            continue
        try:
            facts = read_facts(folder / config, source.task)
        except ModelError as error:
            skipped(name, str(error))
            continue
        if facts.needs:
            skipped(name, f"needs {facts.needs}")
            continue
        yield _entry(source, model, name, score, facts.input_size)


def _refusal(source: _Source, folder: Path, config: str) -> str:
    if not (folder / config).is_file():
        return f"its config {config} is not in the package"
    refused = next((part for part in source.refused if part in config), "")
    return f"configs under {refused!r} are not plain {source.task} models" if refused else ""


@dataclass(frozen=True, slots=True)
class _Score:
    value: float
    metric: str
    data_set: str


def _score(source: _Source, model: dict[str, Any]) -> _Score | None:
    """The result on the best-known benchmark, None where the model has none for this task."""
    results = model.get("Results") or []
    found = []
    for result in results if isinstance(results, list) else [results]:
        metrics = result.get("Metrics")
        if result.get("Task") not in source.results or not isinstance(metrics, dict):
            continue
        data_set = _data_set(model, str(result.get("Dataset")))
        for key, (name, factor) in source.metrics.items():
            value = metrics.get(key)
            if isinstance(value, int | float) and math.isfinite(value):
                # A few metafiles write percent where their neighbours write fractions.
                scaled = value * (0.01 if factor == 1.0 and value > 1 else factor)
                found.append(_Score(round(scaled, 6), name, data_set))
                break
    return min(found, key=lambda score: _rank(source, score.data_set)) if found else None


def _data_set(model: dict[str, Any], written: str) -> str:
    """The benchmark's name; a few mmsegmentation metafiles hold a comment in its place."""
    if not written.startswith("#"):
        return written
    training = (model.get("Metadata") or {}).get("Training Data")
    return str(training[0] if isinstance(training, list) else training)


def _rank(source: _Source, data_set: str) -> int:
    return source.data_sets.index(data_set) if data_set in source.data_sets else len(source.data_sets)


def _entry(
    source: _Source, model: dict[str, Any], name: str, score: _Score, input_size: tuple[int, int] | None
) -> ModelEntry:
    metadata = model.get("Metadata") or {}
    family = str(model.get("In Collection") or split_name(name).architecture)
    return ModelEntry(
        name=name,
        title=title_of(name, family),
        task=source.task,
        family=family,
        toolbox=source.toolbox,
        config=str(model["Config"]),
        params_m=_scaled(metadata.get("Parameters"), 1e6),
        flops_g=_scaled(metadata.get("FLOPs"), 1e9),
        input_size=input_size,
        score=score.value,
        score_metric=score.metric,
        score_dataset=score.data_set,
        weights_url=_weights_url(str(model.get("Weights") or "")),
    )


def _weights_url(written: str) -> str:
    """The checkpoint's URL without the metafiles' typing errors, "" if it is not one of OpenMMLab's own."""
    for wrong, right in _MISTYPED.items():
        written = written.replace(wrong, right)
    return written if written.startswith(tuple(f"{origin}/" for origin in ORIGINS)) else ""


def _scaled(value: Any, unit: float) -> float | None:
    return round(value / unit, 4) if isinstance(value, int | float) and value > 0 else None


def _one_per_model(source: _Source, entries: Iterable[ModelEntry]) -> Iterable[ModelEntry]:
    """Mmsegmentation lists a model once per data set, crop and schedule: keep its best-known result."""
    best: dict[tuple[str, str], ModelEntry] = {}
    for entry in entries:
        key = (entry.family, split_name(entry.name).architecture)
        if key not in best or _preference(source, entry) < _preference(source, best[key]):
            best[key] = entry
    return best.values()


def _preference(source: _Source, entry: ModelEntry) -> tuple[int, bool, float]:
    plain = not any(part in entry.name for part in ("amp", "ohem", "fp16"))
    return (_rank(source, entry.score_dataset), not plain, -(entry.score or 0.0))
