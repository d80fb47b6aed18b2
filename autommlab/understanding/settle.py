"""What is uncertain in a parse is asked, one field at a time; where nobody can answer it stays a warning, or stops."""

from __future__ import annotations

from autommlab.common.errors import RequestError
from autommlab.understanding.answer import NONE
from autommlab.understanding.corrections import corrected, field_named, value_of
from autommlab.understanding.outcome import Doubt, Understood
from autommlab.understanding.request import ModelRequest
from autommlab.understanding.understand import NOBODY, Ask, Lent

#: As a `Doubt.answer`: the person says that the parse is right.
KEPT = "kept"
#: Alternatives that are offered beside what was understood.
_MOST_CHOICES = 3
#: Times that an answer is asked for that cannot be used.
_MOST_TRIES = 3
#: Of each field, as a correction writes it.
EXAMPLE_VALUES = {
    "task": "detection", "object": "horse, dog", "scene": "street", "modality": "thermal", "data set": "COCO",
    "model": "ResNet-50", "speed": "20 ms", "flops": "5 GFLOPs", "parameters": "10 M", "metric": "mAP 0.6",
    "device": "cpu", "engine": "openvino",
}  # fmt: skip


class UncertainRequest(RequestError):
    """A parse that is not certain, where `--strict` asks for one that is."""

    def __init__(self, doubts: tuple[Doubt, ...]) -> None:
        listed = "\n".join(f"  {doubt.says}" for doubt in doubts)
        super().__init__(
            f"the request is uncertain in {len(doubts)} point(s), and --strict asks for none:\n{listed}\n"
            "Say these more plainly, answer at a terminal, or give the parse as a JSON file with --parse FILE"
        )
        self.doubts = doubts


def settled(outcome: Understood, lent: Lent = NOBODY) -> Understood:
    """The outcome with the person's corrections in its request, and their answers in its doubts.

    Args:
        outcome: of `understand`, with what options decide.
        lent: who asks and shows; without `ask` nothing is asked.

    Raises:
        UncertainRequest: one stays open, and `lent` is strict.
    """
    if outcome.open_doubts and lent.ask is not None:
        if lent.show is not None:
            lent.show(outcome)
        outcome = _asked(outcome, lent.ask)
    if lent.strict and outcome.open_doubts:
        raise UncertainRequest(outcome.open_doubts)
    return outcome


def _asked(outcome: Understood, ask: Ask) -> Understood:
    request, doubts = outcome.request, []
    corrections: dict[str, str] = {}
    for doubt in outcome.doubts:
        answer = doubt.answer or corrections.get(doubt.field, "")
        if not answer:
            request, answer = _answered(doubt, request, ask)
            if answer != KEPT:
                corrections[field_named(answer)] = answer
        doubts.append(doubt.model_copy(update={"answer": answer}))
    return outcome.model_copy(update={"request": request, "doubts": tuple(doubts)})


def _answered(doubt: Doubt, request: ModelRequest, ask: Ask) -> tuple[ModelRequest, str]:
    """(the request as the person wants it, the correction that says so or `KEPT`)."""
    offered = offers(doubt, request)
    problem = ""
    for _ in range(_MOST_TRIES):
        answer = ask(problem + question(doubt, request)).strip()
        if answer.isdigit() and 1 <= int(answer) <= len(offered):
            answer = offered[int(answer) - 1]
        if not answer or answer == KEPT:
            return request, KEPT
        line = answer if field_named(answer) else f"{doubt.field}: {answer}"
        try:
            return corrected(request, line), line
        except RequestError as error:
            problem = f"{error}\n"
    return request, KEPT


def offers(doubt: Doubt, request: ModelRequest) -> tuple[str, ...]:
    """What the numbers of a question stand for: corrections, the last one `KEPT`."""
    now = value_of(request, doubt.field)
    others = [choice for choice in doubt.choices if choice != now][:_MOST_CHOICES]
    return (*(f"{doubt.field}: {choice}" for choice in others), KEPT)


def question(doubt: Doubt, request: ModelRequest) -> str:
    """The doubt, numbered answers, and how to give another one."""
    now = value_of(request, doubt.field)
    *others, _ = offers(doubt, request)
    kept = f"{doubt.field}: {now}, as understood" if now != NONE else f"no {doubt.field}, as understood"
    lines = [f"  {number}  {line}" for number, line in enumerate((*others, kept), 1)]
    return "\n".join(
        (
            f"{doubt.says[:1].upper()}{doubt.says[1:]}. Which is right?",
            *lines,
            f'  or another value, such as "{EXAMPLE_VALUES[doubt.field]}", or another field, such as '
            '"object: horse" (empty = as understood)',
        )
    )
