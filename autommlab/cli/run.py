"""`autommlab run`: the main job."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autommlab.cli.budget import (
    BatchOption,
    BudgetOption,
    CfgOption,
    ImagesOption,
    InputSizeOption,
    IterationsOption,
    SearcherOption,
    with_budget_file,
)
from autommlab.cli.shared import going_on, names_with_commas, say
from autommlab.common.errors import RequestError

#: Names of options that differ from those of the fields.
_FIELDS = {
    "request": "text",
    "time": "time_min",
    "budget": "budget_file",
    "batch": "batch_size",
    "searcher_option": "searcher_options",
}
#: Of `run --help`.
HEADINGS = {
    "What": ("request", "parse", "data", "task", "classes", "model", "weights", "cfg_options", "engine", "device"),
    "Budget": (
        "profile",
        "budget",
        "input_size",
        "images",
        "iterations",
        "batch",
        "trials",
        "time",
        "concurrent",
        "seed",
    ),
    "Search": ("searcher", "searcher_option", "scheduler"),
    "Cluster": ("address", "priority", "cpus_per_trial", "gpus_per_trial", "workers_per_trial", "acceleration"),
    "Output": ("out", "resume", "require", "strict", "dry_run", "as_json"),
}
#: Set by Ray for what a job runs.
_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"

if TYPE_CHECKING:
    from autommlab.options import RunOptions
    from autommlab.pipeline import RunOutcome
    from autommlab.progress.events import Events
    from autommlab.storage.run_target import RunTarget, Where
    from autommlab.understanding.understand import Lent


def run(
    context: typer.Context,
    request: Annotated[str, typer.Argument(help="What you want, in plain words.", show_default=False)] = "",
    parse: Annotated[
        Path | None, typer.Option(help="JSON file with the finished parse of the request; skips understanding.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Data set (name, folder or URI) instead of the request's.")] = None,
    task: Annotated[str | None, typer.Option(help="Task instead of the one understood.")] = None,
    classes: Annotated[str | None, typer.Option(help="Classes with commas, instead of those understood.")] = None,
    model: Annotated[str | None, typer.Option(help="Model instead of the request's.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Pretrained weights, a .pth file; without --model, of the model that it is of.")
    ] = None,
    cfg_options: CfgOption = None,
    engine: Annotated[str | None, typer.Option(help="Inference engine instead of the request's.")] = None,
    device: Annotated[str | None, typer.Option(help="Device of the finished model, cpu or gpu.")] = None,
    profile: Annotated[str | None, typer.Option(help="Budget: laptop, gpu or cluster. [default: laptop]")] = None,
    budget: BudgetOption = None,
    input_size: InputSizeOption = None,
    images: ImagesOption = None,
    iterations: IterationsOption = None,
    batch: BatchOption = None,
    searcher: Annotated[
        str | None, typer.Option(help="Who proposes hyperparameters; see `autommlab searchers`. [default: llm+grid]")
    ] = None,
    searcher_option: SearcherOption = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Who stops hopeless trials: none, asha or median. [default: none]")
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(help="Trials; 0 = no search, the default configuration alone. [default: the profile's]"),
    ] = None,
    time: Annotated[
        float | None,
        typer.Option(help="Minutes of the whole run. [default: the profile's (laptop: 5), none with --trials]"),
    ] = None,
    concurrent: Annotated[int | None, typer.Option(help="Trials at once. [default: as many as fit]")] = None,
    cpus_per_trial: Annotated[float | None, typer.Option(help="CPUs of a trial. [default: the profile's]")] = None,
    gpus_per_trial: Annotated[
        float | None, typer.Option(help="GPUs of a trial, may be a fraction. [default: the profile's]")
    ] = None,
    workers_per_trial: Annotated[
        int | None,
        typer.Option(help="Processes that train one trial together; CPUs and GPUs are of each. [default: 1]"),
    ] = None,
    acceleration: Annotated[
        str | None,
        typer.Option(
            help="How trials use their device, NAME=VALUE with commas; off = none of it. Names: precision, "
            "loading-processes, cudnn-benchmark, channels-last, fused-optimizer, micro-batches. "
            "[default: the profile's]"
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of split, initialisation and searcher. [default: 0]")] = None,
    out: Annotated[
        str | None,
        typer.Option(help="Run folder, or a storage: s3://, gs://, file:// ... [default: runs/<time>-<request>]"),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            help="Go on with the run in this folder or at this URI; more --trials or --time, other --searcher, "
            "--searcher-option, --scheduler, --concurrent, --acceleration, CPUs and GPUs take the place of its own."
        ),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster, HOST:6379. [default: RAY_ADDRESS, else a private Ray here]")
    ] = None,
    priority: Annotated[
        int, typer.Option(min=1, max=1000, help="Weight against other requests on the same cluster.")
    ] = 1,
    require: Annotated[
        bool, typer.Option("--require", help="End with an error where a requirement of the request is not met.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop before training and show the plan.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Events as JSON lines on standard output.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with an error where something of the request stays uncertain.")
    ] = False,
    submitted_as: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Turn one sentence into a trained, tuned, exported and verified vision model."""
    from autommlab import pipeline
    from autommlab.cli.option_check import check_options
    from autommlab.progress.events import Events
    from autommlab.storage.run_folder import default_folder
    from autommlab.storage.run_target import Where, run_target

    given = given_options(context.params)
    problems = with_budget_file(given)
    if resume and out:
        raise RequestError(f"--resume {resume} goes on in its own place; leave out --out {out}")
    if submitted_as is not None:
        from autommlab.jobs.entrypoint import require_shared

        require_shared(Path(resume or out or ""), submitted_as)
    known = run_target(resume, resume=True) if resume else None
    options = _options(given, known)
    # A run that goes on has its text and files read already; they may be gone.
    check_options(options if known is None else _changeable(options), address, problems)
    display, person = _display(as_json, strict=strict)
    events = Events(display)
    if dry_run:
        _show_plan(options, events, person, Where(address, priority=priority), as_json=as_json)
        return
    target = known or run_target(out or str(default_folder(options.text)))
    with going_on(_again(target.name), kept=(target.folder / "options.json").exists):
        where = Where(address, target.mirror, priority)
        outcome = pipeline.run_pipeline(options, target.folder, events, where=where, person=person)
    if not as_json:
        _tell_outcome(outcome, target.name)
        if target.mirror is not None:
            print(f"Results: {target.name} (copy of this machine: {target.folder})")
    if require:
        _require_met(outcome)


