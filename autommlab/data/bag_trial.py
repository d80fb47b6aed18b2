"""Whether a run could use a data set: the steps that make a bag of all its classes, on what a check has seen."""

from collections.abc import Mapping
from dataclasses import replace

from autommlab.data.bag import check_splits, unseen_labels
from autommlab.data.bag_choice import Choice
from autommlab.data.bag_items import Item, by_rarest, items_of
from autommlab.data.bag_plan import BagPlan, make_bag_plan
from autommlab.data.bag_split import try_splits
from autommlab.data.match import Match, SourceClass, things
from autommlab.data.records import LoadedDataset, Sample
from autommlab.tasks import Task


def try_bag(dataset: LoadedDataset, seen: Mapping[int, tuple[str, tuple[int, ...]]]) -> None:
    """Make the splits of a bag of all classes, in memory.

    Args:
        dataset: as read.
        seen: `id` of a sample -> (hash of its file, labels that it shows), for the samples that can be read.

    Raises:
        DataError: a run with this data set would be refused; says why.
    """
    without: set[str] = set()
    while True:
        spec = dataset.spec.model_copy(update={"classes": tuple(c for c in dataset.classes if c not in without)})
        names = things(spec.classes, spec.task)
        choice = Choice(spec, Match({name: (SourceClass(name, "exact"),) for name in names}))
        plan = make_bag_plan([choice], spec.task, all_classes=True)
        readable = replace(dataset, samples=[sample for sample in dataset.samples if id(sample) in seen])
        splits = try_splits(_items(plan, readable, seen))
        unseen = unseen_labels(splits, plan)
        if not unseen or len(unseen) == len(plan.classes) - plan.background:
            check_splits(splits, plan, dataset.keypoints, [])
            return
        without |= {name for name, label in plan.parts[0].labels.items() if label in unseen}


def _items(plan: BagPlan, dataset: LoadedDataset, seen: Mapping[int, tuple[str, tuple[int, ...]]]) -> list[Item]:
    (part,) = plan.parts
    if plan.task is not Task.SEGMENTATION:
        digests = {sample.image: seen[id(sample)][0] for sample in dataset.samples}
        return [replace(item, digest=digests[item.sample.image]) for item in items_of(part, dataset, plan)]
    # The labels of a mask are known only once it is read, which the check has done.
    to_bag = {label: part.labels[name] for label, name in enumerate(dataset.classes) if name in part.labels}
    by_mask: dict[object, Sample] = {sample.mask: sample for sample in dataset.samples}
    items = []
    for item in items_of(part, dataset, plan):
        digest, shown = seen[id(by_mask[item.sample.mask])]
        labels = tuple(
            sorted({to_bag[label] for label in shown if label in to_bag} - ({0} if plan.background else set()))
        )
        items.append(replace(item, digest=digest, labels=labels))
    return by_rarest(items)
