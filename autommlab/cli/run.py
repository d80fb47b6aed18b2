"""`autommlab run`: the main job."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer


def run(
    request: Annotated[str, typer.Argument(help="What you want, in plain words.", show_default=False)] = "",
    parse: Annotated[
        Path | None, typer.Option(help="JSON file with the finished parse of the request; skips understanding.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Data set (name, folder or URI) instead of the request's.")] = None,
    model: Annotated[str | None, typer.Option(help="Model instead of the request's.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Pretrained weights, a .pth file.")] = None,
    profile: Annotated[str | None, typer.Option(help="Budget: laptop, gpu or cluster. [default: laptop]")] = None,
    searcher: Annotated[
        str | None, typer.Option(help="Who proposes hyperparameters; see `autommlab searchers`. [default: tpe+default]")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Who stops hopeless trials: none, asha or median. [default: none]")
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials. [default: the profile's]")] = None,
    time: Annotated[float | None, typer.Option(min=0.1, help="Minutes for training. [default: no limit]")] = None,
    concurrent: Annotated[int | None, typer.Option(min=0, help="Trials at once. [default: as many as fit]")] = None,
    cpus_per_trial: Annotated[
        float | None, typer.Option(min=0.1, help="CPUs of a trial. [default: the profile's]")
    ] = None,
    gpus_per_trial: Annotated[
        float | None, typer.Option(min=0, help="GPUs of a trial, may be a fraction. [default: the profile's]")
    ] = None,
    workers_per_trial: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that train one trial together; CPUs and GPUs are of each. [default: 1]"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of split, initialisation and searcher. [default: 0]")] = None,
    out: Annotated[
        str | None,
        typer.Option(help="Run folder, or a storage: s3://, gs://, file:// ... [default: runs/<time>-<request>]"),
    ] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with the run in this folder or at this URI.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster. [default: RAY_ADDRESS, else a private Ray here]")
    ] = None,
    priority: Annotated[
        int, typer.Option(min=1, max=1000, help="Weight against other requests on the same cluster.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop before training and show the plan.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Events as JSON lines on standard output.")] = False,
    submitted_as: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Turn one sentence into a trained, tuned, exported and verified vision model."""
    from autommlab import pipeline
    from autommlab.progress.events import Events
    from autommlab.storage.run_folder import default_folder
    from autommlab.storage.run_target import Where, run_target

    given = {
        "text": request or None,
        "parse": _absolute(parse),
        "data": data,
        "model": model,
        "weights": _absolute(weights),
        "profile": profile,
        "searcher": searcher,
        "scheduler": scheduler,
        "trials": trials,
        "time_min": time,
        "concurrent": concurrent,
        "cpus_per_trial": cpus_per_trial,
        "gpus_per_trial": gpus_per_trial,
        "workers_per_trial": workers_per_trial,
        "seed": seed,
    }
    if submitted_as is not None:
        from autommlab.jobs.entrypoint import require_shared

        require_shared(Path(resume or out or ""), submitted_as)
    known = run_target(resume, resume=True) if resume else None
    options = _options({name: value for name, value in given.items() if value is not None}, known)
    display, ask = _display(as_json)
    events = Events(display)
    if dry_run:
        _show_plan(options, events, ask, as_json=as_json)
        return
    target = known or run_target(out or str(default_folder(options.text)))
    try:
        where = Where(address, target.mirror, priority)
        outcome = pipeline.run(options, target.folder, events, where=where, ask=ask)
    except BaseException:
        if (target.folder / "options.json").exists():
            again = f"autommlab run --resume {shlex.quote(target.name)}"
            print(f"Everything finished so far is kept. Go on with: {again}", file=sys.stderr)
        raise
    if not as_json:
        _tell_outcome(outcome)
        if target.mirror is not None:
            print(f"Results: {target.name} (copy of this machine: {target.folder})")


def _options(given: dict[str, Any], known: Any) -> Any:
    """The options of this run: from the run to go on with, or from the command line, checked."""
    import searchers
    from autommlab import settings
    from autommlab.common.errors import RequestError, ResumeError, unknown
    from autommlab.options import RunOptions
    from autommlab.storage.run_folder import RunFolder
    from searchers.tune import schedulers

    if known is not None:
        options = RunFolder(known.folder).options()
        changed = options.differences(given)
        if changed:
            raise ResumeError(
                f"{known.name} holds a run with other settings:\n  " + "\n  ".join(changed) + "\n"
                "Leave them out to go on with it, or start a new run with --out"
            )
        return options
    options = RunOptions.model_validate(given)
    settings.profile(options.profile)
    for what, name, allowed in (
        ("searcher", options.searcher, searchers.names()),
        ("scheduler", options.scheduler, schedulers.scheduler_names()),
    ):
        if name not in allowed:
            raise RequestError(unknown(what, name, allowed))
    return options


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().resolve()


def _display(as_json: bool) -> tuple[Any, Any]:
    """(who shows the events, who asks the person or None)."""
    from autommlab.cli.shared import asker
    from autommlab.progress.display import Display, JsonLines

    if as_json:
        return JsonLines(), None
    display = Display()
    return display, asker(display.close)


def _show_plan(options: Any, events: Any, ask: Any, *, as_json: bool) -> None:
    import tempfile

    from autommlab import pipeline, settings

    with tempfile.TemporaryDirectory(prefix="autommlab-plan-") as scratch:
        plan = pipeline.plan(options, Path(scratch), events, ask=ask)
    if as_json:
        print(plan.model_dump_json(by_alias=True))
        return
    profile = settings.profile(options.profile)
    budget = profile.tasks[plan.request.model.task]
    print(f"Would train {plan.choice.entry.title} on {', '.join(plan.bag.datasets)} ({', '.join(plan.bag.classes)}):")
    print(
        f"  {options.trials or profile.trials} trials by {options.searcher}, "
        f"{budget.iterations[0]}..{budget.iterations[1]} iterations each, "
        f"images of {plan.choice.input_size[0]}x{plan.choice.input_size[1]}"
    )
    for reason in plan.choice.reasons:
        print(f"  {reason}")
    print(f"  then deploy for {plan.request.deploy.inference_engine}. Nothing was trained (--dry-run).")


def _tell_outcome(outcome: Any) -> None:
    """The last lines that a person reads."""
    study, deployment = outcome.study, outcome.deployment
    print(
        f"\n{study.objective}: {study.best.score:.3f} on validation, {study.test_metrics[study.objective]:.3f} on test"
    )
    for check in deployment.limits:
        verdict = {True: "met", False: "NOT met", None: "not measured"}[check.holds]
        print(f"  {check.name}: wanted {check.wanted}, got {check.got}: {verdict}")
    for note in deployment.notes:
        print(f"  {note}")
    print(f"Try it: autommlab predict {deployment.bundle} IMAGE")