def given_options(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `RunOptions` that a command line of `run` names, by their values."""
    from autommlab.acceleration import Acceleration
    from autommlab.options import RunOptions

    values = {_FIELDS.get(name, name): value for name, value in parameters.items()}
    if isinstance(values["classes"], str):
        values["classes"] = names_with_commas(values["classes"])
    if isinstance(values["acceleration"], str):
        values["acceleration"] = Acceleration.parse(values["acceleration"])
    values |= {"text": values["text"] or None, "parse": _absolute(values["parse"])}
    values["weights"] = _absolute(values["weights"])
    for repeated in ("cfg_options", "searcher_options"):
        values[repeated] = tuple(values[repeated] or ()) or None
    return {name: values[name] for name in RunOptions.model_fields if values[name] is not None}


def _again(name: str) -> str:
    """What goes on with a run; inside a job of a cluster it is another job."""
    command = "submit" if _JOB_VARIABLE in os.environ else "run"
    return f"autommlab {command} --resume {shlex.quote(name)}"


def _options(given: dict[str, Any], known: RunTarget | None) -> RunOptions:
    """The options of this run: from the command line, over those of the run to go on with.

    Raises:
        ResumeError: the run to go on with is another one; or it is none.
    """
    from autommlab.common.errors import ResumeError
    from autommlab.compare.records import require_no_comparison
    from autommlab.options import RunOptions
    from autommlab.storage.run_folder import RunFolder

    if known is None:
        return RunOptions.model_validate(given)
    require_no_comparison(known.folder)
    stored = RunFolder(known.folder).options()
    if given.get("searcher", stored.searcher) != stored.searcher:
        given = {"searcher_options": (), **given}  # the other's options are its own
    options = RunOptions.model_validate({**dict(stored), **given})
    refused = stored.differences(options).refused
    if refused:
        raise ResumeError(
            f"{known.name} holds a run with other settings:\n  " + "\n  ".join(refused) + "\n"
            "Leave them out to go on with it, or start a new run with --out"
        )
    return options


def _changeable(options: RunOptions) -> RunOptions:
    """The options without those that only a new run looks at."""
    return options.model_copy(update={"text": "as before", "parse": None, "data": None, "weights": None})


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().resolve()


def _display(as_json: bool, *, strict: bool) -> tuple[Any, Lent]:
    """(who shows the events, how the person is asked)."""
    from autommlab.cli.parse_table import show_parse
    from autommlab.cli.shared import asker
    from autommlab.progress.display import Display, JsonLines
    from autommlab.understanding.understand import Lent

    if as_json:
        return JsonLines(), Lent(strict=strict)
    display = Display()
    return display, Lent(
        ask=asker(display.close), show=lambda outcome: show_parse(outcome, display.close, error=True), strict=strict
    )


def _show_plan(options: RunOptions, events: Events, person: Lent, where: Where, *, as_json: bool) -> None:
    import tempfile

    from autommlab import pipeline

    with tempfile.TemporaryDirectory(prefix="autommlab-plan-") as scratch:
        plan = pipeline.plan(options, Path(scratch), events, where=where, person=person)
    if as_json:
        print(plan.model_dump_json(by_alias=True))
        return
    say(f"Would train {plan.choice.entry.title} on {', '.join(plan.bag.datasets)} ({', '.join(plan.bag.classes)}):")
    for reason in plan.choice.reasons:
        say(f"  {reason}")
    if plan.plan is not None:
        say(f"  {plan.plan.summary()}; proposals by {options.searcher}")
    say(f"  then deploy for {plan.request.deploy.inference_engine}. Nothing was trained (--dry-run).")


def _tell_outcome(outcome: RunOutcome, name: str) -> None:
    """The last lines that a person reads."""
    from autommlab.data.embedded import of_drawings

    study, deployment = outcome.study, outcome.deployment
    say(f"\n{study.objective}: {study.val_figure:.3f} on validation, {study.test_in_words}")
    if study.warning:
        say(f"  {study.warning}")
    for check in deployment.limits:
        verdict = {True: "met", False: "NOT met", None: "not measured"}[check.holds]
        say(f"  {check.name}: wanted {check.wanted}, got {check.got}: {verdict}{check.doubt}")
    for note in deployment.notes:
        say(f"  {note}")
    for step in _next_steps(outcome, name):
        say(f"  {step}")
    say(f"Try it: autommlab predict {shlex.quote(str(deployment.bundle))} IMAGE")
    if words := of_drawings(outcome.bag):
        say(f"  {words}")


def _next_steps(outcome: RunOutcome, name: str) -> list[str]:
    """What may help where a requirement is not met."""
    missed = {check.name for check in outcome.deployment.limits if check.holds is False}
    costs = missed & {"parameters", "flops", "speed"}
    given = missed & {"device", "inference engine"}
    steps = []
    if missed - costs - given:
        steps.append(f"For a better figure, go on: {_again(name)} {_more(outcome)}")
        steps.append("Or start a new run with more data or another --model.")
    if costs:
        steps.append("For a lighter or faster model, start a new run with a smaller --model (`autommlab models list`).")
    if given:
        steps.append("For another engine or device, start a new run with --engine or --device; the notes say why not.")
    return steps


def _more(outcome: RunOutcome) -> str:
    """The option that lets a run go on for longer: time where time is its limit, else trials."""
    if outcome.plan.time is None:
        return f"--trials {2 * len(outcome.study.trials)}"
    return f"--time {math.ceil(outcome.plan.time.asked_s / 60 * 3)}"


def _require_met(outcome: RunOutcome) -> None:
    """For `--require`.

    Raises:
        UnmetError: a requirement is not met, or could not be measured.
    """
    from autommlab.common.errors import UnmetError

    open_ones = [check.name for check in outcome.deployment.limits if check.holds is not True]
    if open_ones:
        raise UnmetError(f"not met: {', '.join(open_ones)} (--require). The bundle is in {outcome.deployment.bundle}")
