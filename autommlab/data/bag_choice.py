"""Which data set (or sets) a request's bag is made from."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.common.storage import is_uri
from autommlab.data import registry
from autommlab.data.archives import is_archive
from autommlab.data.match import Match, SourceClass, closest_classes, match_classes, things
from autommlab.data.names import plain_name, singular
from autommlab.data.recognise import recognise
from autommlab.data.records import DatasetSpec, LoadedDataset
from autommlab.data.senses import concrete
from autommlab.tasks import Task

_ADD = "Register a set of your own that has them with: autommlab data add FOLDER"


@dataclass(frozen=True, slots=True)
class Choice:
    """A data set and what its classes give for the objects."""

    spec: DatasetSpec
    match: Match

    def weakness(self) -> tuple[float, float]:
        """Smaller is better: the weakest kind of match used, then the mean over the objects."""
        ranks = [min(c.rank()[0] for c in found) for found in self.match.targets.values()]
        return self.match.worst(), sum(ranks) / max(len(ranks), 1)


def choose_sets(
    objects: Sequence[str],
    task: Task,
    named: Sequence[str],
    data: str | None,
    without: Collection[str] = (),
) -> tuple[list[Choice], list[str]]:
    """The best set for the objects, several only where classification has to merge.

    Args:
        objects: of the request; empty means every class of the named set.
        named: data sets that the request asks for by name.
        data: a set's name or folder that overrides `named`, and is then the only one looked at.
        without: classes that do not count where every class of a set is meant.

    Returns:
        (choices, notes for the report).

    Raises:
        DataError: unknown set, set of another task, or no set with the objects.
    """
    if data is not None:
        return _among([_lessened(_given(data, task), without)], objects, task, asked_for=True), []
    notes: list[str] = []
    asked = [_lessened(spec, without) for spec in _asked_for(named, task, notes)]
    if asked:
        try:
            return _among(asked, objects, task, asked_for=True), notes
        except DataError as error:
            notes.append(f"{' and '.join(s.name for s in asked)}: {str(error).splitlines()[0]} Looked on in all sets.")
    elif not objects:
        names = ", ".join(spec.name for spec in registry.all_specs(task)) or "none"
        raise DataError(
            " ".join([*notes, "The request names neither objects nor a data set that is known."])
            + f" Say what has to be recognised, or name a set with --data. Sets for {task}: {names}."
        )
    try:
        return _among(registry.all_specs(task), objects, task, asked_for=False, notes=notes), notes
    except DataError as error:
        raise DataError("\n".join([str(error), *notes])) from error


def _lessened(spec: DatasetSpec, without: Collection[str]) -> DatasetSpec:
    """The set without some of its classes."""
    if not without:
        return spec
    classes = spec.classes or load_samples(spec).classes
    return spec.model_copy(update={"classes": tuple(name for name in classes if name not in without)})


def load_samples(spec: DatasetSpec, classes: Collection[str] | None = None) -> LoadedDataset:
    """`registry.load_dataset`, the one door through which a bag gets samples."""
    return registry.load_dataset(spec, classes)


def require_known(data: str) -> None:
    """Check that `--data` names a set or a folder; nothing is read.

    Raises:
        DataError: it does not, with near names.
    """
    if (
        not is_uri(data) and not _is_folder(data) and not is_archive(Path(data).expanduser())
    ):  # a storage is fetched from when its turn comes
        registry.find_dataset(data)


def set_given(data: str, task: Task | None = None) -> DatasetSpec:
    """The set that `--data` names.

    Args:
        data: name, folder, or .zip of one.
        task: of several that a folder may serve; None = the only one.

    Raises:
        DataError: unknown set, or a folder with no layout or several.
    """
    if _is_folder(data) or is_archive(Path(data).expanduser()):
        root = Path(data).expanduser().resolve()
        registered = [s for s in registry.all_specs(task) if s.root == root and not s.embedded]
        return registered[0] if registered else recognise(root, task=task)
    return registry.find_dataset(data)


def narrowed(objects: Sequence[str], spec: DatasetSpec) -> tuple[list[str], tuple[str, ...]]:
    """(those of the objects that a set has, those that it lacks)."""
    missing = _choice(spec, objects, asked_for=True).match.missing if objects else ()
    return [name for name in objects if name not in missing], missing


def _is_folder(data: str) -> bool:
    named = any(spec.name.casefold() == data.casefold() for spec in registry.all_specs())
    return not named and os.path.isdir(Path(data).expanduser())  # noqa: PTH112 - `Path.is_dir` raises on long names


def _given(data: str, task: Task) -> DatasetSpec:
    spec = set_given(data, task)
    if spec.task is not task:
        fitting = ", ".join(other.name for other in registry.all_specs(task)) or "none"
        raise DataError(
            f"the data set {spec.name!r} is for {spec.task}, the request asks for {task}. Sets for {task}: {fitting}. "
            "Name one of these with --data, or register one with: autommlab data add FOLDER"
        )
    return spec


def _asked_for(named: Sequence[str], task: Task, notes: list[str]) -> list[DatasetSpec]:
    found = []
    for name in named:
        try:
            spec = registry.find_dataset(name)
        except DataError as error:
            notes.append(f"The request asks for the data set {name!r}: {error}")
            continue
        if spec.task is task:
            found.append(spec)
        else:
            notes.append(f"The request asks for the data set {name!r}, which is for {spec.task}, not {task}.")
    return found


def _among(
    specs: Sequence[DatasetSpec], objects: Sequence[str], task: Task, *, asked_for: bool, notes: list[str] | None = None
) -> list[Choice]:
    choices = []
    for spec in specs:
        try:
            choices.append(_choice(spec, objects, asked_for))
        except DataError as error:
            if asked_for or notes is None:
                raise
            # One broken set of many must not stop a request that another one serves.
            notes.append(f"Left out: {error}")
    if objects:
        full = [choice for choice in choices if not choice.match.missing]
        if full:
            return [_best(full, objects)]
        merged = _cover(choices, objects)
        if merged and task is Task.CLASSIFICATION:
            return merged
        raise DataError(_nothing(objects, choices, task, can_merge=bool(merged)))
    return choices[:1]


def _choice(spec: DatasetSpec, objects: Sequence[str], asked_for: bool) -> Choice:
    if not spec.classes:
        loaded = load_samples(spec)
        spec = loaded.spec.model_copy(update={"classes": loaded.classes})
    usable = things(spec.classes, spec.task)
    if not objects:
        return Choice(spec, Match({name: (SourceClass(name, "exact"),) for name in usable}))
    match = match_classes(objects, usable, spec.aliases)
    alone = len(objects) == 1 and match.missing == tuple(objects)
    sortable = spec.task is Task.CLASSIFICATION or len(usable) == 1
    if alone and sortable and (_says(spec, objects[0]) or (asked_for and not concrete(objects[0]))):
        # "Hand signs" with a set of hand signs whose classes are called 0 to 9: the set is the object.
        # Not so "cats" with that set: of a thing that can be seen the classes would tell.
        match = Match({objects[0]: tuple(SourceClass(name, "near") for name in usable)})
    return Choice(spec, match)


def _says(spec: DatasetSpec, thing: str) -> bool:
    """Whether the set's name and description have every word of an object."""
    told = {singular(word) for word in plain_name(f"{spec.name} {spec.description}").replace(",", " ").split()}
    return {singular(word) for word in plain_name(thing).split()} <= told


