"""A bag: train, val and test of the classes that a request asks for (stage 2 of the pipeline)."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median_low

from autommlab.bundle_runtime.pictures import Depth, depth_of
from autommlab.common.errors import DataError
from autommlab.data import bag_choice
from autommlab.data.bag_files import read_bag, write_bag, write_splits
from autommlab.data.bag_inspect import with_mask_labels
from autommlab.data.bag_items import Item, items_of
from autommlab.data.bag_plan import BagPlan, Part, make_bag_plan
from autommlab.data.bag_split import Splits, capped, make_splits, note_left_out, with_first_files
from autommlab.data.match import things
from autommlab.data.records import SPLITS, Bag, KeypointLayout, KeypointMeta, LoadedDataset, PictureDepth
from autommlab.settings import TaskBudget
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest

__all__ = ["plan_for", "read_bag", "select_bag"]

#: Fewer training images of a class than this are worth a note.
_FEW_IMAGES = 10


def select_bag(request: ModelRequest, *, budget: TaskBudget, folder: Path, seed: int, data: str | None = None) -> Bag:
    """Find the data for a request and write it as a bag.

    The set that the request names comes first, then all sets of the task; the one whose classes
    cover the objects best is taken. Given splits are kept, missing ones are made by image.

    Args:
        request: what is asked for.
        budget: of the request's task; `budget.images` caps train, val and test.
        folder: where the bag is written; its absolute path stands in the annotation files.
        seed: of made splits and of caps.
        data: a data set's name or folder that overrides the request's own wish (`--data`).

    Returns:
        The bag, also stored as `bag.json` (see `read_bag`).

    Raises:
        DataError: unknown set, set of another task, no set with the objects (names the nearest
            classes of each), no training image of a class, or too few pictures for three splits.
        StorageError: `folder` cannot be written.
    """
    without: list[str] = []
    while True:
        plan, notes = plan_for(request, data, without)
        splits, points = _split(plan, budget, seed, notes)
        unseen = [] if _objects(request) else unseen_labels(splits, plan)
        if not unseen or len(unseen) == len(plan.classes) - plan.background:
            break
        # Every class of the set is meant, so one that nobody can learn stands in the way of the others.
        without += [name for part in plan.parts for name, label in part.labels.items() if label in unseen]
    if without:
        notes.append(f"Left out, as no training image shows them: {', '.join(without)}.")
    check_splits(splits, plan, points, notes)
    return _written(folder.resolve(), splits, plan, points, seed, notes)


def plan_for(
    request: ModelRequest, data: str | None = None, without: Collection[str] = ()
) -> tuple[BagPlan, list[str]]:
    """Which classes of which sets a request's bag is made of, without reading an image.

    Args:
        request, data: see `select_bag`.
        without: classes that do not count where the request names no object.

    Returns:
        The plan, and notes for the report.

    Raises:
        DataError: unknown set, set of another task, or no set with the objects.
    """
    task = request.model.task
    objects = _objects(request)
    choices, notes = bag_choice.choose_sets(objects, task, request.data.specific, data, without)
    plan = make_bag_plan(choices, task, all_classes=not objects)
    return plan, [*notes, *plan.notes]


def _objects(request: ModelRequest) -> list[str]:
    return things(request.data.object, request.model.task)


def _split(plan: BagPlan, budget: TaskBudget, seed: int, notes: list[str]) -> tuple[Splits, KeypointLayout | None]:
    parts, points = [], None
    for part in plan.parts:
        loaded = bag_choice.load_samples(part.spec, list(part.labels))
        points = loaded.keypoints if plan.task is Task.KEYPOINT else None
        parts.append(make_splits(_items(part, loaded, plan, notes), budget.caps, seed, notes))
    return capped(parts, budget.caps, seed, notes, plan.other), points


def unseen_labels(splits: Splits, plan: BagPlan) -> list[int]:
    """Labels that no training image shows; the background of masks is not asked for."""
    seen = {label for item in splits["train"] for label in item.labels}
    return [label for label in range(int(plan.background), len(plan.classes)) if label not in seen]


def _items(part: Part, loaded: LoadedDataset, plan: BagPlan, notes: list[str]) -> list[Item]:
    errors = [f"{p.where}: {p.what}" for p in loaded.unreadable if p.severity == "error"]
    note_left_out(errors, notes)
    notes += _remarks(loaded)
    items = items_of(part, loaded, plan)
    if plan.task is Task.SEGMENTATION:
        items, left_out = with_mask_labels(items, background=plan.background)
        note_left_out(left_out, notes)
    if not items:
        raise DataError(
            f"the data set {part.spec.name!r} has no image of {', '.join(plan.classes)}. "
            f"See what it holds: autommlab data show {part.spec.name}"
        )
    return items


def _remarks(loaded: LoadedDataset) -> list[str]:
    """What the reader mended or passed over, one sentence a kind."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for problem in loaded.unreadable:
        if problem.severity == "warning":
            kinds[problem.kind].append(f"{problem.where}: {problem.what}")
    more = f" more like it, see: autommlab data check {loaded.spec.name}"
    return [f"{first}{f' ({len(rest)}{more})' if rest else ''}." for first, *rest in kinds.values()]


