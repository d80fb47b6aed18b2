"""The papers of a bundle: model card, README and licences, from the run's own records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autommlab.analysis.records import Analysis, Figures
from autommlab.common.errors import DataError
from autommlab.common.escaping import markdown
from autommlab.data.records import Bag
from autommlab.data.registry import all_specs
from autommlab.deployment.bundle_parts import LICENCE_FILE
from autommlab.deployment.bundle_readme import CODE_LICENCE, readme
from autommlab.deployment.quantization.records import Quantization
from autommlab.deployment.records import LimitCheck, Verification
from autommlab.models.records import ModelChoice
from autommlab.tasks import Task
from autommlab.training.records import StudyResult
from autommlab.understanding.request import Engine, ModelRequest

_USES = {
    Task.CLASSIFICATION: "naming what a whole image shows, among these classes only",
    Task.DETECTION: "finding things of these classes with boxes",
    Task.SEGMENTATION: "giving every pixel one of these classes",
    Task.KEYPOINT: "finding the points of one object inside a given box",
}
_OPENMOJI = (
    "Training images contain OpenMoji pictograms (openmoji.org), CC BY-SA 4.0: name the source when you "
    "share images made from them, under the same licence."
)


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the papers tell; records of the run and of its deployment."""

    request: ModelRequest
    bag: Bag
    choice: ModelChoice
    study: StudyResult
    engine: Engine
    verification: Verification
    limits: tuple[LimitCheck, ...]
    notes: tuple[str, ...]
    analysis: Analysis | None = None
    quantization: Quantization | None = None


def write_papers(folder: Path, facts: CardFacts) -> None:
    """Write `model_card.md`, `README.md` and `LICENSE.md` into a bundle."""
    int8 = [_int8(facts.quantization)] if facts.quantization else []
    is_int8 = facts.quantization is not None and facts.quantization.delivered
    figures, licences = _figures(facts.study, is_int8=is_int8), _licences(facts.bag, facts.choice)
    sections = [
        f"# {facts.choice.entry.title} for {_names(facts.bag.classes)}",
        _intended_use(facts.request, facts.bag),
        _data(facts.bag),
        _model(facts.choice),
        _training(facts.study),
        figures,
        *([_by_class(facts.analysis)] if facts.analysis else []),
        _deployment(facts.engine, facts.verification),
        *int8,
        _limits(facts),
        licences,
    ]
    # All of TEST was measured with the float model: a hub must not show that as figures of another one.
    shown = facts.study.model_copy(update={"test_metrics": {}}) if is_int8 else facts.study
    first = readme(facts.bag, facts.choice, shown, facts.engine, [figures, *(int8 if is_int8 else []), licences])
    texts = {"model_card.md": "\n\n".join(sections) + "\n", "README.md": first, LICENCE_FILE: licences + "\n"}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _intended_use(request: ModelRequest, bag: Bag) -> str:
    asked = request.model.description or request.data.description
    lines = [
        "## Intended use",
        f"{bag.task.value.capitalize()}: {_USES[bag.task]}.",
        "On images like the training data; anything else (other classes, scenes, cameras) is untested. "
        "Not checked for decisions about people, nor for safety.",
    ]
    return "\n".join([*lines, f"Asked for: {markdown(asked)}"] if asked else lines)


def _data(bag: Bag) -> str:
    rows = [f"| {split} | {part.images} | {_counts(part.per_class)} |" for split, part in bag.splits.items()]
    sources = [f"- {markdown(target)}: {_names(merged)}" for target, merged in bag.sources.items()]
    notes = [f"- {markdown(note)}" for note in bag.notes]
    return "\n".join(
        [
            "## Data",
            f"Sets: {_names(bag.datasets)}. Bag {bag.digest[:12]}, seed {bag.seed}. No image is in two splits.",
            "",
            "| split | images | per class |",
            "|---|---|---|",
            *rows,
            "",
            "Classes and where they come from:",
            *sources,
            *notes,
        ]
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(markdown, names))