def _best(full: Sequence[Choice], objects: Sequence[str]) -> Choice:
    def order(choice: Choice) -> tuple[float, float, bool, bool]:
        spoken_of = any(_says(choice.spec, thing) for thing in objects)
        return (*choice.weakness(), not spoken_of, choice.spec.embedded)

    first = min(map(order, full))
    equal = [choice for choice in full if order(choice) == first]
    return equal[0] if len(equal) == 1 else max(equal, key=_images)


def _images(choice: Choice) -> int:
    """Images of a set that show one of the matched classes."""
    names = {c.name for found in choice.match.targets.values() for c in found}
    loaded = load_samples(choice.spec, names)
    labels = {label for label, name in enumerate(loaded.classes) if name in names}
    return sum(
        s.mask is not None or s.label in labels or any(i.label in labels for i in s.instances) for s in loaded.samples
    )


def _cover(choices: Sequence[Choice], objects: Sequence[str]) -> list[Choice]:
    """Few sets that together have every object, the widest first; empty where there are none."""
    left, merged = set(objects), []
    while left:
        best = min(choices, key=lambda c: (-len(left - set(c.match.missing)), c.weakness()), default=None)
        if best is None or not left - set(best.match.missing):
            return []
        kept = {thing: found for thing, found in best.match.targets.items() if thing in left}
        merged.append(Choice(best.spec, Match(kept, (), best.match.repeated)))
        left &= set(best.match.missing)
    return merged


def _nothing(objects: Sequence[str], choices: Sequence[Choice], task: Task, *, can_merge: bool) -> str:
    wanted = ", ".join(repr(thing) for thing in objects)
    if not choices:
        return f"no data set for {task} is known, so none has {wanted}. {_ADD}"
    lines = [f"no data set for {task} has {'all of ' if len(objects) > 1 else ''}{wanted}."]
    for choice in choices:
        known = things(choice.spec.classes, choice.spec.task)
        near = [f"{m!r} (nearest: {', '.join(closest_classes(m, known))})" for m in choice.match.missing]
        lines.append(f"  {choice.spec.name} has no {', no '.join(near)}")
    if can_merge:
        lines.append(
            f"Sets are not merged for {task}: the images of one have no annotation for the classes of the other. "
            "Ask for the objects in separate runs, or annotate one set with all of them."
        )
    lines.append(
        f"Name one of these classes instead (classes are found by their English names), or: {_ADD[0].lower()}{_ADD[1:]}"
    )
    return "\n".join(lines)
