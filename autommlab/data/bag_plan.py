"""From chosen sets to the classes of a bag: labels, what is merged, what stands against a single object."""

from dataclasses import dataclass

from autommlab.common.errors import DataError
from autommlab.data.bag_choice import Choice
from autommlab.data.match import BACKGROUND, Match, SourceClass
from autommlab.data.names import plain_name
from autommlab.data.records import DatasetSpec
from autommlab.tasks import Task

#: Class of the images that show none of the objects asked for.
OTHER = "other"
_BACKGROUND = "background"
#: Classes of an embedded set that stand against a single object; more would only take time to draw.
_EMBEDDED_OTHERS = 8
_SAME = frozenset({"exact", "plural", "alias", "initials", "order", "synonym"})


@dataclass(frozen=True, slots=True)
class Part:
    """One data set of a bag.

    Attributes:
        labels: source class -> label in the bag. Classes that are not named are left out.
    """

    spec: DatasetSpec
    labels: dict[str, int]


@dataclass(frozen=True, slots=True)
class BagPlan:
    """What a bag consists of.

    Attributes:
        classes: in label order.
        other: label of `OTHER`, kept no larger than the rest; None where there is none.
        background: pixels of left-out classes get label 0 (segmentation).
    """

    task: Task
    classes: tuple[str, ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    other: int | None = None
    background: bool = False

    def sources(self) -> dict[str, tuple[str, ...]]:
        """Target class -> "DATASET/CLASS" merged into it."""
        found: dict[str, list[str]] = {name: [] for name in self.classes}
        for part in self.parts:
            for name, label in part.labels.items():
                found[self.classes[label]].append(f"{part.spec.name}/{name}")
        return {name: tuple(merged) for name, merged in found.items()}


def make_bag_plan(choices: list[Choice], task: Task, *, all_classes: bool = False) -> BagPlan:
    """Labels for the chosen sets.

    Classification needs two classes at least. A single object is therefore split into the
    classes it stands for ("digits"), or set against other images of its set ("is it a cat?").

    Args:
        all_classes: the request names no object, the set's own classes are meant as they are.

    Raises:
        DataError: a single class and nothing to tell it from.
    """
    if task is Task.SEGMENTATION:
        return _segmentation(choices[0])
    if task is not Task.CLASSIFICATION:
        return _plain_plan(choices, task)
    if len(choices) > 1 or len(choices[0].match.targets) > 1:
        return _plain_plan(choices, task)
    ((thing, found),) = choices[0].match.targets.items()
    if not all_classes and len(found) > 1 and not any(c.kind in _SAME for c in found):
        split = Choice(choices[0].spec, Match({c.name: (c,) for c in found}))
        note = f"{thing!r} stands for {len(found)} classes of {split.spec.name}; the model tells these apart."
        plan = _plain_plan([split], task, quiet=True)
        return BagPlan(task, plan.classes, plan.parts, (note,))
    return _against_others(choices[0], thing)


def _plain_plan(choices: list[Choice], task: Task, *, quiet: bool = False) -> BagPlan:
    classes = tuple(dict.fromkeys(thing for choice in choices for thing in choice.match.targets))
    parts = tuple(
        Part(choice.spec, {c.name: classes.index(t) for t, found in choice.match.targets.items() for c in found})
        for choice in choices
    )
    notes = [] if quiet else [note for choice in choices for note in _match_notes(choice)]
    if len(choices) > 1:
        names = " and ".join(choice.spec.name for choice in choices)
        notes.append(
            f"No single set has all objects, so {names} are merged; the model may tell the sets apart by their "
            "look instead of the objects."
        )
    return BagPlan(task, classes, parts, tuple(notes))


def _against_others(choice: Choice, thing: str) -> BagPlan:
    spec, found = choice.spec, choice.match.targets[thing]
    taken = {c.name for c in found}
    rest = [name for name in spec.classes if name not in taken]
    if not rest:
        raise DataError(
            f"the data set {spec.name!r} shows nothing but {thing!r}, and a classifier needs at least two classes. "
            "Add images of something else as a second class, name another set with --data, or ask for detection."
        )
    if spec.embedded:
        # Spread over the list, as neighbours in it are alike.
        rest = rest[:: max(1, len(rest) // _EMBEDDED_OTHERS)][:_EMBEDDED_OTHERS]
    other = OTHER if thing != OTHER else f"not {thing}"
    labels = {c.name: 0 for c in found} | dict.fromkeys(rest, 1)
    note = f"Only {thing!r} is asked for: it is told from {other!r}, as many images of other classes of {spec.name}."
    return BagPlan(Task.CLASSIFICATION, (thing, other), (Part(spec, labels),), (*_match_notes(choice), note), other=1)


def _segmentation(choice: Choice) -> BagPlan:
    """Index 0 is the background where the source has one, or where classes of the source are left out.

    A mask of the asked-for class alone, with all else ignored, would teach nothing: every
    prediction would be right. So left-out classes are background even where the source has none.
    """
    spec, targets = choice.spec, choice.match.targets
    taken = {c.name for found in targets.values() for c in found}
    empty = [name for name in spec.classes if plain_name(name) in BACKGROUND]
    left_out = [name for name in spec.classes if name not in taken and name not in empty]
    background = bool(empty or left_out)
    things = [thing for thing in targets if plain_name(thing) not in BACKGROUND]
    classes = ((_BACKGROUND,) if background else ()) + tuple(things)
    labels = {c.name: classes.index(thing) for thing in things for c in targets[thing]}
    labels |= {name: 0 for name in empty if plain_name(name) in ("background", "bg")}
    notes = _match_notes(choice)
    if left_out:
        notes.append(f"{len(left_out)} other classes of {spec.name} count as background.")
    return BagPlan(Task.SEGMENTATION, classes, (Part(spec, labels),), tuple(notes), background=background)


def _match_notes(choice: Choice) -> list[str]:
    notes = []
    for thing, found in choice.match.targets.items():
        if len(found) > 1 or found[0].kind not in ("exact", "plural"):
            kinds = "; ".join(f"{', '.join(names)} ({_WORDS[kind]})" for kind, names in _by_kind(found).items())
            notes.append(f"{thing!r} is served by classes of {choice.spec.name}: {kinds}.")
    notes += [f"{one!r} means the same as {twin!r} here." for one, twin in choice.match.repeated.items()]
    return notes


_WORDS = {
    "exact": "same name",
    "plural": "plural",
    "alias": "other name",
    "initials": "initials",
    "order": "same words in another order",
    "synonym": "same meaning",
    "hypernym": "a kind of it",
    "near": "near: only the nearest class, check that it is meant",
}


def _by_kind(found: tuple[SourceClass, ...]) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for c in found:
        kinds.setdefault(c.kind, []).append(c.name)
    return kinds
