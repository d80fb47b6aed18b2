"""A plan in sentences: why it is as it is, what it lacks, and what another one would gain."""

from __future__ import annotations

from autommlab.common.wording import duration
from autommlab.planning.circumstances import SHORTEST_FINAL_S, Circumstances
from autommlab.planning.records import FullFidelity, Plan, Refit, SearchFidelity, size_words


def reasons_of(
    here: Circumstances, search: SearchFidelity | None, full: FullFidelity, refit: Refit | None
) -> list[str]:
    """Why time, sizes, trials and finalists are as they are."""
    time = here.time
    kept = time.reserved_s | ({"start of the LLM service": time.service_s} if time.service_s else {})
    reserved = ", ".join(f"{name} {duration(s)}" for name, s in kept.items())
    told = [
        f"Of {duration(time.asked_s)}, {duration(time.spent_s)} are spent and {duration(sum(kept.values()))} reserved "
        f"({reserved}); {duration(time.training_s)} are for training.",
        "One picture costs "
        + ", ".join(f"{1000 * c.train_s:.3g} ms in training at {size_words(c.input_size)}" for c in here.costs)
        + " (measured here, one thread).",
        _why_size(here, full),
    ]
    if search is not None:
        told.append(_why_search(here, search, full))
    if here.no_search:
        told.append("No search is asked for (--trials 0): the model's default configuration is trained alone.")
    told.append(_why_compared(here, full, refit) if refit else _why_finalists(here, full, search))
    return told


def _why_size(here: Circumstances, full: FullFidelity) -> str:
    size = size_words(full.input_size)
    if len(here.sizes) == 1:
        return f"The delivered model takes pictures of {size}: there is no other size to choose from."
    seen = int((full.seconds - full.start_s) / full.image_s)
    if full.input_size == here.sizes[-1]:
        return f"The delivered model takes pictures of {size}: more is not in the pictures, or not allowed."
    told = f"its training sees about {seen:,} pictures ({seen / max(1, here.images[0]):.1f} times each)"
    if full.input_size == here.sizes[0] and seen < here.enough:
        return f"The delivered model takes pictures of {size}, the smallest size: {told}."
    return (
        f"The delivered model takes pictures of {size}: {told}, and a larger size would leave fewer than "
        f"{here.enough:,}."
    )


def _why_search(here: Circumstances, search: SearchFidelity, full: FullFidelity) -> str:
    cheaper = here.cost(full.input_size).train_s / here.cost(search.input_size).train_s
    at = "the same size" if search.input_size == full.input_size else f"{size_words(search.input_size)}"
    less = f", where a step costs {cheaper:.1f} times less" if cheaper >= 1.5 else ""
    part = f"; they are validated on {search.val_images} of {here.images[1]} pictures" if search.val_images else ""
    if here.done:
        return (
            f"The search goes on from {here.done} trials to {search.trials}, as short as those before, "
            f"in {duration(search.seconds or 0)}."
        )
    return (
        f"The search compares {search.trials} configurations in {duration(search.seconds or 0)} by short trainings of "
        f"{search.iterations[1]} steps at {at}{less}{part}."
    )


def _why_finalists(here: Circumstances, full: FullFidelity, search: SearchFidelity | None) -> str:
    steps = full.steps(here.batch, full.seconds - full.start_s)
    who = "The best one is" if search else "The default configuration is"
    if full.finalists > 1 and search:
        who = f"The {full.finalists} finalists (the best ones, and the default configuration) are"
    beside = f", side by side with {full.cpus:g} CPU each" if full.finalists > 1 else ""
    return f"{who} trained from the initial weights for about {steps:,} steps of {here.batch} pictures{beside}."


def _why_compared(here: Circumstances, full: FullFidelity, refit: Refit) -> str:
    many = refit.each.finalists
    who = f"The {many} finalists (the best ones, and the default configuration) are" if many > 1 else (
        "The default configuration is"
    )  # fmt: skip
    steps = refit.each.steps(here.batch, refit.each.seconds - refit.each.start_s)
    last = full.steps(here.batch, full.seconds - full.start_s)
    return (
        f"{who} trained for about {steps:,} steps of {here.batch} pictures in each of {many * refit.folds} trainings "
        f"({duration(refit.seconds)}), then the winner for about {last:,} steps on train and val "
        f"({duration(full.seconds)})."
    )


def lacking_in(here: Circumstances, search: SearchFidelity | None, full: FullFidelity) -> list[str]:
    """What cannot be done in the time."""
    told = []
    time = here.time
    if search is None and not here.no_search:
        told.append(
            f"{duration(time.asked_s)} have no room for a search: the model's default configuration is trained alone."
        )
    short = here.start_s + SHORTEST_FINAL_S - time.training_s
    if short > 0:
        told.append(f"The run takes about {duration(time.asked_s + short)}, the least for any training at all.")
    seen = (full.seconds - full.start_s) / full.image_s
    if seen < here.enough / 2:
        told.append(
            f"The training sees {int(seen):,} pictures; {here.enough:,} would be enough for this kind of task and data."
        )
    return told


def gain_of(here: Circumstances, before: Plan, after: Plan) -> str:
    """What a plan with more time has that another one has not; "" if that is nothing."""
    if before.full is None or after.full is None:
        return ""
    steps = [full.steps(here.batch, full.seconds - full.start_s) for full in (before.full, after.full)]
    trials = [plan.search.trials if plan.search else 0 for plan in (before, after)]
    told = []
    if after.full.input_size != before.full.input_size:
        told.append(size_words(after.full.input_size))
    if told or steps[1] > 1.2 * steps[0]:
        told.append(f"about {steps[1]:,} steps")
    if trials[1] > trials[0]:
        told.append(f"{trials[1]} trials before")
    folds = [plan.refit.folds if plan.refit else 0 for plan in (before, after)]
    if folds[1] > folds[0]:
        compared = f"a choice over {folds[1]} folds and " if folds[1] > 1 else ""
        told.append(f"{compared}a final training on train and val")
    return ", ".join(told)
