"""`autommlab bench`: our own speed, as ratios against a baseline in the same run."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from autommlab.cli.bench_quantize import quantize
from autommlab.cli.shared import counts_with_commas, going_on, names_with_commas, searchers_named
from autommlab.tasks import Task

bench_app = typer.Typer(no_args_is_help=True)
bench_app.command("quantize")(quantize)


@bench_app.callback()
def _bench() -> None:
    """Benchmarks: speed against a baseline in the same run; how well requests are understood and searchers search."""


@bench_app.command()
def overhead(
    trials: Annotated[int, typer.Option(min=3, help="Trials each way.")] = 48,
    iterations: Annotated[int, typer.Option(min=1, help="Optimiser steps of each trial.")] = 8,
    out: Annotated[Path | None, typer.Option(help="Folder to keep. [default: a temporary one]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Reused Ray workers against one process per trial, on the same trials."""
    import tempfile

    from autommlab.progress.display import Display
    from autommlab.progress.events import Events
    from autommlab.speed.overhead import measure_overhead

    with tempfile.TemporaryDirectory(prefix="autommlab-bench-") as temporary:
        events = Events() if as_json else Events(Display())
        result = measure_overhead(out or Path(temporary), trials=trials, iterations=iterations, events=events)
    if as_json:
        print(result.model_dump_json())
        return
    print(f"{result.trials} trials of {iterations} iterations ({result.trial_s:.1f} s each), {result.slots} at a time")
    print(f"  reused workers:        {result.reused_s:7.1f} s in all, start-up included")
    print(f"  one process per trial: {result.processes_s:7.1f} s in all")
    print(f"  trials per hour with reused workers: {result.ratio:.2f} times as many, both start-ups included;")
    print(f"  {result.steady_ratio:.2f} times as many from the second trial on, as a longer study sees it")
    print(f"  slots busy with training and validation from the second trial on: {result.busy_share:.0%}")


