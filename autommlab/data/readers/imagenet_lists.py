"""Classification: lists of "path label" as mmpretrain's ImageNet reads them.

`meta/{train,val,test}.txt` with one image a line, relative to the split's folder or to the root;
a split without a list may be class folders instead (`train/n01440764/*.JPEG`), as people keep ImageNet.
"""

import re
from pathlib import Path

from autommlab.common.errors import DataError
from autommlab.data.readers import files, images
from autommlab.data.readers.lookup import Finder
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.synsets import imagenet_synsets, is_synset, readable_classes
from autommlab.data.records import SPLITS, DatasetSpec, LoadedDataset, Problem, Sample, Split
from autommlab.tasks import Task

_WORD_FILES = ("synset_words.txt", "LOC_synset_mapping.txt")
_LINE = re.compile(r"(?P<path>.+?)[\s,]+(?P<label>-?\d{1,9})")

#: Letters of a line that are looked at to recognise the layout.
_LONGEST_LINE = 4096
#: Lines before the first "path label": the heading of a table.
_HEADING_LINES = 1

Entry = tuple[Path, int, Split]


def _lists(root: Path) -> dict[Split, Path]:
    return {split: path for split in SPLITS for path in (root / "meta" / f"{split}.txt",) if files.is_regular(path)}


def detect(root: Path) -> tuple[Task, ...]:
    """Classification where one of a list's first lines is "path label"."""
    for path in _lists(root).values():
        with path.open(encoding="utf-8", errors="replace") as lines:
            matches = [_LINE.fullmatch(lines.readline(_LONGEST_LINE).strip()) for _ in range(_HEADING_LINES + 1)]
        if any(match and files.is_image(match["path"]) for match in matches):
            return (Task.CLASSIFICATION,)
    return ()


def read(spec: DatasetSpec) -> LoadedDataset:
    """All lists, then class folders of the splits that have no list."""
    root, problems, entries = spec.root, list[Problem](), list[Entry]()
    lists = _lists(root)
    if not lists:
        raise DataError(f"{root / 'meta'}: no train.txt, val.txt or test.txt. Expected {READER.summary}.")
    for split, path in lists.items():
        entries += _read_list(root, split, path, problems)
    named, synonyms = _listed_classes(root)
    entries += _read_folders(root, set(lists), problems)
    names = named or _names_from_paths(entries)
    bad = [entry for entry in entries if not 0 <= entry[1] < len(names)]
    problems += [_unknown_label(root, path, label, len(names)) for path, label, _ in bad]
    good = [entry for entry in entries if 0 <= entry[1] < len(names)]
    measured = images.sizes(root, [path for path, _, _ in good], problems)
    samples = [
        Sample(image=path, width=size[0], height=size[1], split=split, label=label)
        for (path, label, split), size in zip(good, measured, strict=True)
        if size
    ]
    classes, aliases = readable_classes(names, synonyms=synonyms)
    spec = spec.model_copy(update={"classes": classes, "aliases": {**aliases, **spec.aliases}})
    return LoadedDataset(spec, classes, samples, unreadable=problems)


def _read_list(root: Path, split: Split, path: Path, problems: list[Problem]) -> list[Entry]:
    entries: list[Entry] = []
    finder = Finder(root, [root / split, root])
    lines = files.read_lines(path)
    if lines and not any(_LINE.fullmatch(line) for line in lines):
        problems.append(files.unlabelled(split, files.shown(root, path), len(lines), "have no label in the list"))
        return []
    for number, line in enumerate(lines, start=1):
        where = f"{files.shown(root, path)}, line {number}"
        match = _LINE.fullmatch(line)
        if match is None:
            what = f"{line[:200]!r} is not 'path label'; left out"
            problems.append(Problem("bad-annotation", where, what, "write 'path label'"))
            continue
        found = finder.find(where, match["path"])
        if isinstance(found, Problem):
            problems.append(found)
        else:
            entries.append((found, int(match["label"]), split))
    return entries


def _read_folders(root: Path, listed: set[Split], problems: list[Problem]) -> list[Entry]:
    """Splits without a list: label = position of the class folder, as ImageNet's lists number them."""
    entries: list[Entry] = []
    for top, split in files.split_folders(root).items():
        folders = files.subfolders(top)
        if split in listed or not folders:
            continue
        for label, folder in enumerate(folders):
            entries += [(path, label, split) for path in files.walk(folder) if files.is_image(path)]
    return entries


def _listed_classes(root: Path) -> tuple[list[str], bool]:
    """Class names in label order, and whether each is a line of synonyms."""
    for folder in (root, root / "meta"):
        for name in _WORD_FILES:
            if files.is_regular(folder / name):
                lines = files.read_lines(folder / name)
                return [re.sub(r"^n\d{8}\s+", "", line) for line in lines], True
        if names := files.named_classes(folder):
            return list(names), False
    return [], False


def _names_from_paths(entries: list[Entry]) -> list[str]:
    """Names where no class list is given: the class folder above the images of each label."""
    folders: dict[int, set[str]] = {}
    for path, label, split in entries:
        parent = path.parent.name
        folders.setdefault(label, set()).add("" if parent == split else parent)
    # A mistyped label of a million must not become a million classes.
    count = max((label for label in folders if 0 <= label < len(entries) + 1000), default=-1) + 1
    if all(len(folders.get(label, {""}) - {""}) == 1 for label in range(count)):
        return [next(iter(folders[label] - {""})) for label in range(count)]
    known = imagenet_synsets()
    # Validation lists of ImageNet itself name no class anywhere; its 1,000 labels are fixed.
    if count == len(known) and any(path.name.startswith("ILSVRC2012_") for path, _, _ in entries[:10]):
        return known
    named = {label: next(iter(names - {""})) for label, names in folders.items() if len(names - {""}) == 1}
    synsets = all(is_synset(name) for name in named.values())
    return [named[label] if label in named and synsets else f"class{label}" for label in range(count)]


def _unknown_label(root: Path, path: Path, label: int, count: int) -> Problem:
    return Problem(
        "unknown-class",
        files.shown(root, path),
        f"label {label} has no class: labels go from 0 to {count - 1}; left out",
        "correct the label, or add the class to meta/classes.txt",
    )


READER = Reader(
    "imagenet-lists",
    (Task.CLASSIFICATION,),
    "meta/train.txt and meta/val.txt with lines 'path label', images below train/ and val/, "
    "optionally meta/classes.txt or synset_words.txt",
    detect,
    read,
)
