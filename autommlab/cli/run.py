"""`autommlab run`: the main job."""

from __future__ import annotations

import math
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from autommlab.cli import run_options as option
from autommlab.cli.shared import going_on, say

#: Set by Ray for what a job runs.
_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"

if TYPE_CHECKING:
    from autommlab.api.call import RunCall
    from autommlab.pipeline.records import RunOutcome
    from autommlab.progress.events import Events
    from autommlab.understanding.understand import Lent


def run(
    context: typer.Context,
    request: option.RequestText = "",
    parse: option.Parse = None,
    data: option.Data = None,
    task: option.TaskName = None,
    classes: option.Classes = None,
    model: option.Model = None,
    weights: option.Weights = None,
    cfg_options: option.CfgOptions = None,
    engine: option.EngineName = None,
    device: option.DeviceName = None,
    quantize: option.QuantizeWhen = None,
    quantize_loss: option.QuantizeLoss = None,
    profile: option.ProfileName = None,
    budget: option.Budget = None,
    input_size: option.InputSize = None,
    images: option.Images = None,
    iterations: option.Iterations = None,
    batch: option.Batch = None,
    searcher: option.Searcher = None,
    searcher_option: option.SearcherOption = None,
    scheduler: option.Scheduler = None,
    trials: option.Trials = None,
    time: option.Time = None,
    refit: option.RefitWhen = None,
    concurrent: option.Concurrent = None,
    cpus_per_trial: option.CpusPerTrial = None,
    gpus_per_trial: option.GpusPerTrial = None,
    workers_per_trial: option.WorkersPerTrial = None,
    acceleration: option.AccelerationText = None,
    seed: option.Seed = None,
    out: option.Out = None,
    resume: option.Resume = None,
    track: option.Track = None,
    optuna_storage: option.OptunaStorage = None,
    address: option.Address = None,
    priority: option.Priority = 1,
    require: option.Require = False,
    dry_run: option.DryRun = False,
    as_json: option.AsJson = False,
    strict: option.Strict = False,
    submitted_as: option.SubmittedAs = None,
) -> None:
    """Turn one sentence into a trained, tuned, exported and verified vision model."""
    from autommlab.api.call import read_call
    from autommlab.progress.events import Events

    if submitted_as is not None:
        from autommlab.jobs.entrypoint import require_shared

        require_shared(Path(resume or out or ""), submitted_as)
    call = read_call(request, option.arguments_of(context.params), resume=resume or "")
    display, person = _display(as_json)
    events = Events(display)
    if dry_run:
        _show_plan(call, events, person, as_json=as_json)
        return
    target = call.target()
    with going_on(_again(target.name), kept=(target.folder / "options.json").exists):
        outcome = call.execute(target, events, person)
    if not as_json:
        _tell_outcome(outcome, target.name)
        if target.mirror is not None:
            print(f"Results: {target.name} (copy of this machine: {target.folder})")
    if require:
        _require_met(outcome)


def _again(name: str) -> str:
    """What goes on with a run; inside a job of a cluster it is another job."""
    command = "submit" if _JOB_VARIABLE in os.environ else "run"
    return f"autommlab {command} --resume {shlex.quote(name)}"


def _display(as_json: bool) -> tuple[Any, Lent]:
    """(who shows the events, how the person is asked)."""
    from autommlab.cli.parse_table import show_parse
    from autommlab.cli.shared import asker
    from autommlab.progress.display import Display, JsonLines
    from autommlab.understanding.understand import NOBODY, Lent

    if as_json:
        return JsonLines(), NOBODY
    display = Display()
    return display, Lent(ask=asker(display.close), show=lambda outcome: show_parse(outcome, display.close, error=True))


def _show_plan(call: RunCall, events: Events, person: Lent, *, as_json: bool) -> None:
    from autommlab.deployment.engines import preferences

    plan = call.plan(events, person)
    if as_json:
        print(plan.model_dump_json(by_alias=True))
        return
    say(f"Would train {plan.choice.entry.title} on {', '.join(plan.bag.datasets)} ({', '.join(plan.bag.classes)}):")
    for reason in plan.choice.reasons:
        say(f"  {reason}")
    if plan.plan is not None:
        by = f"; proposals by {call.options.searcher}" if plan.plan.search else ""
        say(f"  {plan.plan.summary()}{by}")
    first = preferences(plan.request.deploy.inference_engine)[0]
    say(f"  then deploy for {first.value}. Nothing was trained (--dry-run).")


def _tell_outcome(outcome: RunOutcome, name: str) -> None:
    """The last lines that a person reads."""
    from autommlab.data.embedded import of_drawings

    study, deployment = outcome.study, outcome.deployment
    int8 = deployment.quantization is not None and deployment.quantization.delivered
    whose = " (before INT8)" if int8 else ""
    by = f"by {study.val_name}" if study.cross_validation else "on validation"
    say(f"\n{study.objective}{whose}: {study.val_figure:.3f} {by}, {study.test_in_words}")
    if study.cross_validation:
        say(f"  {study.cross_validation.in_words}")
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
