"""What RU-LLaMA learns from: generated pairs as conversations, in the very form in which the service asks."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from autommlab.understanding.answer import answer_text, no_task_answer
from autommlab.understanding.prompt import messages
from autommlab.understanding.text import clean
from training_data_gen.adapters.examples import Example, TuningData
from training_data_gen.requests.corpus import corpus, corpus_digest
from training_data_gen.requests.generate import Pair, generate, split_by_voice
from training_data_gen.requests.near_duplicates import WordSetIndex, refuse_near_duplicates
from training_data_gen.requests.no_task import no_task_texts

DEFAULT_PAIRS = 12000
DEFAULT_HELD_OUT = 200
#: Every so manieth text without a task is held out.
_NO_TASK_HELD_OUT = 8


def ru_data(
    count: int = DEFAULT_PAIRS,
    seed: int = 0,
    held_out: int = DEFAULT_HELD_OUT,
    measured: Sequence[tuple[str, str]] = (),
) -> TuningData:
    """Examples from `count` generated pairs.

    Args:
        count: pairs, the handwritten ones first.
        seed: of the pairs and of the choice of voices that are held out.
        held_out: most held-out examples; each costs time at every evaluation.
        measured: (id, text) of the requests that adapters are measured on, of which nothing may be learned.

    Raises:
        ValueError: too few pairs for both sides, more than can be told apart, or a handwritten request that repeats
            another or a measured one in nearly the same words.
    """
    refuse_near_duplicates([(one.id, one.text) for one in corpus()], measured)
    pairs = generate(count, seed, WordSetIndex(measured))
    train, held = split_by_voice(pairs, seed)
    kept = random.Random(seed).sample(held, min(held_out, len(held)))  # noqa: S311 - draws held-out pairs, not secrets
    nothing = [example(text, no_task_answer(), f"no-task-{number}") for number, text in enumerate(no_task_texts())]
    facts = {
        "handwritten requests": len(corpus()),
        "SHA-256 of the handwritten requests": corpus_digest(),
        "pairs": len(pairs),
        "training pairs": len(train),
        "held-out pairs": len(kept),
        "held-out voices": sorted({pair.voice for pair in held}),
        "texts without a task": len(nothing),
        "skeletons in training": len({pair.skeleton for pair in train}),
        "tasks in training": dict(sorted(Counter(pair.parse.model.task.value for pair in train).items())),
        "data seed": seed,
    }
    return TuningData(
        examples(train) + [one for number, one in enumerate(nothing) if number % _NO_TASK_HELD_OUT],
        examples(kept) + nothing[::_NO_TASK_HELD_OUT],
        facts,
    )


def examples(pairs: Iterable[Pair]) -> list[Example]:
    """Pairs as conversations; those of one skeleton are one group."""
    return [example(pair.request, answer_text(pair.parse), pair.skeleton) for pair in pairs]


def example(text: str, answer: str, group: str) -> Example:
    """One text as the service puts it to a tuned model, with the answer that it should give."""
    asked = messages(clean(text), tuned=True)
    return Example((*asked, {"role": "assistant", "content": answer}), group)
