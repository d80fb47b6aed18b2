"""The requests written by hand: the stock that everything else is composed from."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from autommlab.understanding.request import ModelRequest

FOLDER = Path(__file__).with_name("handwritten")


@dataclass(frozen=True, slots=True)
class Written:
    """One handwritten request.

    Attributes:
        id: unique, and the name of the skeleton that the request becomes.
        voice: of the imagined author.
        text, parse: what the person wrote, and what it means.
    """

    id: str
    voice: str
    text: str
    parse: ModelRequest


@functools.cache
def corpus() -> tuple[Written, ...]:
    """All handwritten requests, in the order of their ids.

    Raises:
        RequestError: a parse is not valid.
    """
    lines = (line for file in sorted(FOLDER.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines())
    rows = [json.loads(line) for line in lines if line.strip()]
    made = [Written(row["id"], row["voice"], row["request"], ModelRequest.parse(row["parse"])) for row in rows]
    return tuple(sorted(made, key=lambda one: one.id))
