"""Chooses a model for a request: hard limits first, then weights at hand, then weight or score for its cost.

A profile with a GPU has iterations and a time, so a heavier model is paid for with steps. Of the models whose published
score is within `NEAR_BEST` of the best one that fits, it takes the one with the fewest operations a picture. Scores
count only where they were reached with at most `MOST_PIXELS` times the profile's pixels.

Published figures only sort out and order the candidates; the chosen one is built for the bag's
classes and input size, and what is measured on it decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from autommlab.common.errors import ModelError, RequestError
from autommlab.data.records import Bag
from autommlab.models import names, zoo
from autommlab.models.limits import (
    Figures,
    Limit,
    broken,
    hopeless,
    limits_of_profile,
    limits_of_request,
    measured_figures,
    named_breaks_limits,
    none_fits,
    published,
    why_over,
)
from autommlab.models.records import Measured, ModelChoice, ModelEntry, Pretrained, Rejection
from autommlab.models.zoo_names import split_name
from autommlab.progress.events import Events
from autommlab.settings import Profile
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest

MeasureModel = Callable[[ModelEntry, Bag, tuple[int, int]], Measured]
ResolveWeights = Callable[[ModelEntry, Path | None], Pretrained]

#: Most candidates that are built and measured before giving up.
MOST_MEASURED = 8
#: After so many that were too slow, the lightest remaining one is tried next.
_PATIENCE_WITH_SLOW = 3
_RUNNERS_UP = 3
#: Part of the best published score that may be given up for a cheaper model: (score, mAP, mIoU, AP) * 0.95 and above.
NEAR_BEST = 0.05
#: How many times the profile's pixels a model may have been scored at: at 640 px no detector is what it is at 1333.
MOST_PIXELS = 2.0
#: Families that train but cannot be delivered, and why: taken only where they are named, with a warning.
_NO_BUNDLE = {"Mask2Former": "its ONNX file needs MMDeploy's operator grid_sampler, which ONNX Runtime does not have"}
_BENCHMARKS = ("ImageNet-1k", "COCO", "Cityscapes")


def select_model(
    request: ModelRequest,
    bag: Bag,
    *,
    profile: Profile,
    weights: Path | None = None,
    model: str | None = None,
    events: Events | None = None,
    measure_model: MeasureModel | None = None,
    resolve_weights: ResolveWeights | None = None,
) -> ModelChoice:
    """The model to train for this request on this bag.

    Args:
        request: its limits hold in any case.
        bag: its classes and task shape the model that is measured.
        profile: gives the input size; its own bounds hold unless a model is named.
        weights: a checkpoint file for the chosen model; where none is named, the model that it is of is taken.
        model: a name that overrides the request's `specific_model`.
        events: told about each measurement, and once if training starts from scratch.
        measure_model, resolve_weights: default to `measure.measure` and `weights.resolve`.

    Raises:
        ModelError: unknown name, or no candidate fits; says which limit excludes how many and
            the nearest that would fit.
        RequestError: request and bag are of different tasks.
    """
    if request.model.task is not bag.task:
        raise RequestError(f"the request is for {request.model.task}, the bag for {bag.task}: build the bag again")
    asked = request.model.specific_model
    named = model or (asked if asked.lower() != "none" else None)
    by_weights = weights is not None and named is None and resolve_weights is None
    limits = limits_of_request(request) + (() if named or by_weights else limits_of_profile(profile))
    search = _Search(bag, profile, limits, weights, events or Events(), measure_model, resolve_weights, named)
    if by_weights:
        search.find_model_of_weights()
    entry, measured = search.run()
    pretrained = search.resolve(entry, weights)
    if entry.family in _NO_BUNDLE:
        told = f"{entry.title} trains, but the run will fail at deployment: {_NO_BUNDLE[entry.family]}"
        search.events.emit("warning", "model", told)
    if pretrained.kind == "none":
        search.events.emit("warning", "model", f"{entry.title} trains from scratch: {pretrained.reason}")
    return ModelChoice(
        entry=entry,
        input_size=search.input_size,
        measured=measured,
        pretrained=pretrained,
        reasons=search.reasons(entry, measured, pretrained),
        runners_up=search.runners_up(),
        rejected=tuple(search.rejected),
    )


@dataclass
class _Search:
    """One selection: the candidates left, what was rejected, what was measured."""

    bag: Bag
    profile: Profile
    limits: tuple[Limit, ...]
    weights: Path | None
    events: Events
    measure_model: MeasureModel | None
    resolve_weights: ResolveWeights | None
    named: str | None
    rejected: list[Rejection] = field(default_factory=list)
    measured: dict[str, Figures] = field(default_factory=dict)
    remaining: list[ModelEntry] = field(default_factory=list)
    too_slow: list[ModelEntry] = field(default_factory=list)
    of_weights: ModelEntry | None = None
    near_best: dict[str, float] = field(default_factory=dict)
    considered: int = 0

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of training and inference."""
        return self.profile.tasks[self.bag.task].input_size

    def run(self) -> tuple[ModelEntry, Measured]:
        """Measure candidates in order until one holds every limit."""
        candidates = self._candidates()
        self.considered = len(candidates)
        self.remaining = [entry for entry in candidates if not self._sorted_out(entry)]
        for _ in range(MOST_MEASURED):
            entry = self._next()
            if entry is None:
                break
            measured = self._measure(entry)
            if measured is not None:
                return entry, measured
        told = (candidates, self.limits, self.measured, self.rejected, self.input_size)
        raise named_breaks_limits(self.named, *told) if self.named else none_fits(*told)

    def find_model_of_weights(self) -> None:
        """Let the given file say which model is taken."""
        from autommlab.models.weights_fit import model_of

        assert self.weights is not None  # noqa: S101
        self.of_weights, fit = model_of(self.weights, self.bag, self.input_size, self._tell)
        told = f"{self.weights.name} is of {self.of_weights.title} ({self.of_weights.name})"
        self.events.emit("note", "model", f"{told}: {fit.in_words('it')}")

    def _tell(self, words: str) -> None:
        self.events.emit("progress", "model", words)

    def _candidates(self) -> list[ModelEntry]:
        """In order of preference: the given file's model, matches of the name, or the task's zoo by weight or score."""
        if self.of_weights is not None:
            return [self.of_weights]
        if self.named:
            return _called(self.named, self.bag.task, self.profile.prefer_light)
        entries = zoo.entries(self.bag.task)
        over = {entry.name: bool(broken(self.limits, self._published(entry))) for entry in entries}
        if self.profile.prefer_light:
            return sorted(entries, key=lambda entry: (over[entry.name], _weight(entry)))
        self.near_best = self._near_best([entry for entry in entries if not over[entry.name]])
        return sorted(entries, key=lambda e: (over[e.name], self.near_best.get(e.name, float("inf")), _by_score(e)))

    def _near_best(self, fitting: list[ModelEntry]) -> dict[str, float]:
        """GFLOPs of the models by name whose score is nearly the best; see the module's docstring."""
        width, height = self.input_size
        compared: dict[str, tuple[float, float]] = {}
        for entry in fitting:
            cost = self._published(entry).flops_g
            if (
                cost is None
                or entry.score is None
                or entry.input_size is None
                or entry.score_dataset not in _BENCHMARKS
            ):
                continue
            if entry.input_size[0] * entry.input_size[1] <= MOST_PIXELS * width * height:
                compared[entry.name] = entry.score, cost
        best = max((score for score, _ in compared.values()), default=0.0)
        return {name: cost for name, (score, cost) in compared.items() if score >= (1 - NEAR_BEST) * best}

    def _published(self, entry: ModelEntry) -> Figures:
        return published(entry, self.input_size)

    def _sorted_out(self, entry: ModelEntry) -> bool:
        if entry.family in _NO_BUNDLE and not self.named and self.of_weights is None:
            self._reject(entry, f"it cannot be delivered: {_NO_BUNDLE[entry.family]}")
            return True
        over = hopeless(self.limits, entry, self.input_size)
        if over:
            self._reject(entry, why_over(over, self._published(entry), "published figures say"))
        return bool(over)

    def _next(self) -> ModelEntry | None:
        """Take the most preferred candidate with weights at hand, without any if there is none."""
        self.remaining = [entry for entry in self.remaining if not self._surely_slow(entry)]
        if len(self.too_slow) >= _PATIENCE_WITH_SLOW:
            self.remaining.sort(key=lambda entry: self._published(entry).flops_g or float("inf"))
        if not self.remaining:
            return None
        ready = self.remaining[0] if self.named else next(filter(self._has_weights, self.remaining), self.remaining[0])
        self.remaining.remove(ready)
        return ready

    def _surely_slow(self, entry: ModelEntry) -> bool:
        flops_g = self._published(entry).flops_g
        for slow in self.too_slow:
            known = self._published(slow).flops_g
            if flops_g is not None and known is not None and flops_g >= known:
                self._reject(entry, f"at least as heavy as {slow.name}, which was measured too slow")
                return True
        return False

    def _has_weights(self, entry: ModelEntry) -> bool:
        if entry.packaged or self.weights is not None:
            return True
        if self.resolve_weights is not None:
            return self.resolve_weights(entry, None).kind != "none"
        from autommlab.models.weights import fetchable

        return fetchable(entry)

    def _measure(self, entry: ModelEntry) -> Measured | None:
        """Build and measure; None (and a rejection) if it cannot be built or breaks a limit."""
        self.events.emit("progress", "model", f"measuring {entry.title} ({entry.name})", candidate=entry.name)
        try:
            measured = self._measured(entry)
        except ModelError as error:
            self._reject(entry, f"cannot be built for this bag: {error}")
            return None
        figures = self.measured[entry.name] = measured_figures(measured)
        over = broken(self.limits, figures)
        if not over:
            return measured
        if any(limit.figure == "time" for limit in over):
            self.too_slow.append(entry)
        self._reject(entry, why_over(over, figures, "measured"))
        return None

    def _measured(self, entry: ModelEntry) -> Measured:
        if self.measure_model is not None:
            return self.measure_model(entry, self.bag, self.input_size)
        from autommlab.models.measure import measure

        return measure(entry, self.bag, self.input_size, self._tell)

    def _reject(self, entry: ModelEntry, reason: str) -> None:
        self.rejected.append(Rejection(name=entry.name, reason=reason))

    def resolve(self, entry: ModelEntry, given: Path | None) -> Pretrained:
        """Where the chosen model's weights come from."""
        if self.resolve_weights is not None:
            return self.resolve_weights(entry, given)
        from autommlab.common.weights_files import at_hand
        from autommlab.models.weights import resolve
        from autommlab.models.weights_fit import with_fit

        found = resolve(entry, given)
        if found.kind == "none":
            return found
        if found.kind == "url" and at_hand(found.source) is None:
            self.events.emit("note", "model", f"fetching {found.source}")
        found = with_fit(found, entry, self.bag, self.input_size, self._tell)
        self.events.emit("note", "model", f"weights: {found.fit}")
        return found

    def runners_up(self) -> tuple[str, ...]:
        """The next candidates that fit by their published figures."""
        fitting = [entry for entry in self.remaining if not broken(self.limits, self._published(entry))]
        if not self.named:
            fitting.sort(key=lambda entry: not entry.packaged and self.weights is None and not self._has_weights(entry))
        return tuple(entry.name for entry in fitting[:_RUNNERS_UP])

    def reasons(self, entry: ModelEntry, measured: Measured, pretrained: Pretrained) -> tuple[str, ...]:
        """Sentences for the report."""
        width, height = self.input_size
        told = []
        if self.named:
            told.append(f"The request names {self.named!r}: that is {entry.title} ({entry.name}).")
        elif self.of_weights is not None:
            told.append(f"The weights file is of {entry.title} ({entry.name}).")
        else:
            fitting = self.considered - len(self.rejected)
            what = "the lightest" if self.profile.prefer_light else f"the best score ({_score_of(entry)})"
            if entry.name in self.near_best:
                what = f"the cheapest within {NEAR_BEST:.0%} of the best score ({_score_of(entry)})"
            told.append(f"It is {what} of {fitting} candidates that fit, weights at hand first.")
        if pretrained.kind == "none":
            told.append(f"It trains from scratch: {pretrained.reason or 'no pretrained weights at hand'}.")
        else:
            told.append(f"It starts from pretrained weights ({pretrained.kind}: {pretrained.source}).")
        if pretrained.fit:
            told.append(f"Of these, {pretrained.fit}.")
        told.append(f"Measured at {width}x{height} on {measured.device}: {measured_figures(measured)}.")
        if self.limits:
            told.append(f"It holds {' and '.join(str(limit) for limit in self.limits)}.")
        return tuple(told)


def _called(name: str, task: Task, light: bool) -> list[ModelEntry]:
    """The models that a name means; where it names no size, the lightest first if `light`."""
    matches = names.find_models(name, task, limit=len(zoo.entries(task)))
    same = [match for match in matches if match.similarity >= matches[0].similarity - names.SAME_NAME]
    if light:
        # Recipes of one architecture keep their order: the plain one is not left for one with fewer classes.
        weights: dict[str, tuple[bool, float, bool, float]] = {}
        for match in same:
            weights.setdefault(split_name(match.entry.name).architecture, _weight(match.entry))
        same.sort(key=lambda match: (-match.similarity, weights[split_name(match.entry.name).architecture]))
    return [match.entry for match in same]


def _weight(entry: ModelEntry) -> tuple[bool, float, bool, float]:
    """Lightest first, unknown last."""
    return (entry.params_m is None, entry.params_m or 0.0, *_by_score(entry))


def _by_score(entry: ModelEntry) -> tuple[bool, float]:
    return (entry.score_dataset not in _BENCHMARKS, -(entry.score or 0.0))


def _score_of(entry: ModelEntry) -> str:
    if entry.score is None:
        return "none published"
    return f"{entry.score_metric} {entry.score:.3g} on {entry.score_dataset}"
