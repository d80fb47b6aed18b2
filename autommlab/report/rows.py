"""The tables and tiles of the report as small rows of words, so that the template only lays out."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autommlab import settings
from autommlab.common.llm_usage import LlmUsage
from autommlab.common.trial_status import is_scored
from autommlab.common.wording import duration
from autommlab.data import embedded
from autommlab.data.records import SPLITS, Bag
from autommlab.deployment.quantization.records import Quantization
from autommlab.deployment.records import Deployment
from autommlab.report.content import ReportContent
from autommlab.training.records import TrialRecord
from autommlab.understanding.request import Engine, ModelRequest

#: Names with places where a line may break.
_ENGINES = {Engine.ONNXRUNTIME: "ONNX Runtime", Engine.OPENVINO: "OpenVINO", Engine.NCNN: "ncnn"}
#: How many times the trials a second try gets.
_MORE_TRIALS = 3


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the page's head: what it is, its value, a remark."""

    name: str
    value: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class ClassCount:
    """One class: images or instances in train, val and test; `share` of the largest train count."""

    name: str
    counts: tuple[int, ...]
    share: float
    source: str


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One line of the trial table.

    Attributes:
        real: the score was measured.
        chosen: it is the best one.
        share: the score as part of the best one.
        reason, trace: why it failed, and the worker's traceback, "" if there is none.
    """

    trial: TrialRecord
    real: bool
    chosen: bool
    share: float
    seconds: str
    reason: str
    trace: str


@dataclass(frozen=True, slots=True)
class NextStep:
    """Something to do after this run, and the command for it, "" if there is none."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class StageRow:
    """Seconds of one stage, and its part of the whole."""

    name: str
    taken: str
    share: float


def figure_text(value: float | None, unit: str = "") -> str:
    """A number with three significant digits and its unit; "not known" for None."""
    if value is None:
        return "not known"
    short = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{short} {unit}".strip()


def tiles(content: ReportContent) -> list[Tile]:
    """The few figures that say most, as far as the run came."""
    found: list[Tile] = []
    metric, study, best = content.objective, content.study, content.best
    if study and metric in study.test_metrics:
        interval = study.test_intervals.get(metric)
        remark = f"95 % interval {interval}" if interval else "measured once"
        found.append(Tile(f"{metric} on test", f"{study.test_metrics[metric]:.3f}", remark))
    if best:
        compared = content.cross_validation if content.all_finals else None  # before, the best is one of the search
        number = compared.best if compared else best.number
        which = f"{'finalist' if content.all_finals else 'trial'} {number}"
        on = f"by {compared.measured_by}" if compared else "on val"
        named, reached = (metric, best.metrics[metric]) if metric in best.metrics else (content.score_name, best.score)
        found.append(Tile(f"best {named} {on}", f"{reached:.3f}", which))
    if content.all_trials:
        failed = sum(not is_scored(trial.status) for trial in content.all_trials)
        planned = f" of {content.planned_trials}" if content.planned_trials and not study else ""
        found.append(Tile("trials", f"{len(content.all_trials)}{planned}", f"{failed} failed"))
    if content.bag:
        found.append(Tile("pictures", data_kind(content.bag), ", ".join(content.bag.datasets)))
    if content.choice:
        measured = content.choice.measured
        found.append(Tile("parameters", figure_text(measured.params_m, "M"), figure_text(measured.flops_g, "GFLOPs")))
    if content.deployment:
        check = content.deployment.verification
        found.append(
            Tile("engine", _ENGINES.get(content.deployment.engine, "none"), f"on {_device(content.deployment)}")
        )
        found.append(Tile("one image", figure_text(check.p50_ms, "ms"), f"p95 {figure_text(check.p95_ms, 'ms')}"))
    if content.stage_seconds:
        found.append(Tile("whole run", duration(sum(content.stage_seconds.values()))))
    return found


def data_kind(bag: Bag) -> str:
    """Whose pictures these are: a model of drawings knows nothing of photos."""
    names = {spec.name for spec in embedded.specs()}
    own, shipped = set(bag.datasets) - names, set(bag.datasets) & names
    if not own:
        return "drawn, embedded" if any(map(embedded.is_drawn, shipped)) else "scanned, embedded"
    return "yours and embedded" if shipped else "yours"


def next_steps(content: ReportContent) -> list[NextStep]:
    """What a reader may want to do next, the nearest first."""
    if not content.deployment:
        resume = f"autommlab run --resume {shlex.quote(str(content.run_folder))}"
        return [NextStep("Go on with this run; finished trials are kept.", resume)] if content.run_folder else []
    bundle = shlex.quote(str(content.deployment.bundle))
    found = [NextStep("Try the model on a picture of yours.", f"autommlab predict {bundle} photo.jpg")]
    if content.bag and data_kind(content.bag) != "yours":
        found.append(
            NextStep(
                "This model has seen embedded pictures, not yours. Register your own and run the same request on them "
                "with --data pictures.",
                "autommlab data add FOLDER --name pictures",
            )
        )
    return [*found, NextStep(_better(content))]


def _better(content: ReportContent) -> str:
    """What makes better figures likely: more time, or where trials are the limit, more of them."""
    if content.plan and content.plan.time:
        longer = content.plan.more[0] if content.plan.more else "More pictures help more."
        return f"For better figures give more time. {longer}"
    trials = f"For better figures take more trials (--trials {_MORE_TRIALS * len(content.all_trials)})"
    if not content.bag or content.budget is None:
        return f"{trials}."
    here, there = (budget.tasks[content.bag.task] for budget in (content.budget, settings.profile("gpu")))
    if here.input_size[0] >= there.input_size[0] or here.iterations[1] >= there.iterations[1]:
        return f"{trials}."
    return (
        f"{trials}, or --profile gpu on a machine with a GPU: {there.input_size[0]} pixels instead of "
        f"{here.input_size[0]}, up to {there.iterations[1]:,} steps a trial instead of {here.iterations[1]}."
    )


