"""The seam between a person's sentence and a `ModelRequest`.

RU-LLaMA, served by `serve/`, is to answer here. Until that service exists, a
sentence alone cannot be understood, and nothing else pretends to.
"""

from __future__ import annotations

from pathlib import Path

from autommlab.errors import RequestError
from autommlab.understanding.request import ModelRequest


def understand(text: str, *, parse: Path | None = None) -> ModelRequest:
    """The request behind `text`.

    Args:
        text: what the person wrote.
        parse: JSON file with the finished parse; the service is then not asked.

    Raises:
        RequestError: the parse is missing or invalid, or there is none and no service to make one.
    """
    if parse is not None:
        return ModelRequest.read(parse)
    if not text.strip():
        raise RequestError('the request is empty; say what the model has to do, for instance "detect cats and dogs"')
    raise RequestError(
        "understanding a sentence needs the LLM service, which this version does not have yet; "
        "give the parse as a JSON file with --parse FILE (examples: autommlab/examples/*.json)"
    )
