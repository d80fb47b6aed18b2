"""From time, data and measured costs to a plan: a calculation, without any training.

The order of decisions: the input size of the delivered model, by how often its training can then see the pictures;
the finalists that train side by side; the search, cheap enough for several trials in its part of the time; with few
pictures in val, whether the finalists are compared over folds and the winner is trained on train and val.
"""

from __future__ import annotations

import math
from dataclasses import replace

from autommlab.planning.circumstances import SHORTEST_FINAL_S, Circumstances
from autommlab.planning.rates import BUILD_S, MOST_FINALISTS, SIDE_BY_SIDE, cpus_each, gpus_each, image_seconds
from autommlab.planning.reasons import gain_of, lacking_in, reasons_of
from autommlab.planning.records import FullFidelity, Plan, SearchFidelity, Size
from autommlab.planning.refitting import with_refit
from autommlab.planning.sizes import pixels

#: The search's part of the time for training; the rest is for the final training.
SEARCH_SHARE = 0.35
#: A longer search takes more trials and longer ones; beyond so many of them, only longer ones.
_MOST_TRIALS = 24
#: Fewer trials say too little about learning rates that span four orders of magnitude.
_FEWEST_TRIALS = 3
#: Longest trial of a search, as a multiple of the profile's.
_LONGEST_TRIAL = 4
#: Validation's part of a training's time, and the fewest pictures that it is cut to.
_VAL_SHARE, _FEWEST_VAL = 0.15, 100
#: A training that has seen every picture so often learns nothing new.
_MOST_EPOCHS = 100
#: Minutes that are compared with those asked for.
_OTHER_MINUTES = (2, 5, 10, 20, 60, 180, 600)
_SHOWN_OTHERS = 2


def decide(here: Circumstances) -> Plan:
    """The plan, and what more time would change in it."""
    plan = _decide(here)
    return plan.model_copy(update={"more": _more(here, plan)})


def _decide(here: Circumstances) -> Plan:
    whole = here.time.training_s
    for share in (0.0,) if here.no_search else (SEARCH_SHARE, 0.0):
        full = _full(here, whole * (1 - share), alone=not share)
        search = _search(here, full.input_size, whole * share) if share else None
        if search is not None or not share:
            break
    if search is not None and search.seconds is not None:  # what the search leaves is the final training's
        full = _full(here, whole - search.seconds, sizes=(full.input_size,))
    full, refit, why_refit = with_refit(here, full, searched=search is not None)
    return Plan(
        time=here.time,
        costs=here.costs,
        search=search,
        refit=refit,
        full=full,
        reasons=(*reasons_of(here, search, full, refit), *filter(None, [why_refit])),
        lacking=tuple(lacking_in(here, search, full)),
    )


def _full(
    here: Circumstances, seconds: float, *, alone: bool = False, sizes: tuple[Size, ...] | None = None
) -> FullFidelity:
    """The final training within a time: the largest input size at which it still sees enough pictures.

    Args:
        here: on what it depends.
        seconds: wall-clock.
        alone: there is one configuration to train.
        sizes: to choose from, ascending; None = all.
    """
    training_s = max(SHORTEST_FINAL_S, seconds - here.start_s)
    side_by_side = 1 if alone else min(here.slots, MOST_FINALISTS)
    choices = [(s, many) for s in reversed(sizes or here.sizes) for many in sorted({side_by_side, 1}, reverse=True)]
    enough = (choice for choice in choices if training_s / image_seconds(here, *choice) >= here.enough)
    chosen, finalists = next(enough, choices[-1])
    reports, val_images = _validation(here, here.cost(chosen).val_s, training_s)
    least = min(here.budget.iterations[0], here.usual_steps)
    most_images = _MOST_EPOCHS * here.images[0]
    longest = math.ceil(most_images / here.budget.batch_size[0])
    return FullFidelity(
        input_size=chosen,
        measured=here.measured,
        iterations=here.budget.iterations if here.iterations_fixed else (least, max(least, longest)),
        most_images=most_images,
        reports=reports,
        val_images=val_images,
        finalists=finalists,
        cpus=cpus_each(here, finalists),
        gpus=gpus_each(here, finalists),
        seconds=max(seconds, here.start_s + SHORTEST_FINAL_S),
        start_s=here.start_s,
        image_s=image_seconds(here, chosen, finalists),
        validation_s=here.cost(chosen).val_s * (val_images or here.images[1]),
    )


