"""Errors that a person is meant to read.

Every class here is raised for something the user can act on; the command line
prints its text without a traceback and exits with `exit_code`.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rapidfuzz import process

if TYPE_CHECKING:
    from pydantic import ValidationError

logger = logging.getLogger(__name__)


class AutoMMLabError(Exception):
    """Root of all errors of this project.

    Attributes:
        exit_code: what the command line returns.
        may_pass: going on with the run may help: what stopped it lies outside of its request and its data.
    """

    exit_code = 1
    may_pass = False


class RequestError(AutoMMLabError):
    """The request or its parse is malformed, incomplete or contradictory."""

    exit_code = 2


class SearcherError(RequestError, ValueError):
    """A name, option, configuration or state file that a searcher or scheduler cannot work with."""


class UntrustedSnapshot(SearcherError):
    """A study's state that somebody else wrote, or changed; to restore it could run what is pickled in it."""


class DataError(AutoMMLabError):
    """A data set is missing, broken, or does not hold the classes asked for."""

    exit_code = 3


class ModelError(AutoMMLabError):
    """No model of the zoo fits the request, or the chosen one cannot be built."""

    exit_code = 4


class TrainingError(AutoMMLabError):
    """A study cannot start, or all of its trials failed."""

    exit_code = 5
    may_pass = True


class NoResultError(TrainingError):
    """Not one trial of a study has a result: all failed, or none finished in time."""


class DeploymentError(AutoMMLabError):
    """No engine could take the trained model."""

    exit_code = 6


class StorageError(AutoMMLabError):
    """A folder, storage or model hub cannot be written: read-only, full, in use, or not yours."""

    exit_code = 7
    may_pass = True


class ResumeError(AutoMMLabError):
    """A run folder does not match the settings it is asked to go on with."""

    exit_code = 8


class UnfinishedError(ResumeError):
    """A run lacks what one of its later stages makes."""


class LLMServiceError(AutoMMLabError):
    """The LLM service cannot be reached, cannot be started, or fails."""

    exit_code = 9
    may_pass = True


class ModelServiceError(AutoMMLabError):
    """The service of `serve-model` cannot start, or was lost."""

    exit_code = 9
    may_pass = True


class JobError(AutoMMLabError):
    """A job of a Ray cluster cannot be submitted, found or watched, or it failed."""

    exit_code = 10


class UnmetError(AutoMMLabError):
    """A finished run misses a requirement that was asked for with `--require`."""

    exit_code = 11


class TrackerError(AutoMMLabError):
    """A tracker (`--track`, `--optuna-storage`) is not installed, cannot be reached, or does not take the run."""

    exit_code = 12
    may_pass = True


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The `limit` entries of `known` that look most like `name`, best first."""
    return [str(match[0]) for match in process.extract(name, list(known), limit=limit, score_cutoff=50)]


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """A sentence for a name that is not among `known`: the value, near matches, all allowed."""
    close = nearest(name, known)
    hint = f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
    return f"unknown {what} {name!r}.{hint} Known: {', '.join(known) or 'none'}."


def shown_value(value: object) -> str:
    """`repr` of a value from outside, whatever it is: Python writes no integers of more than some thousand digits."""
    try:
        return repr(value)
    except (ValueError, RecursionError):
        return f"a value of type {type(value).__name__}, too large to be shown"


def invalid(error: ValidationError) -> str:
    """What pydantic found, in one line: "samples = 0: input should be greater than or equal to 1; seed is missing"."""
    found = []
    for problem in error.errors():
        where, said = ".".join(map(str, problem["loc"])) or "value", problem["msg"]
        value = f"{where} = {shown_value(problem['input'])[:60]}: {said[:1].lower()}{said[1:]}"
        found.append(f"{where} is missing" if problem["type"] == "missing" else value)
    return "; ".join(found)


@functools.cache
def tell_renamed(what: str, old: str, new: str) -> None:
    """The notice, once a process, that an old name still works."""
    logger.warning("%s %r is now called %r; the old name goes with the next release", what, old, new)
