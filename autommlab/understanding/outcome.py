"""What comes out of understanding a text: a request, or what to ask the person."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import RequestError
from autommlab.common.wording import duration
from autommlab.understanding.request import ModelRequest


class Effort(BaseModel):
    """What the LLM was asked and what that took.

    Attributes:
        model: the adapter or base model that answered.
        tuned: `model` is an adapter made for this; a base model understands poorly.
        calls: how often it was asked, 2 where the first answer did not fit the text.
        prompt_tokens, tokens: read and generated in all calls.
        seconds: of all calls.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    tuned: bool
    calls: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def in_words(self) -> str:
        """One line for a person."""
        who = f"the adapter {self.model!r}" if self.tuned else f"the base model {self.model!r}"
        tries = "" if self.calls <= 1 else f", asked {self.calls} times"
        return f"read by {who} in {duration(self.seconds)}, {self.prompt_tokens} + {self.tokens} tokens{tries}"


class Understood(BaseModel):
    """A text that was understood; stored as `understanding.json` in a run folder.

    Attributes:
        text: of the person, with their answers to questions.
        request: what it asks for.
        effort: None where the parse came from a file.
        notes: what of the LLM's parse was left out or is doubtful, a sentence each.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    request: ModelRequest
    effort: Effort | None = None
    notes: tuple[str, ...] = ()

    def warnings(self) -> tuple[str, ...]:
        """What a person should look at before anything is built on the parse."""
        if self.effort is None or self.effort.tuned:
            return self.notes
        return (
            "the service has no adapter for understanding requests; the untuned base model reads them poorly: "
            "check what was understood, or give the parse with --parse FILE",
            *self.notes,
        )


class Unclear(BaseModel):
    """A text that lacks something essential, or contradicts itself.

    Attributes:
        text: of the person.
        missing: "task", "object", or "task or metric" for a contradiction between the two.
        question: to the person.
        effort: what it took to find out.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    missing: tuple[str, ...]
    question: str
    effort: Effort


class UnclearRequest(RequestError):
    """`Unclear` where nobody can be asked; the text is the question."""

    def __init__(self, unclear: Unclear) -> None:
        super().__init__(f"the request is not clear yet. {unclear.question}")
        self.unclear = unclear
