"""Classification: one folder of images per class, with or without split folders above.

`root/<class>/*.jpg` or `root/{train,val,test}/<class>/*.jpg`; classes are sorted folder names,
as torchvision's and mmpretrain's readers number them, unless a class list orders them.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from autommlab.common.errors import DataError
from autommlab.data.readers import files, images
from autommlab.data.readers.reader import Reader
from autommlab.data.readers.synsets import readable_classes
from autommlab.data.records import DatasetSpec, LoadedDataset, Problem, Sample, Split
from autommlab.tasks import Task


def detect(root: Path) -> tuple[Task, ...]:
    """Classification where at least two class folders hold images, and most folders are such."""
    tops = list(_splits(root)) or [root]
    folders = [folder for top in tops for folder in files.subfolders(top)]
    filled = [folder.name for folder in folders if files.has_images(folder)]
    # Any working folder has two subfolders with a picture somewhere; in a data set they are the rule.
    return (Task.CLASSIFICATION,) if len(set(filled)) >= 2 and 2 * len(filled) > len(folders) else ()


def read(spec: DatasetSpec) -> LoadedDataset:
    """Every image below a class folder; files of other kinds are reported, not read."""
    splits = _splits(spec.root)
    tops: dict[Path, Split | Literal[""]] = dict(splits) if splits else {spec.root: ""}
    problems: list[Problem] = []
    found = {top: _class_folders(top) for top in tops}
    names = _class_names(spec.root, found.values(), problems)
    entries: list[tuple[Path, int, Split | Literal[""]]] = []
    for top, split in tops.items():
        for label, name in enumerate(names):
            for folder in found[top].get(name, ()):
                entries += [(path, label, split) for path in _images(spec.root, folder, problems)]
        _note_loose(spec.root, top, split, problems)
    problems += files.beside_splits(spec.root, spec.root, splits)
    measured = images.sizes(spec.root, [path for path, _, _ in entries], problems)
    samples = [
        Sample(image=path, width=size[0], height=size[1], split=split, label=label)
        for (path, label, split), size in zip(entries, measured, strict=True)
        if size
    ]
    classes, aliases = readable_classes(names)
    spec = spec.model_copy(update={"classes": classes, "aliases": {**aliases, **spec.aliases}})
    return LoadedDataset(spec, classes, samples, unreadable=problems)


def _splits(root: Path) -> dict[Path, Split]:
    """The split folders; none where they are class folders like their neighbours ("bus", "car", "train")."""
    splits = files.split_folders(root)
    classes = [folder for folder in files.subfolders(root) if folder not in splits and files.has_images(folder)]
    alike = all(files.has_images(folder) and not files.subfolders(folder) for folder in splits)
    return {} if classes and alike else splits


def _class_folders(top: Path) -> dict[str, list[Path]]:
    """Class -> its folders: two where one name is there with its accents written in both ways."""
    found: dict[str, list[Path]] = defaultdict(list)
    for folder in files.subfolders(top):
        found[unicodedata.normalize("NFC", folder.name)].append(folder)
    return found


def _class_names(root: Path, tops: Iterable[dict[str, list[Path]]], problems: list[Problem]) -> list[str]:
    found = {name: folders[0] for top in tops for name, folders in top.items()}
    if not found:
        raise DataError(f"{root}: no class folders. Expected {READER.summary}.")
    for name in [name for name in found if not files.is_writable_name(name)]:
        folder = found.pop(name)
        problems.append(files.unwritable(files.shown(root, folder), sum(map(files.is_image, files.walk(folder)))))
    listed = [name for name in files.named_classes(root) if name in found]
    return listed + sorted(found.keys() - set(listed))


def _note_loose(root: Path, top: Path, split: str, problems: list[Problem]) -> None:
    """Tell of pictures that lie beside the class folders, as Kaggle's test pictures do: nothing says their class."""
    loose = files.listed(top, *files.IMAGE_SUFFIXES)
    if loose and split and not files.subfolders(top):
        problems.append(files.unlabelled(split, files.shown(root, top), len(loose), "lie in no class folder"))
    elif loose:
        what = f"{len(loose)} picture(s) lie in no class folder; left out"
        problems.append(Problem("unlabelled-image", files.shown(root, top), what, "sort them into classes", "warning"))


def _images(root: Path, folder: Path, problems: list[Problem]) -> list[Path]:
    found: list[Path] = []
    foreign: list[Path] = []
    others: Counter[str] = Counter()
    for path in files.walk(folder):
        if files.is_image(path):
            found.append(path)
        elif images.is_foreign(path):
            foreign.append(path)
        else:
            others[path.suffix.lower() or path.name] += 1
    problems += images.foreign(root, folder, foreign)
    for suffix, count in others.items():
        problems.append(
            Problem(
                "not-an-image",
                files.shown(root, folder),
                f"{count} file(s) of kind {suffix!r} are not read",
                f"convert images to one of {', '.join(sorted(files.IMAGE_SUFFIXES))}; delete the rest",
                "warning",
            )
        )
    return found


READER = Reader(
    "image-folders",
    (Task.CLASSIFICATION,),
    "<class>/*.jpg or {train,val,test}/<class>/*.jpg",
    detect,
    read,
)
