"""Triplets as the experience that the searcher `prior` and the LLM's fallback read."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

from autommlab.files import storage_errors, write_text
from searchers.experience import Experience
from training_data_gen.triplets.records import Triplet


def experience(triplet: Triplet) -> Experience:
    """The part of a triplet that a searcher may see: VAL only."""
    return Experience.model_validate(triplet.model_dump(include=set(Experience.model_fields)))


def learnable(triplets: Iterable[Triplet], *, without: Iterable[str] = ()) -> list[Triplet]:
    """Those that something may learn from: no held-out bag, none of the named data sets.

    Args:
        triplets: any.
        without: data sets to leave out, for the leave-one-dataset-out split.
    """
    gone = set(without)
    return [triplet for triplet in triplets if not triplet.held_out and triplet.bag.dataset not in gone]


def write_experience(triplets: Iterable[Triplet], path: Path, *, without: Iterable[str] = ()) -> Path:
    """An experience file (AUTOMMLAB_EXPERIENCE) of what may be learnt from, compressed if its name ends in ".gz".

    Raises:
        StorageError: the file cannot be written.
    """
    text = "".join(experience(t).model_dump_json() + "\n" for t in learnable(triplets, without=without))
    if path.suffix != ".gz":
        return write_text(path, text)
    with storage_errors(path):
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path
