"""`autommlab tune`: fine-tune the LLM's adapters.

Like `bench`, it joins packages: what an adapter learns from is in `training_data_gen`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab.cli.shared import going_on, names_with_commas

if TYPE_CHECKING:
    from training_data_gen.adapters.examples import TuningData

tune_app = typer.Typer(help="Fine-tune adapters of the LLM.", no_args_is_help=True)


@tune_app.callback()
def _group() -> None:
    """Fine-tune adapters of the LLM."""


Out = Annotated[Path, typer.Option(help="Folder of the adapter; the same command again goes on with it.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Most passes over the examples. [default: 4]")]
Rank = Annotated[int | None, typer.Option(min=1, help="Of the LoRA matrices. [default: 16]")]
Rate = Annotated[float | None, typer.Option(min=1e-7, help="Peak learning rate. [default: 0.0005]")]
BatchTokens = Annotated[int | None, typer.Option(min=64, help="Tokens of a step. [default: 4096]")]
Base = Annotated[
    str | None, typer.Option(help="Base model: name, folder, or hub id to download. [default: the embedded one]")
]
Start = Annotated[
    str | None,
    typer.Option("--from", help="Adapter to go on from, which keeps its rank: a folder, or one of ours by name."),
]
Mixed = Annotated[
    bool | None,
    typer.Option("--mixed/--no-mixed", help="Matrix products in bfloat16. [default: where the processor has them]"),
]
Dtype = Annotated[str | None, typer.Option(help="Of the fixed weights: float32, bfloat16. [default: float32]")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option(min=0, help="Of data and training.")]
ExamplesOnly = Annotated[
    bool,
    typer.Option(
        "--examples-only", help="Only write the examples, for `python -m training_data_gen.adapters.tune_on_gpu`."
    ),
]


@tune_app.command()
def ru(
    out: Out,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Generated requests, the handwritten ones first. [default: 12000]")
    ] = None,
    held_out: Annotated[
        int | None, typer.Option(min=1, help="Most held-out requests, of voices never trained on. [default: 200]")
    ] = None,
    epochs: Epochs = None,
    rank: Rank = None,
    lr: Rate = None,
    batch_tokens: BatchTokens = None,
    base: Base = None,
    start: Start = None,
    mixed: Mixed = None,
    dtype: Dtype = None,
    device: Device = "auto",
    seed: Seed = 0,
    examples_only: ExamplesOnly = False,
) -> None:
    """Fine-tune RU-LLaMA, which turns a request into its parse, on generated requests."""
    from training_data_gen.adapters.understanding_examples import DEFAULT_HELD_OUT, DEFAULT_PAIRS, ru_data
    from training_data_gen.benchmarks.request_sets import SETS, read_set

    def make() -> TuningData:
        measured = [(one.id, one.request) for name in SETS for one in read_set(name)]
        return ru_data(pairs or DEFAULT_PAIRS, seed, held_out or DEFAULT_HELD_OUT, measured)

    _tune(
        make, out, base=base, start=start, device=device, examples_only=examples_only, epochs=epochs, rank=rank, lr=lr,
        batch_tokens=batch_tokens, mixed=mixed, dtype=dtype, seed=seed,
    )  # fmt: skip


@tune_app.command()
def hpo(
    out: Out,
    trials: Annotated[Path, typer.Option(help="Folder of `autommlab trials`, or a .jsonl or .jsonl.gz file.")],
    per_dataset: Annotated[
        int | None, typer.Option(min=1, help="Most dialogues about a dataset. [default: 32]")
    ] = None,
    without: Annotated[str, typer.Option(help="Data sets to leave out, names with commas.")] = "",
    guided: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Fraction of answers by a surrogate of the datasets, not by a trial. [default: 0.7]"
        ),
    ] = None,
    contrasts: Annotated[
        int,
        typer.Option(
            min=0, max=1000, help="Most pairs about a dataset that only results tell apart, made by the surrogate."
        ),
    ] = 0,
    epochs: Epochs = None,
    rank: Rank = None,
    lr: Rate = None,
    batch_tokens: BatchTokens = None,
    base: Base = None,
    start: Start = None,
    mixed: Mixed = None,
    dtype: Dtype = None,
    device: Device = "auto",
    seed: Seed = 0,
    examples_only: ExamplesOnly = False,
) -> None:
    """Fine-tune HPO-LLaMA, which proposes hyperparameters, on dialogues about finished trials."""
    from training_data_gen.adapters.hpo_dialogues import DialogueSettings
    from training_data_gen.adapters.hpo_examples import hpo_data
    from training_data_gen.trials.store import read_trials

    def make() -> TuningData:
        known = read_trials(trials)
        return hpo_data(
            known,
            per_bag=per_dataset or DialogueSettings.per_bag,
            without=names_with_commas(without),
            guided=DialogueSettings.guided if guided is None else guided,
            contrasts=contrasts,
            seed=seed,
        )

    _tune(
        make, out, base=base, start=start, device=device, examples_only=examples_only, epochs=epochs, rank=rank, lr=lr,
        batch_tokens=batch_tokens, mixed=mixed, dtype=dtype, seed=seed,
    )  # fmt: skip


def _tune(
    make: Callable[[], TuningData],
    out: Path,
    *,
    base: str | None,
    start: str | None,
    device: str,
    examples_only: bool,
    **settings: float | str | None,
) -> None:
    """Make the examples, and unless only they are wanted, the adapter; `settings` as of `LoraSettings`."""
    from autommlab.common.errors import RequestError, unknown
    from training_data_gen.adapters.tune_on_gpu import settings_of, summary, tune, write_examples

    for option, given, allowed in (
        ("device", device, ("auto", "cpu", "cuda")),
        ("dtype", settings["dtype"] or "float32", ("float32", "bfloat16")),
    ):
        if given not in allowed:
            raise RequestError(unknown(option, str(given), allowed))
    folder = out / "examples"
    try:
        if not examples_only:  # what cannot be trained is said before the examples are made
            path, name = _base(base)
            chosen = settings_of(**settings, start=_adapter(start, name))
        data = make()
        write_examples(folder, data.train, data.held_out, data.facts)
        if examples_only:
            typer.echo(f"{len(data.train)} examples to learn from and {len(data.held_out)} held out: {folder}")
            return
        with going_on():
            result = tune(folder, path, out, chosen, base_name=name, device=device, say=typer.echo)
    except ValueError as error:
        raise RequestError(str(error)) from error
    typer.echo(summary(result))


def _base(asked: str | None) -> tuple[Path, str]:
    """Folder of the base model, and its name for the adapter."""
    from autommlab.common.errors import RequestError
    from serve.base_models import fetched_base, name_for_adapters, terms_of
    from serve.errors import BaseModelError
    from serve.settings import EMBEDDED_MODEL

    name = asked or EMBEDDED_MODEL
    try:
        found = fetched_base(name)
    except BaseModelError as error:
        raise RequestError(str(error)) from error
    if terms := terms_of(name):
        typer.echo(f"terms of {name}, and of its adapters: {terms}")
    return found, name_for_adapters(name)


def _adapter(asked: str | None, base_name: str) -> Path | None:
    """Folder of the adapter to go on from."""
    from autommlab.common.errors import RequestError, unknown
    from serve.shipped import FOLDER

    if asked is None or Path(asked).is_dir():
        return Path(asked) if asked else None
    ours = {folder.name: folder for folder in sorted((FOLDER / base_name).glob("*"))}
    if asked not in ours:
        raise RequestError(f"{unknown('adapter', asked, list(ours))} A folder will do as well.")
    return ours[asked]
