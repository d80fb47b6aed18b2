"""The one root class of everything this package raises for a person to read."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import process


class SearcherError(ValueError):
    """A name, option, configuration or state file that a searcher or scheduler cannot work with."""


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """One sentence for a `name` that is not among `known`: near matches, then all that is allowed."""
    close = [match[0] for match in process.extract(name, known, limit=3, score_cutoff=60)]
    hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
    return f"unknown {what} {name!r}.{hint} Known: {', '.join(known) or 'none'}."
