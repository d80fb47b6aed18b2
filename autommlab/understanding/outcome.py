"""What comes out of understanding a text: a request and what is doubtful of it, or what to ask the person, and how."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import RequestError
from autommlab.common.wording import duration
from autommlab.tasks import Task
from autommlab.understanding.checks import Finding
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


class Doubt(BaseModel):
    """One field of a parse that is uncertain, or words of the text that it does not use.

    Attributes:
        field: as a correction names it, see `corrections.FIELDS`.
        about: words of the text, "" where it is about none.
        says: one sentence.
        choices: other values that the field may have, the likeliest first.
        answer: of the person: a correction such as "object: horse", "kept" where the parse is right as it is; "" where
            nobody has answered.
    """

    model_config = ConfigDict(frozen=True)

    field: str
    about: str = ""
    says: str
    choices: tuple[str, ...] = ()
    answer: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody has answered."""
        return not self.answer


class Understood(BaseModel):
    """A text that was understood; stored as `understanding.json` in a run folder.

    Attributes:
        text: of the person, with their answers to questions.
        request: what it asks for.
        effort: None where the parse came from a file.
        notes: what of the LLM's parse was left out or is doubtful, a sentence each.
        doubts: what a person should look at, with their answers where they were asked.
        unused: amounts and names of the text that no field of the request holds, as written, apart from the doubts.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    request: ModelRequest
    effort: Effort | None = None
    notes: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def open_doubts(self) -> tuple[Doubt, ...]:
        """Those that nobody has answered."""
        return tuple(doubt for doubt in self.doubts if doubt.is_open)

    def without_doubts(self, fields: set[str]) -> Understood:
        """The same where these fields are decided elsewhere."""
        return self.model_copy(update={"doubts": tuple(doubt for doubt in self.doubts if doubt.field not in fields)})

    def remarks(self) -> tuple[str, ...]:
        """Everything that is told beside the request itself, with the person's answers, a sentence each."""
        answered = [f"asked: {doubt.says}; answer: {doubt.answer}" for doubt in self.doubts if not doubt.is_open]
        unused = [f"not used of the text: {', '.join(self.unused)}"] if self.unused else []
        return (*self.warnings(), *answered, *unused)

    def warnings(self) -> tuple[str, ...]:
        """What a person should look at before anything is built on the parse."""
        looked_at = (*self.notes, *(f"uncertain: {doubt.says}" for doubt in self.open_doubts))
        if self.effort is None or self.effort.tuned:
            return looked_at
        return (
            "the service has no adapter for understanding requests; the untuned base model reads them poorly: "
            "check what was understood, or give the parse with --parse FILE",
            *looked_at,
        )


class Unclear(BaseModel):
    """A text that lacks something essential, or contradicts itself.

    Attributes:
        text: of the person.
        missing: "task", "object", or "task or metric" for a contradiction between the two.
        question: to the person.
        effort: what it took to find out.
        request: what was understood so far, which a correction completes; None where no task was.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    missing: tuple[str, ...]
    question: str
    effort: Effort
    request: ModelRequest | None = None


class UnclearRequest(RequestError):
    """`Unclear` where nobody can be asked; the text is the question."""

    def __init__(self, unclear: Unclear) -> None:
        super().__init__(f"the request is not clear yet. {unclear.question}")
        self.unclear = unclear


_TASKS = (
    "one label for the whole picture (classification), where things are (detection), their exact outlines "
    "(segmentation), or their joints or landmarks (keypoint)"
)
_EXAMPLE = 'For instance: "detect cats and dogs, mAP over 0.5, on a CPU".'
_DOES = {
    Task.CLASSIFICATION: "tell apart",
    Task.DETECTION: "find",
    Task.SEGMENTATION: "outline",
    Task.KEYPOINT: "find the points of",
}


def no_task() -> tuple[tuple[str, ...], str]:
    """(what is missing, question) where no task was understood; then nothing else of a parse counts either."""
    return ("task", "object"), f"What should the model tell of a picture, and of which things: {_TASKS}? {_EXAMPLE}"


def essentials(
    request: ModelRequest, problems: list[Finding], *, needs_object: bool = True
) -> tuple[tuple[str, ...], str] | None:
    """(what is missing, question), None where nothing is.

    Args:
        request: without what its text does not bear out.
        problems: what was found in the parse.
        needs_object: False where a data set was named elsewhere, whose classes then are the objects.
    """
    contradiction = next((problem for problem in problems if problem.field == "task"), None)
    if contradiction is not None:
        return ("task or metric",), f"Two things do not go together: {contradiction.says}. Which task is it: {_TASKS}?"
    if needs_object and not request.data.object and not request.data.specific:
        return ("object",), (
            f"Which things should the model {_DOES[request.model.task]} ({request.model.task})? Name them, "
            'for instance "cats and dogs", or name a data set.'
        )
    return None
