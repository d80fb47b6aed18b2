"""The requests written by hand: the stock that everything else is composed from."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    made = [
        Written(row["id"], row["voice"], row["request"], ModelRequest.parse(row["parse"]))
        for row in _rows()
        if row["parse"] is not None
    ]
    return tuple(sorted(made, key=lambda one: one.id))


@functools.cache
def without_task() -> tuple[str, ...]:
    """Handwritten texts that ask for no vision model, in the order of their ids; their parse is null."""
    return tuple(row["request"] for row in sorted(_rows(), key=lambda row: str(row["id"])) if row["parse"] is None)


def corpus_digest() -> str:
    """SHA-256 over ids, texts and labels of the handwritten requests: another one means other training data."""
    kept = sorted((row["id"], row["request"], row["parse"]) for row in _rows())
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _rows() -> list[dict[str, Any]]:
    lines = (line for file in sorted(FOLDER.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines())
    return [json.loads(line) for line in lines if line.strip()]
