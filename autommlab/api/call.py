"""One call of a run, of a new one or of one that goes on: read, checked, done."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autommlab import settings
from autommlab.api.arguments import Request, named_options, options_of
from autommlab.api.option_check import check_options
from autommlab.common.errors import RequestError, ResumeError
from autommlab.compare.records import require_no_comparison
from autommlab.options import RunOptions
from autommlab.pipeline import run as pipeline
from autommlab.pipeline.records import RunOutcome, RunPlan
from autommlab.progress.events import Events
from autommlab.storage.run_folder import RunFolder, default_folder
from autommlab.storage.run_target import RunTarget, Where, run_target
from autommlab.understanding.understand import NOBODY, Lent


@dataclass(frozen=True, slots=True)
class RunCall:
    """A call of a run whose options are looked at.

    Attributes:
        options: of the run, as its folder stores them.
        out: folder or URI of a new run; "" = `runs/<time>-<request>`.
        known: the run that goes on; None = a new one.
        address: of a Ray cluster.
        priority: weight against other requests on the same cluster.
        strict: stop where something of the request stays uncertain.
    """

    options: RunOptions
    out: str = ""
    known: RunTarget | None = None
    address: str | None = None
    priority: int = 1
    strict: bool = False

    def target(self) -> RunTarget:
        """The place of the run; what a storage holds of it is fetched."""
        return self.known or run_target(self.out or str(default_folder(self.options.text)))

    def plan(self, events: Events, person: Lent = NOBODY) -> RunPlan:
        """The stages before training; nothing is kept.

        Raises:
            AutoMMLabError: a stage failed.
        """
        with tempfile.TemporaryDirectory(prefix="autommlab-plan-") as scratch:
            where = Where(self.address, priority=self.priority)
            return pipeline.plan(self.options, Path(scratch), events, where=where, person=self._asked(person))

    def execute(self, target: RunTarget, events: Events, person: Lent = NOBODY) -> RunOutcome:
        """All stages.

        Args:
            target: of this call, see there.
            events: who is told.
            person: how they are asked about an unclear request.

        Raises:
            AutoMMLabError: a stage failed; what is finished stays.
        """
        where = Where(self.address, target.mirror, self.priority)
        return pipeline.run_pipeline(self.options, target.folder, events, where=where, person=self._asked(person))

    def _asked(self, person: Lent) -> Lent:
        return replace(person, strict=person.strict or self.strict)


def read_call(request: Request, arguments: Mapping[str, Any], *, resume: str = "") -> RunCall:
    """The call that these arguments are, looked at before anything starts.

    Args:
        request: "" where a run goes on.
        arguments: as `RunArguments`.
        resume: folder or URI of the run that goes on; "" = a new one.

    Raises:
        AutoMMLabError: the only problem of the arguments, or a RequestError that lists all of them.
    """
    given, problems = named_options(request, arguments)
    out, address, priority = arguments.get("out"), arguments.get("address"), arguments.get("priority")
    if priority is not None and not 1 <= priority <= settings.MOST_PRIORITY:
        problems.append(RequestError(f"--priority is {priority}; it takes a number from 1 to {settings.MOST_PRIORITY}"))
    if resume and out:
        raise RequestError(f"--resume {resume} goes on in its own place; leave out --out {out}")
    known = run_target(resume, resume=True) if resume else None
    options = options_of(given) if known is None else _over_stored(given, known)
    # A run that goes on has its text and files read already; they may be gone.
    check_options(options if known is None else _changeable(options), address, problems)
    return RunCall(
        options,
        out=str(out or ""),
        known=known,
        address=address,
        priority=priority or 1,
        strict=bool(arguments.get("strict")),
    )


def _over_stored(given: dict[str, Any], known: RunTarget) -> RunOptions:
    """What is given, over the options of the run to go on with.

    Raises:
        ResumeError: the run to go on with is another one; or it is none.
    """
    require_no_comparison(known.folder)
    stored = RunFolder(known.folder).options()
    if given.get("searcher", stored.searcher) != stored.searcher:
        given = {"searcher_options": (), **given}  # the other's options are its own
    options = options_of({**dict(stored), **given})
    refused = stored.differences(options).refused
    if refused:
        raise ResumeError(
            f"{known.name} holds a run with other settings:\n  " + "\n  ".join(refused) + "\n"
            "Leave them out to go on with it, or start a new run with --out"
        )
    return options


def _changeable(options: RunOptions) -> RunOptions:
    """The options without those that only a new run looks at."""
    return options.model_copy(update={"text": "as before", "parse": None, "data": None, "weights": None})
