"""Training examples: conversations whose assistant turns are to be learnt, as token ids with a mask."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

#: Label of tokens that carry no loss (torch's `cross_entropy`).
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation.

    Attributes:
        messages: {"role", "content"} in order; every assistant turn is learnt.
        group: examples of one group (a sentence skeleton, a bag) never lie on both sides of a split.
    """

    messages: tuple[dict[str, str], ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class TuningData:
    """Examples of both sides of a split, and what the adapter's card says about them."""

    train: list[Example]
    held_out: list[Example]
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of a conversation, and the same with everything but the answers as `IGNORED`."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def answers(self) -> int:
        """Tokens that carry loss."""
        return sum(label != IGNORED for label in self.labels)


def encode(example: Example, tokenizer: Any) -> Encoded:
    """Render with the model's own chat template, exactly as the service will.

    Raises:
        ValueError: no assistant turn, or the template rewrites earlier turns, so that answers cannot be told apart.
    """
    ids: list[int] = []
    labels: list[int] = []
    for number, message in enumerate(example.messages):
        if message["role"] != "assistant":
            continue
        prompt = _render(tokenizer, example.messages[:number], ask=True)
        whole = _render(tokenizer, example.messages[: number + 1], ask=False)
        if prompt[: len(ids)] != ids or whole[: len(prompt)] != prompt:
            raise ValueError("the chat template is not incremental: an answer changes what stands before it")
        labels += [IGNORED] * (len(prompt) - len(ids)) + whole[len(prompt) :]
        ids = whole
    if not ids:
        raise ValueError(f"an example of group {example.group!r} has no assistant turn")
    return Encoded(tuple(ids), tuple(labels))


def split_by_group(
    examples: Sequence[Example], held_out_share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """(training, held out); whole groups go to one side."""
    groups = sorted({example.group for example in examples})
    random.Random(seed).shuffle(groups)  # noqa: S311 - draws held-out groups, not secrets
    held = set(groups[: max(1, round(len(groups) * held_out_share))])
    return [e for e in examples if e.group not in held], [e for e in examples if e.group in held]


def batches(encoded: Sequence[Encoded], tokens: int, seed: int) -> Iterator[list[Encoded]]:
    """One epoch in batches of at most `tokens` padded tokens, examples of like length together.

    The order of batches is drawn from `seed`; an example longer than `tokens` is a batch of its own.
    """
    order = random.Random(seed)  # noqa: S311 - draws the order of examples, not secrets
    by_length = sorted(encoded, key=lambda e: (len(e.ids), order.random()))
    made: list[list[Encoded]] = []
    for item in by_length:
        if made and len(item.ids) * (len(made[-1]) + 1) <= tokens:
            made[-1].append(item)
        else:
            made.append([item])
    order.shuffle(made)
    yield from made


def _render(tokenizer: Any, messages: Sequence[dict[str, str]], *, ask: bool) -> list[int]:
    text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=ask)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
