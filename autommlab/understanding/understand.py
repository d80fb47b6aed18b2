"""The one entry from a person's sentence to a `ModelRequest`: from a file, or by the LLM, asking where it must."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autommlab.common.errors import RequestError
from autommlab.llm_service import connect, service_errors
from autommlab.tasks import Task
from autommlab.understanding.corrections import corrected, field_named
from autommlab.understanding.llm import Understander, with_doubts
from autommlab.understanding.outcome import Doubt, Unclear, UnclearRequest, Understood, essentials
from autommlab.understanding.request import ModelRequest
from autommlab.understanding.text import clean

#: Puts a question to the person, who may answer "".
Ask = Callable[[str], str]
#: Questions that a person is asked before a request is given up.
MOST_QUESTIONS = 3


@dataclass(frozen=True, slots=True)
class Lent:
    """What the caller lends to understanding.

    Attributes:
        ask: None where there is nobody to ask.
        tell: shows what is being done, a few words.
        meanwhile: useful work for the time that the service takes to start.
        show: shows the parse as a table before its doubts are asked about.
        strict: stop where a doubt stays open.
    """

    ask: Ask | None = None
    tell: Callable[[str], None] | None = None
    meanwhile: Callable[[], None] | None = None
    show: Callable[[Understood], None] | None = None
    strict: bool = False


NOBODY = Lent()


def understand(
    text: str,
    *,
    parse: Path | None = None,
    url: str | None = None,
    needs_object: bool = True,
    task: Task | None = None,
    lent: Lent = NOBODY,
) -> Understood:
    """The request behind `text`.

    Args:
        text: what the person wrote.
        parse: JSON file with the finished parse; the service is then not asked.
        url: of the LLM service; None takes the running one, and starts one where none runs.
        needs_object: False where the data set is named elsewhere.
        task: None where only the text tells it.
        lent: what the caller lends.

    Raises:
        RequestError: the parse is missing or invalid, or the text is no request.
        UnclearRequest: something essential is missing, and nobody answers.
        LLMServiceError: there is no service, none can be started, or it fails.
    """
    if parse is not None:
        return Understood(text=text, request=ModelRequest.read(parse))
    clean(text)  # what is no request should not start a service
    with service_errors():
        understander = Understander(connect(url, tell=lent.tell, meanwhile=lent.meanwhile))
        if lent.tell is not None:
            lent.tell("reading the request")
        outcome = understander.understand(text, needs_object=needs_object, task=task)
        for _ in range(MOST_QUESTIONS):
            if isinstance(outcome, Understood):
                break
            answer = _answer(outcome, lent.ask)
            if outcome.request is not None and field_named(answer):
                outcome = _completed(outcome, outcome.request, answer, needs_object=needs_object)
                continue
            text = f"{text.rstrip(' .')}. {answer}"
            outcome = understander.understand(text, needs_object=needs_object, task=task)
    if isinstance(outcome, Unclear):
        raise UnclearRequest(outcome)
    return outcome


def _answer(unclear: Unclear, ask: Ask | None) -> str:
    answer = ask(f"{unclear.question}\n(Empty to stop.)").strip() if ask is not None else ""
    if not answer:
        raise UnclearRequest(unclear)
    return answer


def _completed(unclear: Unclear, request: ModelRequest, line: str, *, needs_object: bool) -> Understood | Unclear:
    """The outcome once a correction has said what was missing; the LLM is not asked again."""
    try:
        request = corrected(request, line)
    except RequestError as error:
        return unclear.model_copy(update={"question": f"{error}\n{unclear.question}"})
    lacking = essentials(request, [], needs_object=needs_object)
    if lacking is not None:
        return unclear.model_copy(update={"missing": lacking[0], "question": lacking[1], "request": request})
    understood = with_doubts(Understood(text=unclear.text, request=request, effort=unclear.effort))
    answered = Doubt(field=field_named(line), says=unclear.question, answer=line)
    kept = understood.without_doubts({answered.field}).doubts
    return understood.model_copy(update={"doubts": (answered, *kept)})
