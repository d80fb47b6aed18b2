"""A text becomes a request: a constrained answer of the LLM, checked against the text, and others if need be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from autommlab import settings
from autommlab.common.errors import RequestError
from autommlab.tasks import Task
from autommlab.understanding import outcome as questions
from autommlab.understanding.answer import NoTask, answer_schema, parse_answer
from autommlab.understanding.checks import Finding, findings, repaired
from autommlab.understanding.copying import phrases, shared_nouns
from autommlab.understanding.outcome import Effort, Unclear, Understood
from autommlab.understanding.prompt import Message, messages, retry
from autommlab.understanding.request import ModelRequest
from autommlab.understanding.reverse_check.check import doubts, not_used
from autommlab.understanding.reverse_check.jobs import other_language
from autommlab.understanding.text import clean, with_lower_ends

if TYPE_CHECKING:
    from serve.client import ServiceClient

#: The adapter that is made for this; "ru" = request understanding.
ADAPTER = "ru"
CUT_OFF = "the answer was too long and was cut off"
#: HTTP status of a prompt that does not fit; every other refusal concerns the service, not the text.
_TOO_LONG = 400


class Understander:
    """Understands texts through one service; may be shared by threads.

    Args:
        client: of the service.
        model: who answers; None takes the adapter "ru", without it the base model.
        examples: shown to a base model before the text; without them it is asked zero-shot.

    Raises:
        ServiceError: the service does not tell its models.
    """

    def __init__(self, client: ServiceClient, model: str | None = None, *, examples: bool = True) -> None:
        served = client.models(timeout_s=settings.SERVICE_PROBE_TIMEOUT_S)
        self._client = client
        self.model = model or (ADAPTER if ADAPTER in served or not served else served[0])
        #: Every name but the first is an adapter's.
        self.tuned = self.model not in served[:1]
        self._examples = examples

    def understand(self, text: str, *, needs_object: bool = True, task: Task | None = None) -> Understood | Unclear:
        """The request behind `text`, or what to ask.

        Args:
            text: as the person wrote it.
            needs_object: False where the data set is known from elsewhere.
            task: where it is known from elsewhere; the answer's own does not count then.

        Raises:
            RequestError: the text is no request at all (see `clean`), or the LLM gave no usable answer twice.
            ServiceError: see the classes in `serve.errors`.
        """
        said = clean(text)
        conversation = messages(said, tuned=self.tuned, examples=self._examples)
        effort = Effort(model=self.model, tuned=self.tuned)
        schema = answer_schema(phrases(said), shared_nouns(said))
        (answer,), effort = self._ask(conversation, schema, _FIRST, effort)
        read = _read(answer, said, task)
        if not all(problem.plain for problem in read.problems):
            again, sampling = conversation, _OTHERS
            if not self.tuned:
                again, sampling = retry(conversation, answer or "", [problem.says for problem in read.problems]), _FIRST
            try:
                others, effort = self._ask(again, schema, sampling, effort)
                read = min((*(_read(other, said, task) for other in others), read), key=_Read.faults)
            except RequestError:
                # The longer conversation is more than the service takes; a usable first answer is not lost by that.
                if read.request is None:
                    raise
        return _outcome(said, read, effort, needs_object=needs_object)

    def understand_many(
        self, texts: Iterable[str], *, concurrent: int
    ) -> Iterator[Understood | Unclear | RequestError]:
        """Each text's outcome in order, `concurrent` of them asked for at once.

        A text that is no request gives its error as outcome.

        Raises:
            ServiceError: the service went away; the outcomes so far have been given.
        """
        with ThreadPoolExecutor(concurrent) as pool:
            try:
                yield from pool.map(self._outcome_or_error, texts)
            finally:
                pool.shutdown(cancel_futures=True)

    def _outcome_or_error(self, text: str) -> Understood | Unclear | RequestError:
        try:
            return self.understand(text)
        except RequestError as error:
            return error

    def _ask(
        self, conversation: list[Message], schema: dict[str, Any], sampling: _Draw, effort: Effort
    ) -> tuple[list[str | None], Effort]:
        """(answers, the likeliest first, None for one that is not complete; effort so far)."""
        from serve.client import Sampling
        from serve.errors import ServiceRefused

        try:
            given = self._client.chat(
                conversation,
                model=self.model,
                schema=schema,
                sampling=Sampling(
                    samples=sampling.samples,
                    temperature=sampling.temperature,
                    seed=1,
                    max_tokens=settings.UNDERSTANDING_MAX_TOKENS,
                ),
                timeout_s=settings.UNDERSTANDING_TIMEOUT_S,
            )
        except ServiceRefused as error:
            if getattr(error.__cause__, "status_code", _TOO_LONG) != _TOO_LONG:
                raise
            raise RequestError(
                f"the LLM service did not take the request: {error}. If it is long, say it in a few sentences"
            ) from error
        ranked = sorted(given.samples, key=lambda sample: -(sample.logprob or 0.0))
        spent = effort.model_copy(
            update={
                "calls": effort.calls + 1,
                "prompt_tokens": effort.prompt_tokens + given.prompt_tokens,
                "tokens": effort.tokens + given.tokens,
                "seconds": round(effort.seconds + given.seconds, 3),
            }
        )
        return [sample.text if sample.complete else None for sample in ranked], spent


class _Draw(NamedTuple):
    samples: int
    temperature: float


_FIRST = _Draw(1, 0.0)
#: An adapter has learnt no second round of a conversation. On the development requests the round told what was wrong
#: made 91.3 % of the keys right, other samples, of which the one with the fewest findings counts, 95.9 %.
_OTHERS = _Draw(settings.UNDERSTANDING_SAMPLES, 0.7)


@dataclass(frozen=True, slots=True)
class _Read:
    """What one answer says: a request and what is wrong with it, or nothing usable."""

    request: ModelRequest | None
    problems: tuple[Finding, ...] = ()
    no_task: bool = False

    def faults(self) -> float:
        return len(self.problems) if self.request is not None or self.no_task else float("inf")


def _read(answer: str | None, text: str, task: Task | None) -> _Read:
    if answer is None:
        return _Read(None, (Finding("answer", "", CUT_OFF),))
    try:
        request = with_lower_ends(tidy(parse_answer(answer)), text)
    except NoTask:
        if task is None:
            return _Read(None, no_task=True)
        request = ModelRequest.parse({"data": {}, "model": {"task": task}})
    except RequestError as error:
        return _Read(None, (Finding("answer", "", str(error)),))
    if task is None:
        return _Read(request, tuple(findings(text, request)))
    request = with_task(request, task)
    # A figure or a model of another task is no contradiction then: the task is not in question.
    return _Read(request, tuple(found for found in findings(text, request) if found.field != "task"))


def _outcome(text: str, read: _Read, effort: Effort, *, needs_object: bool) -> Understood | Unclear:
    problems = list(read.problems)
    if read.no_task:
        missing, question = questions.no_task()
        return Unclear(text=text, missing=missing, question=_in_english(text, question), effort=effort)
    if read.request is None:
        raise RequestError(
            f"the LLM ({effort.model}) gave no usable answer in {effort.calls} tries: "
            f"{'; '.join(problem.says for problem in problems)}. Say it in other words, "
            "or give the parse as a JSON file with --parse FILE"
        )
    request = described(repaired(read.request, problems), text)
    lacking = questions.essentials(request, problems, needs_object=needs_object)
    if lacking is not None:
        question = _in_english(text, lacking[1])
        return Unclear(text=text, missing=lacking[0], question=question, effort=effort, request=request)
    notes = tuple(f"left out of the parse: {problem.says}" for problem in problems)
    return with_doubts(Understood(text=text, request=request, effort=effort, notes=notes))


def _in_english(text: str, question: str) -> str:
    hint = other_language(text)
    return f"{hint[:1].upper()}{hint[1:]}. {question}" if hint else question


def with_doubts(outcome: Understood) -> Understood:
    """The outcome with what its text asks for and its request does not hold."""
    doubted = doubts(outcome.text, outcome.request)
    unused = not_used(outcome.text, outcome.request, doubted)
    return outcome.model_copy(update={"doubts": doubted, "unused": unused})


def tidy(request: ModelRequest) -> ModelRequest:
    """The request without blank names and repetitions, which a small model likes to make."""
    data, model = request.data, request.model
    update = {"object": _distinct(data.object), "specific": _distinct(data.specific)}
    metrics = tuple(dict.fromkeys(model.metrics))
    return request.model_copy(
        update={"data": data.model_copy(update=update), "model": model.model_copy(update={"metrics": metrics})}
    )


def with_task(request: ModelRequest, task: Task) -> ModelRequest:
    """The request for another task."""
    return request.model_copy(update={"model": request.model.model_copy(update={"task": task})})


def described(request: ModelRequest, text: str) -> ModelRequest:
    """The request with the person's first sentence as its descriptions: nothing tells it better."""
    sentence = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    if len(sentence) > settings.DESCRIPTION_CHARACTERS:
        sentence = sentence[: settings.DESCRIPTION_CHARACTERS].rsplit(" ", 1)[0] + " ..."
    return request.model_copy(
        update={
            "data": request.data.model_copy(update={"description": sentence}),
            "model": request.model.model_copy(update={"description": sentence}),
        }
    )


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    seen: dict[str, str] = {}
    for name in (" ".join(name.split()) for name in names):
        if name:
            seen.setdefault(name.casefold(), name)
    return tuple(seen.values())
