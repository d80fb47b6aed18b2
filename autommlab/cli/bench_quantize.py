"""`autommlab bench quantize`: what INT8 costs and brings, on the embedded sets."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab.cli.shared import names_with_commas
from autommlab.settings import LARGEST_SEED, NO_INT8, QuantizePolicy
from autommlab.tasks import Task

if TYPE_CHECKING:
    from autommlab.speed.quantized import QuantizedLine


def quantize(
    task: Annotated[list[Task] | None, typer.Option(help="Only this task; may be repeated.")] = None,
    engines: Annotated[str, typer.Option(help="Names with commas.")] = "onnxruntime,openvino",
    iterations: Annotated[int, typer.Option(min=1, help="Optimiser steps of each model.")] = 120,
    loss: Annotated[
        float, typer.Option(min=0, max=1, help="Most of the figure that INT8 may lose on validation.")
    ] = QuantizePolicy().most_loss,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of data, initialisation and order.")] = 0,
    folder: Annotated[
        Path, typer.Option(help="Of models and bundles; the same command again trains no model twice.")
    ] = Path("runs/bench-quantize"),
    out: Annotated[Path | None, typer.Option(help="JSON file that the lines are added to.")] = None,
) -> None:
    """INT8 against float: loss of the figure, latency in turns, size; a model of each task, each engine."""
    from autommlab.common.errors import RequestError, unknown
    from autommlab.common.files import write_text
    from autommlab.common.provenance import circumstances, read_stored
    from autommlab.speed.quantized import QuantizedResult, measure_quantized
    from autommlab.understanding.request import Engine

    able = [engine for engine in Engine if engine is not Engine.NONE and engine not in NO_INT8]
    if not (asked := names_with_commas(engines)):
        raise RequestError(f"--engines names none; choose among {', '.join(able)}")
    for name in asked:
        if name not in able:
            reason = f" {NO_INT8[name]}." if name in NO_INT8 else ""
            raise RequestError(unknown("engine with INT8", name, able) + reason)
    command = f"autommlab {shlex.join(sys.argv[1:])}"
    result = QuantizedResult.model_validate({**circumstances(command), "seed": seed})
    known = read_stored(QuantizedResult, out, "bench quantize").lines if out is not None and out.exists() else ()
    found = measure_quantized(
        folder.resolve(),
        tasks=task or list(Task),
        engines=[Engine(name) for name in asked],
        iterations=iterations,
        seed=seed,
        most_loss=loss,
        tell=lambda words: print(f"measuring: {words}", file=sys.stderr),
    )
    for line in found:
        print(_in_words(line))
        known = (*(old for old in known if (old.task, old.engine) != (line.task, line.engine)), line)
        if out is not None:
            write_text(out, result.model_copy(update={"lines": known}).model_dump_json(indent=1) + "\n")


def _in_words(line: QuantizedLine) -> str:
    head = f"{line.task} {line.engine} ({line.model}, {line.input_size[0]}x{line.input_size[1]})"
    found = line.quantization
    if found is None:
        return f"{head}: {line.problem}"
    val, size = found.val, found.size_mb
    return (
        f"{head}: {found.metric} on val {val.float32:.3f} -> {val.int8:.3f}, {found.speed_in_words}, "
        f"{size.float32:.1f} -> {size.int8:.1f} MB; {found.scope}"
    )
