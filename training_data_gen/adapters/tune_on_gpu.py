"""Train an adapter from example files: needs torch, transformers, peft and pydantic, nothing else of ours.

A machine with a GPU is lent now and then and has none of our environment. There

    python -m training_data_gen.adapters.tune_on_gpu --examples FOLDER --base FOLDER --out FOLDER

does what `autommlab tune` does, on the files that it has written with --examples-only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training_data_gen.adapters.card import carry_terms, write_adapter_card

if TYPE_CHECKING:
    from training_data_gen.adapters.examples import Example
    from training_data_gen.adapters.lora import LoraResult, LoraSettings

TRAIN_FILE, HELD_OUT_FILE, FACTS_FILE = "train.jsonl", "held-out.jsonl", "facts.json"
#: What a training was started with; another training in its folder is refused.
RUN_FILE = "run.json"
BASE_NAME = "smollm2-135m-instruct"


def write_examples(folder: Path, train: Sequence[Example], held_out: Sequence[Example], facts: dict[str, Any]) -> None:
    """Write both sides of a split and the facts about them into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, side in ((TRAIN_FILE, train), (HELD_OUT_FILE, held_out)):
        with (folder / name).open("w", encoding="utf-8") as out:
            for one in side:
                out.write(json.dumps({"messages": one.messages, "group": one.group}, ensure_ascii=False) + "\n")
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def read_examples(folder: Path) -> tuple[list[Example], list[Example], dict[str, Any]]:
    """What `write_examples` wrote.

    Raises:
        ValueError: the folder does not hold these files, or they are damaged.
    """
    try:
        facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise TypeError(f"{FACTS_FILE} is no object")
        return _side(folder / TRAIN_FILE), _side(folder / HELD_OUT_FILE), facts
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{folder} holds no examples that can be read ({error}); `autommlab tune ru` and `tune hpo` write them, "
            "alone with --examples-only"
        ) from error


def tune(
    examples: Path,
    base: Path,
    out: Path,
    settings: LoraSettings,
    *,
    base_name: str = BASE_NAME,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> LoraResult:
    """Train the adapter in `out`, or go on with it, and write its card.

    Args:
        examples: folder of `write_examples`.
        base: folder of the base model.
        out: gets the adapter, README.md, the log and its plot.
        settings: of the training; rank and alpha are those of the adapter that it starts from, if any.
        base_name: written into the adapter instead of this machine's path.
        device: "auto", "cpu" or "cuda".
        say: told a line after each evaluation.

    Raises:
        ValueError: examples or an adapter that cannot be read, another training in `out`, or one that made
            nothing better, so that there is no adapter.
    """
    from training_data_gen.adapters.lora import finetune
    from training_data_gen.adapters.state import read_start

    train, held_out, facts = read_examples(examples)
    if settings.start is not None:
        begun = read_start(settings.start, base_name)
        settings = settings.model_copy(update={"rank": begun.rank, "alpha": begun.alpha})
        facts = {**facts, "gone on from the adapter": begun.told}
    _same_run(out, {"base": base_name, "data": facts, **settings.model_dump(mode="json")})
    say(f"{len(train)} examples to learn from, {len(held_out)} held out, base {base_name}")

    def progress(step: int, total: int, loss: float, held: float) -> None:
        say(f"step {step} of {total}: loss {loss:.4f}, held out {held:.4f}")

    result = finetune(base, train, held_out, out, settings, base_name=base_name, device=device, progress=progress)
    if not (out / "adapter_config.json").is_file():
        raise ValueError(
            f"{result.steps} steps left the held-out loss at {result.first_loss:.4f} or above: no adapter was kept; "
            "train longer or with a smaller learning rate"
        )
    told = settings.model_dump(mode="json"), result.model_dump(mode="json")
    write_adapter_card(out, facts, *told, base_name, carry_terms(base, out))
    return result


def summary(result: LoraResult) -> str:
    """The outcome in one sentence."""
    return (
        f"held-out loss {result.first_loss:.4f} -> {result.best_loss:.4f} at step {result.best_step} of "
        f"{result.steps}, {result.tokens:,} tokens in {result.seconds:,.0f} s on {result.device}: {result.folder}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description="Train an adapter from example files, without Ray, vLLM or OpenMMLab.")
    parser.add_argument("--examples", type=Path, required=True, help="folder written with --examples-only")
    parser.add_argument("--base", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--out", type=Path, required=True, help="folder of the adapter; the same again goes on")
    parser.add_argument("--base-name", default=BASE_NAME, help="name of the base model, for the adapter's config")
    parser.add_argument("--from", dest="start", type=Path, help="folder of an adapter to go on from; it keeps its rank")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument(
        "--mixed",
        action=argparse.BooleanOptionalAction,
        help="matrix products in bfloat16 (default: where the processor has them)",
    )
    for name, kind in (("epochs", int), ("rank", int), ("lr", float), ("batch-tokens", int), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind)
    given = vars(parser.parse_args(arguments))
    examples, base, out = (given.pop(name) for name in ("examples", "base", "out"))
    where = {"base_name": given.pop("base_name"), "device": given.pop("device")}
    try:
        print(summary(tune(examples, base, out, settings_of(**given), **where)))
    except ValueError as error:
        raise SystemExit(f"Error: {error}") from error


def settings_of(**given: Any) -> LoraSettings:
    """Settings with their defaults where nothing is given; alpha is twice the rank.

    Raises:
        ValueError: a rank beside an adapter to start from.
    """
    from training_data_gen.adapters.lora import LoraSettings

    chosen = {name: value for name, value in given.items() if value is not None}
    if {"rank", "start"} <= set(chosen):
        raise ValueError("--rank does not go with --from: an adapter that is gone on from keeps its rank")
    if "rank" in chosen:
        chosen["alpha"] = 2 * chosen["rank"]
    return LoraSettings(**chosen)


def _side(path: Path) -> list[Example]:
    from training_data_gen.adapters.examples import Example

    # Not `splitlines`: a request may hold U+2028.
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line)
    return [Example(tuple(map(_message, row["messages"])), str(row["group"])) for row in rows]


def _message(given: Any) -> dict[str, str]:
    """Role and content of a turn.

    Raises:
        KeyError, TypeError: it has other keys than these, or no texts.
    """
    turn = {name: given[name] for name in ("role", "content")}
    if not all(isinstance(text, str) for text in turn.values()):
        raise TypeError("a message holds something else than texts")
    return turn


def _same_run(out: Path, asked: dict[str, Any]) -> None:
    """Remember what a training is started with; refuse to go on with another one."""
    file = out / RUN_FILE
    if file.is_file():
        try:
            before: dict[str, Any] = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f"{file} is damaged ({error}). Delete {out} to train anew, or give another folder"
            ) from error
        other = [name for name in asked if before.get(name) != asked[name]]
        if other:
            told = "; ".join(f"{name} was {before.get(name)!r}, now {asked[name]!r}" for name in other)
            raise ValueError(f"{out} holds another training: {told}. Give the same settings or another folder")
        return
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asked, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
