"""`autommlab bench`: our own speed, as ratios against a baseline in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

bench_app = typer.Typer(help="Measure speed against a baseline in the same run.", no_args_is_help=True)


@bench_app.callback()
def bench() -> None:
    """Measure speed against a baseline in the same run."""


@bench_app.command()
def overhead(
    trials: Annotated[int, typer.Option(min=3, help="Trials each way.")] = 24,
    iterations: Annotated[int, typer.Option(min=1, help="Optimiser steps of each trial.")] = 15,
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