def parse_rows(request: ModelRequest) -> list[tuple[str, str]]:
    """What was understood: (field, value), and in the last row the fields of which nothing was said."""
    rows = request.rows()
    silent = [name.lower() for name, value in rows if not value]
    said = [(name, value) for name, value in rows if value]
    return [*said, ("Nothing asked about", ", ".join(silent))] if silent else said


def class_counts(bag: Bag) -> list[ClassCount]:
    """Classes in label order with their counts per split."""
    splits = [bag.splits[split].per_class for split in SPLITS if split in bag.splits] or [{}]
    most = max(splits[0].values(), default=0) or 1
    return [
        ClassCount(
            name,
            tuple(counts.get(name, 0) for counts in splits),
            splits[0].get(name, 0) / most,
            ", ".join(bag.sources.get(name, ())),
        )
        for name in bag.classes
    ]


def trial_rows(trials: Sequence[TrialRecord], best: TrialRecord | None) -> list[TrialRow]:
    """All trials by number, failed ones too.

    Args:
        trials: of one study.
        best: the one to stand out.
    """
    top = best.score if best and best.score > 0 else 1.0
    return [
        TrialRow(
            trial,
            is_scored(trial.status),
            best is not None and trial.number == best.number,
            min(1.0, max(0.0, trial.score / top)),
            duration(trial.setup_s + trial.train_s + trial.val_s),
            *_reason_and_trace(trial),
        )
        for trial in trials
    ]


def llm_note(content: ReportContent) -> str:
    """What a language model cost the search, and how often a fallback had to propose; "" if none was asked."""
    cost = content.study.llm if content.study else LlmUsage()
    reasons = Counter(trial.fallback for trial in content.all_trials if trial.fallback)
    said = []
    if cost.calls:
        said.append(
            f"The language model was asked {cost.calls} times: {cost.prompt_tokens:,} tokens read, {cost.tokens:,} "
            f"written, {duration(cost.seconds)} in all."
        )
    if reasons:
        why = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
        said.append(f"A fallback proposed {reasons.total()} of {len(content.all_trials)} trials, because of: {why}.")
    return " ".join(said)


def skipped_images(content: ReportContent) -> list[tuple[str, str]]:
    """(file, reason) of every image that failed in some trial."""
    return list({file: (file, why) for trial in content.all_trials for file, why in trial.skipped}.values())


def _reason_and_trace(trial: TrialRecord) -> tuple[str, str]:
    reason, _, trace = trial.reason.partition("\n")
    return reason, trace.strip()


def stage_rows(content: ReportContent) -> list[StageRow]:
    """Where the time went."""
    whole = sum(content.stage_seconds.values()) or 1.0
    return [StageRow(name, duration(s), s / whole) for name, s in content.stage_seconds.items()]


def int8_rows(found: Quantization) -> list[tuple[str, str, str]]:
    """What INT8 costs and brings: (what, float32, INT8)."""
    return [(name, f"{before:.4g}", f"{after:.4g}") for name, before, after in found.rows()]


def deployment_rows(deployment: Deployment) -> list[tuple[str, str]]:
    """The check of the exported model: (what, figures)."""
    check = deployment.verification
    return [
        ("Engine", f"{deployment.engine.value} ({deployment.asked.value} asked)"),
        ("Device", _device(deployment)),
        ("Compared on", f"{check.images} test images"),
        ("Precision", check.precision),
        ("Largest difference of outputs", check.difference_in_words),
        (
            f"{check.metric} on test",
            f"{check.bundle_metric:.4f} through the bundle, {check.torch_metric:.4f} through PyTorch "
            f"(allowed difference {check.metric_tolerance:.2g})",
        ),
        ("Latency, engine only", f"p50 {figure_text(check.p50_ms, 'ms')}, p95 {figure_text(check.p95_ms, 'ms')}"),
        ("Latency with pre- and post-processing", f"p50 {figure_text(check.end_to_end_p50_ms, 'ms')}"),
        ("Peak memory of the process", figure_text(check.memory_mb, "MB")),
    ]


def commands(content: ReportContent) -> list[tuple[str, str]]:
    """What a reader may want to type next: (purpose, shell command)."""
    found: list[tuple[str, str]] = []
    if content.deployment:
        bundle = shlex.quote(str(content.deployment.bundle))
        found.append(("Draw predictions into your own images", f"autommlab predict {bundle} photo.jpg"))
        found.append(("The same as JSON", f"autommlab predict {bundle} photo.jpg --json"))
        found.append(
            (
                "Without AutoMMLab, in any Python with the few packages of the bundle",
                f"pip install -r {bundle}/requirements.txt && python {bundle}/predict.py photo.jpg",
            )
        )
    elif content.run_folder:
        resume = f"autommlab run --resume {shlex.quote(str(content.run_folder))}"
        found.append(("Go on with this run; finished trials are kept", resume))
    if content.command:
        found.append(("This run was started with", content.command))
    return found


def _device(deployment: Deployment) -> str:
    return "cpu" if deployment.device.value == "none" else deployment.device.value


def percent(share: float) -> str:
    """A share as a CSS length."""
    return f"{100 * share:.1f}%"