def _counts(per_class: dict[str, int]) -> str:
    return ", ".join(f"{markdown(name)} {count}" for name, count in per_class.items()) or "not counted"


def _model(choice: ModelChoice) -> str:
    width, height = choice.input_size
    return "\n".join(
        [
            "## Model",
            f"{choice.entry.title} ({choice.entry.name}, {choice.entry.toolbox}), input {width} x {height} pixels, "
            f"{choice.measured.params_m:.3g} M parameters, {choice.measured.flops_g:.3g} GFLOPs.",
            f"Pretrained weights: {_origin(choice)}.",
            *[f"- {markdown(reason.replace(*_shortened(choice)))}" for reason in choice.reasons],
        ]
    )


def _training(study: StudyResult) -> str:
    settings = [f"| {name} | {value} |" for name, value in study.best.as_trained.model_dump().items()]
    return "\n".join(
        [
            "## Training",
            f"{_chosen(study)} {study.searched}".strip(),
            *([study.cross_validation.in_words] if study.cross_validation else []),
            "",
            "| hyperparameter | value |",
            "|---|---|",
            *settings,
        ]
    )


def _chosen(study: StudyResult) -> str:
    """How the winner was found."""
    score = study.score_name or study.objective
    found = f"Best of {len(study.trials)} trials by {score} on val, seed {study.best.seed}."
    if not study.finals:
        return found
    if study.cross_validation:
        compared = study.cross_validation
        if len(compared.finalists) == 1:
            return f"Without a search: {compared.winner.origin}, seed {study.best.seed}."
        return (
            f"Best by {score} of {len(compared.finalists)} finalists in {compared.measured_by}, after a search of "
            f"{len(study.trials)} shorter trials; seed {study.best.seed}."
        )
    return (
        f"Best by {score} on val of {len(study.finals)} finalists, trained at the full fidelity after "
        f"a search of {len(study.trials)} shorter trials; seed {study.best.seed}."
    )


