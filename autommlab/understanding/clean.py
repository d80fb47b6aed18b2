"""What a person typed, made fit for a prompt; what is no request at all is refused here, without the LLM."""

from __future__ import annotations

import re
import unicodedata

from autommlab import settings
from autommlab.errors import RequestError

_EXAMPLE = 'for instance "detect cats and dogs, mAP over 0.5, on a CPU"'
_MARKUP = re.compile(r"<(?=[^\s<])|\[(?=/?[A-Z_]{2,}\])")


def clean(text: str) -> str:
    """The text on single spaces, without control codes, and unable to end its own turn of the conversation.

    Chat templates mark turns by tokens such as "<|im_end|>" or "[INST]", and tokenisers take them for
    what they look like even inside a person's text. A space after the bracket keeps them plain text.

    Raises:
        RequestError: nothing but white space or punctuation, or longer than a request can be.
    """
    printable = "".join(char if char.isprintable() else " " for char in unicodedata.normalize("NFC", text))
    flat = " ".join(printable.split())
    if not flat:
        raise RequestError(f"the request is empty; say what the model has to do, {_EXAMPLE}")
    if len(flat) > settings.MAX_REQUEST_CHARACTERS:
        raise RequestError(
            f"the request has {len(flat):,} characters, at most {settings.MAX_REQUEST_CHARACTERS:,} are read; "
            f"say in a few sentences what the model has to do, {_EXAMPLE}"
        )
    if sum(char.isalpha() for char in flat) < 2:
        shown = flat if len(flat) <= 40 else flat[:40] + "..."
        raise RequestError(f"the request {shown!r} has no words; say what the model has to do, {_EXAMPLE}")
    return _MARKUP.sub(lambda bracket: bracket.group() + " ", flat)