def check_splits(splits: Splits, plan: BagPlan, points: KeypointLayout | None, notes: list[str]) -> None:
    """Refuse splits that nothing can be learnt from; notes classes with few images.

    Raises:
        DataError: a split is empty, a class has no training image, or the points have no names.
    """
    names = " and ".join(part.spec.name for part in plan.parts)
    hint = f"See: autommlab data check {plan.parts[0].spec.name}"
    for split in SPLITS:
        if not splits[split]:
            raise DataError(f"no usable image is left for the {split} split of {names}. {hint}")
    if plan.task is Task.KEYPOINT and points is None:
        raise DataError(f"the data set {names} names no keypoints, so no pose can be learnt from it. {hint}")
    counts = {label: sum(label in i.labels for i in splits["train"]) for label in range(len(plan.classes))}
    if plan.background:
        counts.pop(0)
    for label, count in counts.items():
        if not count:
            raise DataError(
                f"no training image of {names} shows {plan.classes[label]!r}, so it cannot be learnt. Leave it out of "
                f"the request, or add images of it. {hint}"
            )
    few = [f"{plan.classes[label]} ({count})" for label, count in counts.items() if count < _FEW_IMAGES]
    if few:
        notes.append(f"Fewer than {_FEW_IMAGES} training images of: {', '.join(few)}; expect a weak model there.")


def _written(
    folder: Path, splits: Splits, plan: BagPlan, points: KeypointLayout | None, seed: int, notes: Sequence[str]
) -> Bag:
    written, digest = write_splits(folder, splits, plan.task, plan.classes, points)
    train = [item.sample for item in splits["train"]]
    looked_at = [item for split in SPLITS for item in splits[split]]
    depth = depth_of(item.facts for item in looked_at if item.facts)
    bag = Bag(
        task=plan.task,
        folder=folder,
        classes=plan.classes,
        sources=plan.sources(),
        datasets=tuple(dict.fromkeys(part.spec.name for part in plan.parts)),
        splits=written,
        keypoints=KeypointMeta(**asdict(points)) if points else None,
        median_size=(median_low(s.width for s in train), median_low(s.height for s in train)),
        seed=seed,
        digest=digest,
        depth=PictureDepth(**depth._asdict()),
        notes=tuple(dict.fromkeys([*notes, *_reading_notes(looked_at, depth)])),
        fetched={part.spec.uri: part.spec.root for part in plan.parts if part.spec.uri},
    )
    write_bag(bag)
    return bag


def _reading_notes(items: Sequence[Item], depth: Depth) -> list[str]:
    """What was done to pictures and masks that are not as training needs them."""
    notes = []
    if refitted := [str(item.sample.mask) for item in items if item.mask_refitted]:
        notes.append(with_first_files("{} masks have another size than their image and are brought to it", refitted))
    if deep := [str(item.sample.image) for item in items if item.facts and item.facts.peak]:
        how = f"integers by the upper 8 of {depth.bits} bits, floats from 0 to {depth.white:g}"
        notes.append(with_first_files(f"{{}} images have more than 8 bits and are read as 8 ({how})", deep))
    return notes