def _figures(study: StudyResult, *, is_int8: bool) -> str:
    whose = "These figures are those of the float model; what the INT8 model of this bundle changes stands below. "
    names = list(dict.fromkeys([*study.val_metrics, *study.test_metrics]))
    chose = f"{study.val_name[0].upper()}{study.val_name[1:]}"
    rows = [
        f"| {name} | {_cell(study.val_metrics, name)} | {_cell(study.test_metrics, name)} | "
        f"{study.test_intervals.get(name, '-')} |"
        for name in names
    ]
    return "\n".join(
        [
            "## Figures",
            f"{whose if is_int8 else ''}{chose} chose the winner; test was looked at once, by the winner. "
            "The interval is a bootstrap over the test pictures: what other pictures of the same kind may give. "
            f"{study.warning}".strip(),
            "",
            f"| figure | {study.val_name} | test | 95 % interval on test |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def _by_class(analysis: Analysis) -> str:
    """Figures of each class, and of each size and keypoint where there are such."""
    parts: list[tuple[str, int, Figures]] = [(one.name, one.count, one.figures) for one in analysis.classes]
    parts += [(f"{one.name} objects", one.count, one.figures) for one in analysis.sizes]
    parts += [(p.name, p.count, {"PCK": p.correct, "mean error": p.error}) for p in analysis.points]
    names = list(dict.fromkeys(name for _, _, figures in parts for name in figures))
    cells = (
        (markdown(part), f"{count:,}", *("-" if (v := figures.get(name)) is None else f"{v:.3f}" for name in names))
        for part, count, figures in parts
    )
    return "\n".join(
        [
            "## By class",
            f"Through this bundle, on {analysis.pictures} {analysis.split} pictures. Nothing was chosen by these.",
            "",
            f"| | count | {' | '.join(names)} |",
            f"|---|---|{'---|' * len(names)}",
            *(f"| {' | '.join(row)} |" for row in cells),
        ]
    )


def _cell(figures: dict[str, float], name: str) -> str:
    return f"{figures[name]:.4f}" if name in figures else "-"


def _deployment(engine: Engine, check: Verification) -> str:
    verdict = "agrees" if check.agrees else "DOES NOT AGREE"
    return "\n".join(
        [
            "## Deployment check",
            f"The {engine.value} model ({check.precision}) {verdict} with PyTorch on {check.images} test images: "
            f"largest difference of outputs {check.difference_in_words}; {check.metric} {check.bundle_metric:.4f} "
            f"through this bundle, {check.torch_metric:.4f} through PyTorch (allowed difference "
            f"{check.metric_tolerance:g}).",
            f"One image on the machine that made this: {check.p50_ms:.1f} ms median, {check.p95_ms:.1f} ms p95 (engine "
            f"alone), {check.end_to_end_p50_ms:.1f} ms from file to answer; {check.memory_mb:.0f} MB of memory.",
        ]
    )


def _int8(found: Quantization) -> str:
    """What INT8 costs and brings."""
    float_layers = f", in float: {_names(found.float_layers)}" if found.float_layers else ""
    rows = [(name, f"{before:.4g}", f"{after:.4g}") for name, before, after in found.rows()]
    return "\n".join(
        [
            "## INT8",
            f"{found.reason} This bundle holds the {'INT8' if found.delivered else 'float'} model.",
            f"Quantised: {found.scope} ({found.int8_layers} layers with weights{float_layers}), weights per channel, "
            f"ranges of activations from {found.calibrated_on} training pictures; what follows the last layer is in "
            "float. On a processor without VNNI instructions sums may saturate: check the figure there.",
            "",
            "| | float32 | INT8 |",
            "|---|---|---|",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            f"Latency in turns in one process: {found.speed_in_words}.",
        ]
    )


def _limits(facts: CardFacts) -> str:
    verdicts = {True: "holds", False: "DOES NOT HOLD", None: "not measured"}
    lines = [
        f"{limit.name}: {limit.wanted} asked, {limit.got}: {verdicts[limit.holds]}{limit.doubt}"
        for limit in facts.limits
    ]
    if not facts.verification.agrees:
        lines.append("The exported model differs from the trained one: do not use it unchecked.")
    lines += facts.notes
    return "\n".join(["## Limits", *[f"- {markdown(line)}" for line in lines or ["The request set none."]]])


def _licences(bag: Bag, choice: ModelChoice) -> str:
    stated = _stated_licences(bag)
    lines = [
        "## Licences",
        f"The code in this bundle: {CODE_LICENCE}. The weights are made from the data and the first weights below; "
        "their licences apply.",
        "",
        *(f"- data set {markdown(name)}: {markdown(stated.get(name) or 'not stated')}" for name in bag.datasets),
        f"- first weights (pretrained): {_origin(choice)}",
    ]
    if any("openmoji" in name.lower() for name in bag.datasets):
        lines += ["", _OPENMOJI]
    return "\n".join(lines)


def _stated_licences(bag: Bag) -> dict[str, str]:
    """Name of a data set -> the licence that it states; without those that this machine does not know."""
    try:
        return {spec.name: spec.licence for spec in all_specs() if spec.name in bag.datasets and spec.licence}
    except DataError:  # the register is damaged: no reason to lose a trained model
        return {}


def _origin(choice: ModelChoice) -> str:
    """Where the first weights come from; of a file its name alone."""
    weights = choice.pretrained
    if weights.kind == "none":
        return "none, trained from scratch"
    return markdown(f"{weights.kind} {_shortened(choice)[1]}")


def _shortened(choice: ModelChoice) -> tuple[str, str]:
    """The source of the first weights, and how a bundle may name it: it is passed on."""
    source = choice.pretrained.source
    return source, Path(source).name if choice.pretrained.kind == "file" else source