@bench_app.command()
def suggestions(
    slots: Annotated[int, typer.Option(min=1, help="Trials at once.")] = 4,
    trials: Annotated[int, typer.Option(min=2, help="Sleeping trials of each searcher.")] = 16,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each trial sleeps.")] = 10.0,
    searchers: Annotated[str, typer.Option(help="Names with commas.")] = "random,hpo-llama,llm+grid",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """How long slots wait for the LLM, and suggestions a second against plain transformers."""
    from autommlab.speed.suggestions import measure_suggestions
    from serve.base_models import base_model
    from serve.lifecycle import ensure_service
    from serve.settings import load_settings

    service = load_settings()
    result = measure_suggestions(
        ensure_service(service, _tell),
        Path(base_model(service.base_model)),
        searchers=names_with_commas(searchers),
        slots=slots,
        trials=trials,
        trial_s=seconds,
        tell=_tell,
    )
    if as_json:
        print(result.model_dump_json())
        return
    print(f"{result.slots} trials at once, {result.trial_s:g} s each (they sleep); model {result.model}")
    for use in result.use:
        note = f", {use.fallbacks} of {use.trials} proposals were fallbacks" if use.fallbacks else ""
        print(f"  {use.searcher:10} slots wait {use.waiting:6.1%} of their time, at most {use.longest_s:.1f} s{note}")
    for askers, rate in result.per_second.items():
        print(f"  {askers:3} askers at once: {rate:.2f} suggestions a second")
    if plain := result.transformers_per_second:
        best = max(result.per_second.values())
        print(f"  plain transformers: {plain:.2f} a second; the service reaches {best / plain:.1f} times that")


@bench_app.command()
def scale(
    trials: Annotated[int, typer.Option(min=2, help="Sleeping trials.")] = 1000,
    slots: Annotated[int, typer.Option(min=1, help="Trials at once, whatever the machine has.")] = 64,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each trial sleeps.")] = 30.0,
    searcher: Annotated[str, typer.Option(help="One that needs no LLM.")] = "random",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """What surrounds many trials at once costs: waiting slots, the driver's CPU and memory. Trials only sleep."""
    from autommlab.speed.scale import measure_scale

    with contextlib.redirect_stdout(sys.stderr):  # Ray prints there that it starts many processes
        result = measure_scale(searcher=searcher, trials=trials, slots=slots, trial_s=seconds, tell=_tell)
    if as_json:
        print(result.model_dump_json())
        return
    print(f"{result.finished} of {result.trials} sleeping trials of {seconds:g} s, {slots} at a time, {searcher}")
    print(f"  {result.seconds:.0f} s from first begin to last end, {result.overhead:.1%} above the ideal,")
    print(f"  {result.driver_overhead:.1%} without the start of {result.slots} processes on this machine")
    print(f"  start: {result.start_s[0]:.0f} s to the first trial, {result.start_s[1]:.0f} s more until all slots ran")
    print(f"  slots wait {result.waiting:.1%} of their time between trials, at most {result.longest_s:.1f} s")
    print(
        f"  driver: {result.driver_cpu * 1000:.0f} ms of CPU a trial; memory after each quarter of the trials:", end=" "
    )
    print(", ".join(f"{megabytes:.0f}" for megabytes in result.memory_mb), "MB")
    print(f"  saved state of the study: {result.state_mb:.1f} MB")


@bench_app.command("zoo")
def zoo_command(
    task: Annotated[list[Task] | None, typer.Option(help="Only models of this task; may be repeated.")] = None,
    models: Annotated[str, typer.Option(help="Names with commas, of one task. [default: ten popular ones]")] = "",
    out: Annotated[Path | None, typer.Option(help="JSON file that the lines are added to.")] = None,
) -> None:
    """Popular models of the zoo: measured, loaded, one step, exported, run in ONNX Runtime."""
    from autommlab.common.errors import RequestError
    from autommlab.common.files import write_text
    from autommlab.common.stored import lines_to_add_to
    from autommlab.speed.zoo_check import POPULAR, ZooLine, check_models

    tasks = task or list(Task)
    if models and len(tasks) != 1:
        raise RequestError("--models are of one task: name it with --task")
    known = lines_to_add_to(out, ZooLine, "bench zoo")
    for one in tasks:
        for line in check_models(one, tuple(names_with_commas(models)) if models else POPULAR[one], _tell):
            print(f"{line.name}: {f'{line.failed}: {line.reason}' if line.failed else 'all steps'} ({line.seconds} s)")
            known = [*(old for old in known if (old.task, old.name) != (line.task, line.name)), line]
            if out is not None:
                write_text(out, json.dumps([each.model_dump(mode="json") for each in known], indent=1) + "\n")


@bench_app.command()
def growth(
    searchers: Annotated[
        str, typer.Option(help="Names with commas; those that need no LLM.")
    ] = "random,tpe,gp,zero-shot",
    trials: Annotated[str, typer.Option(help="Lengths of the history, with commas.")] = "100,1000,10000",
    seconds: Annotated[float, typer.Option(min=1, help="Longest that a searcher may take in all.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """What a searcher's next proposal costs after many trials. Their results are made up."""
    from autommlab.speed.growth import measure_growth

    sizes = counts_with_commas(trials)
    found = measure_growth(searchers_named(searchers), sizes, seconds=seconds, tell=_tell)
    if as_json:
        print(json.dumps([one.model_dump() for one in found]))
        return
    for one in found:
        print(
            f"{one.searcher:12} after {one.trials:6} trials: {one.proposal_s * 1000:8.1f} ms a proposal, "
            f"{one.save_s * 1000:7.1f} ms a save of {one.state_mb:.2f} MB"
        )


@bench_app.command()
def data(
    task: Annotated[list[Task] | None, typer.Option(help="Only sets of this task; may be repeated.")] = None,
    images: Annotated[int | None, typer.Option(min=10, help="Pictures at scale 1. [default: of each task]")] = None,
    scale: Annotated[str, typer.Option(help="Sizes, times the pictures at scale 1, with commas.")] = "1,10",
    steps: Annotated[str, typer.Option(help="Steps with commas: add,check,preview,select,select-few,load.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Where the sets are made. [default: a temporary one]")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file that the figures are added to.")] = None,
) -> None:
    """What large data sets cost: seconds and memory of add, check, preview, selection, and loading in a trial."""
    from autommlab.common.errors import RequestError
    from autommlab.common.files import write_text
    from autommlab.common.stored import lines_to_add_to
    from autommlab.speed.big_data import Cost, measure_data, steps_named, with_older

    wanted, scales = steps_named(names_with_commas(steps)), counts_with_commas(scale)
    if folder is not None and not folder.is_dir():
        raise RequestError(f"--folder {folder} is no folder; make it, or leave the option out")
    known = lines_to_add_to(out, Cost, "bench data")
    for one in task or list(Task):
        found = measure_data(one, scales, images=images, steps=wanted, folder=folder, tell=_tell)
        for cost in found:
            print(
                f"{cost.task:14} {cost.images:7} pictures  {cost.step:10} {cost.seconds:8.2f} s "
                f"{cost.cpu_s:8.2f} s of CPU {cost.memory_mb:6.0f} MB ({cost.imports_mb:.0f} MB of them imports)"
            )
        if out is not None:
            known = with_older(known, found)
            write_text(out, json.dumps([each.model_dump(mode="json") for each in known], indent=1) + "\n")


@bench_app.command()
def workers(
    parse: Annotated[Path, typer.Option(help="JSON file with the parse of a request: task, data and model.")],
    workers_per_trial: Annotated[int, typer.Option(min=2, help="Processes that train one trial together.")] = 2,
    cpus_per_trial: Annotated[float, typer.Option(min=0, help="CPU cores of each process.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, help="Paired seeds; fix the number before you look.")] = 10,
    data: Annotated[str | None, typer.Option(help="Data set (name or folder) instead of the request's.")] = None,
    profile: Annotated[str, typer.Option(help="Budget: laptop, gpu or cluster.")] = "laptop",
    out: Annotated[Path, typer.Option(help="Folder; the same command again goes on with it.")] = Path("runs/workers"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Whether a trial learns the same over several processes as in one: the default configuration, paired seeds."""
    from autommlab.api.option_check import check_options
    from autommlab.options import RunOptions
    from autommlab.progress.display import Display
    from autommlab.progress.events import Events
    from autommlab.speed.workers import measure_workers

    options = RunOptions(
        parse=parse.expanduser().resolve(),
        data=data,
        profile=profile,
        workers_per_trial=workers_per_trial,
        cpus_per_trial=cpus_per_trial,
    )
    check_options(options)
    with going_on():
        events = Events() if as_json else Events(Display())
        result = measure_workers(options, out.resolve(), seeds=seeds, events=events)
    if as_json:
        print(result.model_dump_json())
        return
    print(f"{result.task} with {result.model}, {result.seeds} paired seeds, {result.images['val']} images in val")
    for name, alone, together, difference in (
        ("val", result.alone, result.together, result.difference),
        ("test", result.alone_test, result.together_test, result.test_difference),
    ):
        means = [sum(scores) / len(scores) for scores in (alone, together)]
        print(
            f"  {result.metric} on {name}: {means[0]:.3f} in one process, {means[1]:.3f} in {result.workers},"
            f" difference {difference}"
        )
    print(f"  standard deviation between seeds in one process: {result.noise:.3f}")
    print(f"  seconds of a study of one trial: {result.seconds[0]:.0f} and {result.seconds[1]:.0f}")


@bench_app.command("serve-model")
def serve_model(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", show_default=False)],
    replicas: Annotated[str, typer.Option(help="Processes of the service, with commas.")] = "1,2",
    clients: Annotated[str, typer.Option(help="Clients at once, with commas.")] = "1,8",
    batch: Annotated[str, typer.Option(help="Pictures of one call of the engine, with commas.")] = "1",
    seconds: Annotated[float, typer.Option(min=0.2, max=3600, help="Of each measurement.")] = 10.0,
    picture: Annotated[Path | None, typer.Option(help="That is sent. [default: one of 640 x 480 pixels]")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file that the figures are added to.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Requests a second of `serve-model` against one process that predicts alone."""
    from autommlab.common.errors import DataError
    from autommlab.common.files import write_text
    from autommlab.common.stored import lines_to_add_to
    from autommlab.speed.served import ServedResult, measure_served

    counts = counts_with_commas(replicas), counts_with_commas(clients), counts_with_commas(batch)
    known = lines_to_add_to(out, ServedResult, "bench serve-model")
    if picture is not None and not picture.is_file():
        raise DataError(f"--picture {picture} is no file")
    result = measure_served(
        bundle,
        picture=picture,
        replicas=counts[0],
        clients=counts[1],
        batches=counts[2],
        seconds=seconds,
        tell=_tell,
    )
    if out is not None:
        others = (
            old for old in known if (old.task, old.model, old.engine) != (result.task, result.model, result.engine)
        )
        lines = [each.model_dump(mode="json") for each in (*others, result)]
        write_text(out, json.dumps(lines, indent=1) + "\n")
    if as_json:
        print(result.model_dump_json())
        return
    width, height, size = result.picture
    print(f"{result.model} ({result.task}) on {result.engine}, pictures of {width} x {height} and {size / 1000:.0f} kB")
    alone = result.alone
    print(
        f"  one process alone:                          {alone.per_second:7.1f} a second, {alone.p50_ms:6.1f} ms each, "
        f"{alone.cpu_ms:.1f} ms of CPU"
    )
    for rate in result.served:
        print(
            f"  service, {rate.replicas} replica(s), batch {rate.batch}, {rate.clients:2} client(s): "
            f"{rate.per_second:7.1f} a second, {rate.p50_ms:6.1f} ms (95 %: {rate.p95_ms:.1f} ms), "
            f"{rate.cpu_ms:.1f} ms of CPU, {rate.ratio:.2f} times"
        )
    print(f"  the process alone was {result.drift:.2f} times as fast after the service as before it")


def _tell(words: str) -> None:
    print(f"measuring: {words}", file=sys.stderr)
