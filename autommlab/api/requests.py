"""`autommlab.understand`: a sentence read, nothing built."""

from __future__ import annotations

from dataclasses import replace

from autommlab.api.errors import our_errors
from autommlab.api.progress import Progress, told
from autommlab.progress.events import Events
from autommlab.understanding.outcome import Understood
from autommlab.understanding.settle import settled
from autommlab.understanding.understand import Ask
from autommlab.understanding.understand import understand as _understand


def understand(
    text: str,
    *,
    url: str | None = None,
    progress: Progress = False,
    ask: Ask | None = None,
    strict: bool = False,
) -> Understood:
    """What the LLM makes of a request; `run` takes what is returned in the place of a sentence.

    Args:
        text: what you want, in plain words.
        url: of the LLM service; None = the running one, else it is started: a minute or two, 5 GB of memory.
        progress, ask: as for `run`.
        strict: stop where something of the request stays uncertain.

    Returns:
        The `request`, its `doubts`, and which words of the text are `unused`.

    Raises:
        RequestError: the text is no request, is not clear and nobody answers, or is uncertain and `strict`.
        LLMServiceError: there is no service, none can be started, or it fails.
    """
    with our_errors(), told(progress, ask) as (events, person):
        lent = replace(person, tell=lambda doing: _tell(events, doing), strict=strict)
        return settled(_understand(text, url=url, lent=lent), lent)


def _tell(events: Events, doing: str) -> None:
    events.emit("progress", "understanding", doing)
