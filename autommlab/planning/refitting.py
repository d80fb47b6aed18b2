"""Little data: whether the delivered model is trained on train and val, and what compares its finalists then.

Val chooses among finalists, and is lost to training for that. Where it has few pictures, it chooses mostly by chance,
and the figure of the winner on it is too high. Trainings on k folds of train and val use each picture for both; then
the winner's configuration is trained on all of them.
"""

from __future__ import annotations

import math

from autommlab.planning.circumstances import Circumstances
from autommlab.planning.rates import BUILD_S, MOST_FINALISTS, cpus_each, gpus_each, image_seconds
from autommlab.planning.records import FullFidelity, Refit, size_words

#: Most pictures of a small val: its 95 % interval around an accuracy of 0.9 is 6 percent points wide at 400 pictures.
SMALL_VAL = 400
#: Least part of train and val that val is, for training on it to be worth the time.
_LEAST_PART = 0.05
#: Folds that are tried, the most first; val alone comes after them.
_FOLDS = (5, 3)
#: Most of the final stage's time that comparing takes. The delivered model then has as many steps as one of two
#: finalists side by side in all of the time: alone it has all CPUs.
_COMPARED_PART = 0.5
#: Finalists that are compared after a search, at least.
_FEWEST_COMPARED = 2


def with_refit(here: Circumstances, full: FullFidelity, *, searched: bool) -> tuple[FullFidelity, Refit | None, str]:
    """The final training as it becomes where data are small and time allows; what compares its finalists; and why.

    Each training of a finalist sees as many pictures as a final training needs, and the last one, on train and val, at
    least as many; with less time the input size, which was chosen before, would be too large.

    Args:
        here: on what it depends.
        full: the final training on train alone.
        searched: there is a search, and so a choice to make.
    """
    if here.no_refit is not None:
        return full, None, here.no_refit
    if enough := _enough_already(here):
        return full, None, enough
    finalists = max(_FEWEST_COMPARED, full.finalists) if searched else 1
    for folds in (*_FOLDS, 1) if finalists > 1 else (1,):
        found = _refit(here, full, folds, finalists)
        if found is not None:
            return *found, _why(here, found[1])
    return full, None, _no_time(here, full, searched=searched)


def _enough_already(here: Circumstances) -> str:
    """Why data are not small; "" if they are."""
    train, val, _ = here.images
    if val > SMALL_VAL:
        return f"Val has {val:,} pictures, enough to choose by: the delivered model is trained on train alone."
    if val < _LEAST_PART * (train + val):
        return f"Val is {val:,} of {train + val:,} pictures: training on it, too, would add too little."
    return ""


def _no_time(here: Circumstances, full: FullFidelity, *, searched: bool) -> str:
    who = "the finalists" if searched else "a model"
    return (
        f"Val has only {here.images[1]:,} pictures; to train on them, too, {who} would first be trained without them, "
        f"and there is no time for both to see {here.enough:,} pictures at {size_words(full.input_size)}: val chooses, "
        "and the delivered model is trained on train alone."
    )


def _refit(here: Circumstances, full: FullFidelity, folds: int, finalists: int) -> tuple[FullFidelity, Refit] | None:
    """Both, with the time between them; None where a training would see too few pictures."""
    side_by_side = min(here.slots, MOST_FINALISTS, finalists * folds)
    rounds = math.ceil(finalists * folds / side_by_side)
    each_image_s, last_image_s = (image_seconds(here, full.input_size, many) for many in (side_by_side, 1))
    validation_s = here.cost(full.input_size).val_s * _left_out(here, folds)
    around_s = here.start_s + rounds * (BUILD_S + validation_s)
    images = (_COMPARED_PART * full.seconds - around_s) / (rounds * each_image_s)
    last_images = ((1 - _COMPARED_PART) * full.seconds - here.start_s - BUILD_S) / last_image_s
    if min(images, last_images, full.most_images) < here.enough:
        return None
    each_s = BUILD_S + validation_s + min(images, last_images, full.most_images) * each_image_s
    each = full.model_copy(
        update={
            "val_images": None, "finalists": finalists, "cpus": cpus_each(here, side_by_side), "start_s": BUILD_S,
            "gpus": gpus_each(here, side_by_side), "seconds": each_s, "image_s": each_image_s, "reports": 1,
            "validation_s": validation_s,
        }
    )  # fmt: skip
    compare_s = here.start_s + rounds * each_s
    last = full.model_copy(
        update={
            "val_images": None, "finalists": 1, "cpus": cpus_each(here, 1), "gpus": gpus_each(here, 1),
            "seconds": full.seconds - compare_s, "image_s": last_image_s, "reports": here.budget.reports,
            "validation_s": 0.0,
        }
    )  # fmt: skip
    return last, Refit(folds=folds, concurrent=side_by_side, each=each, start_s=here.start_s, seconds=compare_s)


def _left_out(here: Circumstances, folds: int) -> int:
    """Pictures that a training of a finalist is validated on."""
    train, val, _ = here.images
    return val if folds == 1 else math.ceil((train + val) / folds)


def _why(here: Circumstances, refit: Refit) -> str:
    val = here.images[1]
    if refit.folds == 1:
        return (
            f"Val has only {val:,} pictures: the delivered model is trained on train and val. What val tells of it is "
            "measured by a training on train alone before; for folds there is no time, or nothing to choose."
        )
    return (
        f"Val has only {val:,} pictures: where the search's lead lies inside their noise, {refit.each.finalists} "
        f"finalists are compared over {refit.folds} folds of train and val, else on val alone. The delivered model is "
        "trained on train and val."
    )
