"""The one sentence that a reader wants first: is it what was asked for?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from autommlab.data.embedded import of_drawings
from autommlab.report.content import ReportContent

State = Literal["met", "partly", "not-met", "unfinished", "failed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a run.

    Attributes:
        title: a few words.
        details: sentences that say why.
    """

    state: State
    title: str
    details: tuple[str, ...] = ()


def verdict(content: ReportContent) -> Verdict:
    """Judge a run by its own figures: trials, the deployment check, and the limits of the request."""
    found = _judged(content)
    words = of_drawings(content.bag) if content.bag is not None else ""
    return replace(found, details=(*found.details, words)) if words else found


def _judged(content: ReportContent) -> Verdict:
    if content.deployment is None:
        return _without_deployment(content)
    check = content.deployment.verification
    missed = [
        f"{limit.name}: {limit.wanted} asked, {limit.got} measured{limit.doubt}"
        for limit in content.deployment.limits
        if limit.holds is False
    ]
    if content.deployment.asked not in ("none", content.deployment.engine):
        missed.append(f"engine: {content.deployment.asked} asked, {content.deployment.engine} delivered")
    if not check.agrees:
        missed.append(
            f"the exported model differs from PyTorch: outputs by up to {check.difference_in_words}, "
            f"{check.metric} {check.bundle_metric:.3f} against {check.torch_metric:.3f} "
            f"({check.metric_tolerance:.2g} allowed)"
        )
    if missed:
        return Verdict("not-met", "Delivered, but not all that was asked", tuple(missed))
    unmeasured = [limit for limit in content.deployment.limits if limit.holds is None]
    if unmeasured:
        details = tuple(f"{limit.name}: {limit.wanted} asked, {limit.got}" for limit in unmeasured)
        return Verdict("partly", "Every measured demand is met", details)
    if not content.deployment.limits:
        return Verdict("met", "Delivered", ("The request set no limits.",))
    doubtful = tuple(f"{limit.name}: {limit.got}{limit.doubt}" for limit in content.deployment.limits if limit.unsure)
    return Verdict("met", "Every demand is met", doubtful)


def _without_deployment(content: ReportContent) -> Verdict:
    why = (content.problem,) if content.problem else ()
    trials = content.all_trials
    if trials and content.best is None:
        kinds = sorted({trial.status for trial in trials})
        return Verdict("failed", f"All {len(trials)} trials failed ({', '.join(kinds)})", why)
    if content.problem:
        return Verdict("failed", f"Stopped before {_next_stage(content)}", why)
    return Verdict("unfinished", f"Unfinished: {_next_stage(content)} comes next", why)


def _next_stage(content: ReportContent) -> str:
    reached = (
        ("understanding", content.request),
        ("data selection", content.bag),
        ("model selection", content.choice),
        ("the end of training", content.study),
    )
    return next((stage for stage, record in reached if record is None), "deployment")
