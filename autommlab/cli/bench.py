"""`autommlab bench`: our own speed, as ratios against a baseline in the same run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from autommlab.cli.bench_e2e import bench_e2e
from autommlab.cli.bench_hpo import bench_hpo
from autommlab.cli.bench_ru import bench_ru
from autommlab.cli.shared import names_with_commas

bench_app = typer.Typer(no_args_is_help=True)
bench_app.command(name="ru")(bench_ru)
bench_app.command(name="hpo")(bench_hpo)
bench_app.command(name="e2e")(bench_e2e)


@bench_app.callback()
def bench() -> None:
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

    from autommlab.bench.overhead import measure_overhead
    from autommlab.events import Events
    from autommlab.progress import Display

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
    searchers: Annotated[str, typer.Option(help="Names with commas.")] = "random,hpo-llama,llm+tpe",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """How long slots wait for the LLM, and suggestions a second against plain transformers."""
    from autommlab.bench.suggestions import measure_suggestions
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
        note = f", {use.fallbacks} of {use.trials} proposals were stand-ins" if use.fallbacks else ""
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
    from autommlab.bench.scale import measure_scale

    result = measure_scale(searcher=searcher, trials=trials, slots=slots, trial_s=seconds, tell=_tell)
    if as_json:
        print(result.model_dump_json())
        return
    print(f"{result.finished} of {result.trials} sleeping trials of {seconds:g} s, {slots} at a time, {searcher}")
    print(f"  {result.seconds:.0f} s from first begin to last end, {result.overhead:.1%} above the ideal")
    print(f"  start: {result.start_s[0]:.0f} s to the first trial, {result.start_s[1]:.0f} s more until all slots ran")
    print(f"  slots wait {result.waiting:.1%} of their time between trials, at most {result.longest_s:.1f} s")
    print(
        f"  driver: {result.driver_cpu * 1000:.0f} ms of CPU a trial; memory after each quarter of the trials:", end=" "
    )
    print(", ".join(f"{megabytes:.0f}" for megabytes in result.memory_mb), "MB")
    print(f"  saved state of the study: {result.state_mb:.1f} MB")


def _tell(words: str) -> None:
    print(f"measuring: {words}", file=sys.stderr)
