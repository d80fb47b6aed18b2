"""What training an adapter costs on one base model and on another: the same requests, one thread, a few steps each.

`python -m training_data_gen.benchmarks.base_speed smollm2-135m-instruct gemma-3-270m` takes names, folders or hub ids.
CPU seconds, not seconds: on a busy machine only the first can be compared, and there too only with one another.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from serve.base_models import fetched_base
from serve.settings import EMBEDDED_MODEL
from training_data_gen.adapters.examples import Example, batches, encode
from training_data_gen.adapters.lora import LoraSettings, LoraTraining

#: Generated requests that the batches are taken from, and batches of them.
_PAIRS, _BATCHES = 400, 4


class StepCost(BaseModel):
    """One optimiser step.

    Attributes:
        tokens, answers: of the batch, and those of them that carry loss, as this base's tokenizer cuts them.
        loss: mean per answer token; the first steps of a warm-up, and of another tokenizer not to be compared.
    """

    model_config = ConfigDict(frozen=True)

    base: str
    examples: int
    tokens: int
    answers: int
    loss: float
    cpu_s: float


def same_batches(examples: Sequence[Example], tokens: int, base: Path) -> list[list[Example]]:
    """Batches of at most so many tokens of that base, the same ones at each call."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    encoded = [encode(example, tokenizer) for example in examples]
    known = {id(one): example for one, example in zip(encoded, examples, strict=True)}
    return [[known[id(one)] for one in batch] for batch in batches(encoded, tokens, seed=0)]


def steps_on(name: str, base: Path, made: Sequence[Sequence[Example]], settings: LoraSettings) -> Iterator[StepCost]:
    """Train a step on each batch, the first of them while memory and caches fill."""
    with tempfile.TemporaryDirectory(prefix="autommlab-speed-") as folder:
        training = LoraTraining(base, Path(folder), settings, name, "cpu")
        for number, batch in enumerate(made, start=1):
            encoded = training.encoded(batch)
            began = time.process_time()
            loss = training.step(encoded, number, total=5 * len(made))
            yield StepCost(
                base=name, examples=len(batch), tokens=sum(len(one.ids) for one in encoded),
                answers=sum(one.answers for one in encoded), loss=round(loss, 3),
                cpu_s=round(time.process_time() - began, 2),
            )  # fmt: skip


def main(names: Sequence[str]) -> None:
    """Measure bases by name."""
    import torch

    from training_data_gen.adapters.understanding_examples import examples
    from training_data_gen.requests.generate import generate

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    settings = LoraSettings(lr=4e-4, batch_tokens=2048, epochs=1)
    asked = examples(generate(_PAIRS, seed=0))
    made = same_batches(asked, settings.batch_tokens, fetched_base(EMBEDDED_MODEL))[:_BATCHES]
    for name in names:
        for cost in steps_on(name, fetched_base(name), made, settings):
            print(json.dumps(cost.model_dump()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or [EMBEDDED_MODEL])
