"""Typed records of the planning stage."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from autommlab.common.wording import duration
from autommlab.models.records import Measured

Size = tuple[int, int]


class SizeCost(BaseModel):
    """What one picture costs at an input size, with one thread unless the record says otherwise.

    Attributes:
        input_size: (width, height) in pixels.
        train_s: seconds per training picture: loading, both passes, optimiser.
        load_s: the part of it that is loading and augmenting.
        val_s: seconds per validation picture, loading included.
        memory_mb: peak memory of the process, or of the GPU.
        batch: pictures of the measured step.
        slowdown: wall-clock time over computing time of the measured steps: 1 where nothing else runs, 2 where another
            program has half of the processor.
        measured: False where it follows from other sizes, in proportion to the pixels.
    """

    model_config = ConfigDict(frozen=True)

    input_size: Size
    train_s: float
    load_s: float
    val_s: float
    memory_mb: float = 0.0
    batch: int = 0
    slowdown: float = 1.0
    measured: bool = True


class TimeBudget(BaseModel):
    """The time of a whole run, in seconds.

    Attributes:
        asked_s: by `--time`, or the profile's.
        spent_s: before the plan: understanding, data, model, measuring.
        reserved_s: set aside for what comes after training, by its name.
        service_s: set aside for the start of the LLM service.
        slowdown: how busy the machine is with other things, see `SizeCost`; starts and export take so much longer.
    """

    model_config = ConfigDict(frozen=True)

    asked_s: float
    spent_s: float
    reserved_s: dict[str, float]
    service_s: float = 0.0
    slowdown: float = 1.0

    @property
    def training_s(self) -> float:
        """What is left for the search and the final training, the start of their workers included."""
        return max(0.0, self.asked_s - self.spent_s - self.service_s - self.after_training_s)

    @property
    def after_training_s(self) -> float:
        """What is set aside for TEST, export and report."""
        return sum(self.reserved_s.values())


class SearchFidelity(BaseModel):
    """How the trials of the search train.

    Attributes:
        input_size: (width, height) in pixels.
        iterations, batch_size: bounds of the search space; equal bounds fix a value.
        reports: validations of a trial.
        val_images: pictures that a trial is validated on, None = all.
        trials: most trials.
        concurrent: trials at once, as far as is known.
        seconds: for the whole search, None = no limit.
        before_s: what the search had taken before this plan.
        trial_s: what one trial is expected to take, 0 = not known.
    """

    model_config = ConfigDict(frozen=True)

    input_size: Size
    iterations: tuple[int, int]
    batch_size: tuple[int, int]
    reports: int
    val_images: int | None = None
    trials: int
    concurrent: int = 0
    seconds: float | None = None
    before_s: float = 0.0
    trial_s: float = 0.0


class FullFidelity(BaseModel):
    """How the finalists, and with them the model that is delivered, train.

    Attributes:
        input_size: (width, height) in pixels.
        measured: the model at this size.
        iterations: (fewest, most) optimiser steps; the time decides between them.
        most_images: pictures that a training sees at most; more of them teach nothing new.
        reports: validations of a training.
        val_images: pictures that a training is validated on, None = all.
        finalists: configurations that are trained.
        cpus, gpus: of each training.
        seconds: wall-clock time of all of them.
        start_s: the part of it before the first step: workers start and import a toolbox.
        image_s: seconds per training picture of one training.
        validation_s: seconds of one validation.
    """

    model_config = ConfigDict(frozen=True)

    input_size: Size
    measured: Measured
    iterations: tuple[int, int]
    most_images: int
    reports: int
    val_images: int | None = None
    finalists: int
    cpus: float
    gpus: float = 0.0
    seconds: float
    start_s: float
    image_s: float
    validation_s: float

    def steps(self, batch_size: int, seconds: float, slower: float = 1.0) -> int:
        """Optimiser steps that fit into the time of one training.

        Args:
            batch_size: pictures a step.
            seconds: wall-clock, validations included.
            slower: factor by which reality is slower than what was measured.
        """
        training_s = seconds - self.reports * self.validation_s * slower
        images = min(training_s / (self.image_s * slower), self.most_images)
        wanted = int(images / batch_size)
        return min(max(wanted, self.iterations[0]), self.iterations[1])


class Refit(BaseModel):
    """How the finalists of a run with little data are compared, before the winner's configuration is trained on train
    and val.

    Attributes:
        folds: of train and val, where the lead of the search's best lies inside the noise; 1 = val alone compares them.
        concurrent: trainings at once.
        each: one training of a finalist; its `seconds` and `start_s` are those of one in a process that is there.
        start_s: until the first step of the first one: workers start and import a toolbox.
        seconds: wall-clock time of all of them.
    """

    model_config = ConfigDict(frozen=True)

    folds: int
    concurrent: int
    each: FullFidelity
    start_s: float
    seconds: float


class Plan(BaseModel):
    """The outcome of planning. At least one of `search` and `full` is there.

    Attributes:
        time: None where nothing limits the run but its number of trials.
        costs: of one picture, by input size.
        search: None where there is no time for one: the default configuration is trained alone.
        refit: where val is small: what compares the finalists; `full` is then the winner's training on train and val.
            None where val is left out of training and compares the finalists.
        full: None where the best trial of the search is delivered as it is.
        reasons: of each decision, sentences.
        more: what more time would buy, sentences.
        lacking: what cannot be done in the time, sentences.
    """

    model_config = ConfigDict(frozen=True)

    time: TimeBudget | None = None
    costs: tuple[SizeCost, ...] = ()
    search: SearchFidelity | None = None
    refit: Refit | None = None
    full: FullFidelity | None = None
    reasons: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    def summary(self) -> str:
        """One line: both fidelities, and the time."""
        parts = [search_words(self.search)] if self.search else ["no search"]
        if self.refit:
            parts.append(refit_words(self.refit))
        if self.full:
            parts.append(full_words(self.full, searched=self.search is not None))
        within = f", {duration(self.time.asked_s)} in all" if self.time else ""
        return f"{'; '.join(parts)}{within}"

    @property
    def compared(self) -> FullFidelity | None:
        """How each finalist trains until one of them is chosen; None where the best trial of the search is."""
        return self.refit.each if self.refit else self.full

    @property
    def finals_s(self) -> float:
        """Wall-clock seconds after the search: of the trainings that compare finalists, and of the final one."""
        return (self.refit.seconds if self.refit else 0.0) + (self.full.seconds if self.full else 0.0)


def search_words(search: SearchFidelity) -> str:
    """The search in one clause."""
    return f"{search.trials} trials of {_steps(search.iterations)} at {size_words(search.input_size)}"


def refit_words(refit: Refit) -> str:
    """What compares the finalists, in one clause."""
    many = refit.each.finalists
    who = f"{many} finalists" if many > 1 else "the default configuration"
    on = f"over {refit.folds} folds of train and val" if refit.folds > 1 else "on val"
    return f"{who} {on}, {duration(refit.seconds)}"


def full_words(full: FullFidelity, *, searched: bool) -> str:
    """The final training in one clause."""
    best = "the best configuration" if searched else "the default configuration"
    who = best if full.finalists == 1 else f"{full.finalists} finalists"
    return f"{who} at {size_words(full.input_size)} for {duration(full.seconds)}"


def _steps(bounds: tuple[int, int]) -> str:
    low, high = bounds
    return f"{low} steps" if low == high else f"{low} to {high} steps"


def size_words(size: Size) -> str:
    """Of an input."""
    return f"{size[0]}x{size[1]} px"
