"""`autommlab tune`: fine-tune the LLM's adapters.

Like `bench`, it joins packages: what an adapter learns from is in `training_data_gen`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

tune_app = typer.Typer(help="Fine-tune adapters of the LLM.", no_args_is_help=True)


@tune_app.callback()
def _group() -> None:
    """Fine-tune adapters of the LLM."""


@tune_app.command()
def ru(
    out: Annotated[Path, typer.Option(help="Folder of the adapter; the same command again goes on with it.")],
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Generated requests, 404 handwritten ones among them. [default: 6000]")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Most passes over them. [default: 4]")] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Of the LoRA matrices. [default: 16]")] = None,
    lr: Annotated[float | None, typer.Option(min=1e-7, help="Peak learning rate. [default: 0.0005]")] = None,
    batch_tokens: Annotated[int | None, typer.Option(min=64, help="Tokens of a step. [default: 4096]")] = None,
    held_out: Annotated[
        int | None, typer.Option(min=1, help="Most held-out requests, of voices never trained on. [default: 200]")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Base model: name or folder. [default: the embedded one]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of data and training.")] = 0,
    examples_only: Annotated[
        bool,
        typer.Option("--examples-only", help="Only write the examples, for `python -m training_data_gen.ru_on_gpu`."),
    ] = False,
) -> None:
    """Fine-tune RU-LLaMA, which turns a request into its parse, on generated requests."""
    from autommlab.errors import RequestError, unknown
    from training_data_gen.ru_data import DEFAULT_HELD_OUT, DEFAULT_PAIRS, ru_data
    from training_data_gen.ru_on_gpu import settings_of, summary, tune, write_examples

    devices = ("auto", "cpu", "cuda")
    if device not in devices:
        raise RequestError(unknown("device", device, devices))
    folder = out / "examples"
    try:
        data = ru_data(pairs or DEFAULT_PAIRS, seed, held_out or DEFAULT_HELD_OUT)
        write_examples(folder, data.train, data.held_out, data.facts)
        if examples_only:
            typer.echo(f"{len(data.train)} examples to learn from and {len(data.held_out)} held out: {folder}")
            return
        settings = settings_of(epochs=epochs, rank=rank, lr=lr, batch_tokens=batch_tokens, seed=seed)
        path, name = _base(base)
        result = tune(folder, path, out, settings, base_name=name, device=device, say=typer.echo)
    except ValueError as error:
        raise RequestError(str(error)) from error
    typer.echo(summary(result))


def _base(asked: str | None) -> tuple[Path, str]:
    """Folder of the base model, and its name for the adapter."""
    from autommlab.errors import RequestError
    from serve.base_models import base_model
    from serve.errors import BaseModelError
    from serve.settings import EMBEDDED_MODEL

    name = asked or EMBEDDED_MODEL
    try:
        found = Path(base_model(name))
    except BaseModelError as error:
        raise RequestError(str(error)) from error
    return found, name if name == EMBEDDED_MODEL or name.count("/") == 1 else found.name