def _validation(here: Circumstances, val_s: float, seconds: float) -> tuple[int, int | None]:
    """(reports, validation pictures or None for all) so that validation keeps to its part of the time."""
    images = here.images[1]
    room = _VAL_SHARE * seconds / max(val_s, 1e-6)
    reports = min(max(1, int(room / max(1, images))), here.budget.reports)
    if images <= max(room, _FEWEST_VAL):
        return reports, None
    return 1, max(_FEWEST_VAL, int(room))


def _longer(here: Circumstances, kept: SearchFidelity, seconds: float) -> SearchFidelity:
    """An earlier search, gone on with in a time: its trials and new ones are comparable."""
    low, high = kept.iterations
    image_s = here.cost(kept.input_size).train_s * (SIDE_BY_SIDE if here.slots > 1 else 1.0)
    trial_s = kept.trial_s or BUILD_S + (low + high) / 2 * here.batch * image_s / (1 - _VAL_SHARE)
    wanted = here.trials if here.trials_fixed else _MOST_TRIALS
    turns = max(0, int((seconds - here.start_s) / trial_s))
    trials = max(here.done, min(here.done + turns * here.slots, wanted))
    new_s = math.ceil((trials - here.done) / here.slots) * trial_s
    return kept.model_copy(
        update={
            "trials": trials,
            "concurrent": here.slots,
            "trial_s": trial_s,
            "seconds": here.start_s + new_s if new_s else 0.0,
        }
    )


def _search(here: Circumstances, full_size: Size, seconds: float) -> SearchFidelity | None:
    """The search within a time; None where it cannot hold the fewest trials."""
    if here.kept is not None:
        return _longer(here, here.kept, seconds)
    each_slot_s = seconds - here.start_s
    size = next((s for s in reversed(here.sizes) if 4 * pixels(s) <= pixels(full_size)), here.sizes[0])
    image_s = here.cost(size).train_s * (SIDE_BY_SIDE if here.slots > 1 else 1.0)
    usual = min(here.budget.iterations[1], here.usual_steps)
    least = min(here.budget.iterations[0], max(1, usual // 4))

    def trial_s(iterations: float) -> float:
        return BUILD_S + iterations * here.batch * image_s / (1 - _VAL_SHARE)

    usual_trials = max(0.0, each_slot_s / trial_s(usual)) * here.slots
    trials = here.trials
    if not here.trials_fixed:
        more = math.sqrt(max(1.0, usual_trials / here.trials))
        trials = int(min(here.trials * more, _MOST_TRIALS) if usual_trials >= here.trials else usual_trials)
        trials = max(_FEWEST_TRIALS, trials - trials % min(here.slots, trials or 1))
    turns = math.ceil(trials / here.slots)
    one_s = each_slot_s / turns
    if one_s < trial_s(least) and not here.trials_fixed:
        return None
    fitting = (one_s - BUILD_S) * (1 - _VAL_SHARE) / (here.batch * image_s)
    iterations = int(min(max(fitting, least), _LONGEST_TRIAL * usual))
    reports, val_images = _validation(here, here.cost(size).val_s, one_s)
    bounds = here.budget.iterations if here.iterations_fixed else (iterations, iterations)
    expected_s = trial_s(sum(bounds) / 2)
    return SearchFidelity(
        input_size=size,
        iterations=bounds,
        batch_size=here.budget.batch_size,
        reports=reports,
        val_images=val_images,
        trials=trials,
        concurrent=here.slots,
        seconds=min(seconds, here.start_s + turns * expected_s) if not here.trials_fixed else seconds,
        trial_s=expected_s,
    )


def _more(here: Circumstances, plan: Plan) -> tuple[str, ...]:
    """What the next longer times would buy; those that change nothing are left out."""
    told: list[str] = []
    before = plan
    for minutes in _OTHER_MINUTES:
        if 60 * minutes < 1.5 * here.time.asked_s or len(told) == _SHOWN_OTHERS:
            continue
        other = _decide(replace(here, time=here.time.model_copy(update={"asked_s": 60.0 * minutes})))
        if words := gain_of(here, before, other):
            told.append(f"With {minutes} minutes (--time {minutes}): {words}.")
            before = other
    return tuple(told)
