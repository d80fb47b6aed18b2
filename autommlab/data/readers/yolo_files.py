"""Where YOLO sets keep their class names, their splits, their images and the label file of each image.

`data.yaml` of Ultralytics, `obj.data` and lists of Darknet, or just images with their labels beside or in `labels/`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from autommlab.common.errors import DataError
from autommlab.data.readers import boxes, files
from autommlab.data.readers.lookup import Finder
from autommlab.data.readers.shapes import AnySplit
from autommlab.data.records import Problem, Split

#: Largest file of settings or names; a thousand classes take about 20 kB.
_CONFIG_BYTES = 1 << 18
_MOST_CLASSES = 10_000
_PREFERRED = ("data.yaml", "data.yml", "dataset.yaml")
_SPLIT_KEYS: dict[str, Split] = {"train": "train", "val": "val", "valid": "val", "test": "test"}
_NAMES_KEY, _SPLIT_KEY = re.compile(rb"^names\s*:", re.MULTILINE), re.compile(rb"^(train|val|test)\s*:", re.MULTILINE)
_POINTS_KEY = re.compile(rb"^kpt_shape\s*:", re.MULTILINE)
#: Images whose labels are looked at to recognise a set, and files of any kind that may lie before them.
_LOOKED_AT, _LOOKED_FOR = 40, 50_000


@dataclass(slots=True)
class YoloSet:
    """What a set says of itself.

    Attributes:
        source: the file that says it, for messages; the root where there is none.
        names: classes in index order; () where nothing lists them.
        images: (image, split) in the order of the set.
        points: `kpt_shape`: number of points and numbers for each; None without points.
        flip: `flip_idx`: for each point the one that it becomes in a mirror.
        point_names: `kpt_names`; () where nothing lists them.
    """

    source: Path
    names: tuple[str, ...] = ()
    images: list[tuple[Path, AnySplit]] = field(default_factory=list)
    points: tuple[int, int] | None = None
    flip: tuple[int, ...] = ()
    point_names: tuple[str, ...] = ()


def has_points(root: Path) -> bool:
    """Whether the set's settings speak of keypoints."""
    config = _yaml_file(root)
    return config is not None and _POINTS_KEY.search(_start(config)) is not None


def first_labels(root: Path) -> Iterator[Path]:
    """Label files of some of a folder's images, without reading the whole set."""
    for top, _ in [*_split_tops(root), (root, "")]:
        pictures = filter(files.is_image, islice(files.walk(top), _LOOKED_FOR))
        found = [label for image in islice(pictures, _LOOKED_AT) if (label := label_of(root, image))]
        yield from found
        if found:
            return


def label_of(root: Path, image: Path) -> Path | None:
    """The label file of an image: in `labels/` where the image lies in `images/`, or beside it; None for none."""
    parts = list(image.relative_to(root).parts) if image.is_relative_to(root) else []
    folders = [part.lower() for part in parts[:-1]]
    options = []
    if "images" in folders:
        at = len(folders) - 1 - folders[::-1].index("images")
        options.append(root.joinpath(*parts[:at], "labels", *parts[at + 1 :]))
    options.append(image)
    found = (option.with_suffix(".txt") for option in options)
    return next((path for path in found if files.is_regular(path)), None)


def describe(root: Path, problems: list[Problem]) -> YoloSet:
    """The set in a folder.

    Raises:
        DataError: its settings cannot be read, or name no class.
    """
    config = _yaml_file(root)
    if config is not None:
        return _of_yaml(root, config, problems)
    for path in files.listed(root, ".data"):
        if found := _of_darknet(root, path, problems):
            return found
    lists = [(split, root / f"{split}.txt") for split in ("train", "val", "test")]
    found = YoloSet(root, _loose_names(root))
    for split, path in lists:
        if files.is_regular(path):
            found.images += _entry(root, path.name, _SPLIT_KEYS[split], files.shown(root, path), problems)
    if not found.images:
        found.images = [(image, split) for top, split in _split_tops(root) for image in _pictures(top)]
    if not found.images:
        found.images = [(image, "") for image in _pictures(root)]
    return found


def _split_tops(root: Path) -> list[tuple[Path, AnySplit]]:
    parents = (root, root / "images")
    return [(top, split) for parent in parents for top, split in files.split_folders(parent).items()]


def _pictures(top: Path) -> Iterator[Path]:
    return (path for path in files.walk(top) if files.is_image(path))


def _start(path: Path) -> bytes:
    with path.open("rb") as content:
        return content.read(_CONFIG_BYTES)


def _yaml_file(root: Path) -> Path | None:
    """The settings of a set: a YAML file at its top that has names and a split."""
    found = {path.name.lower(): path for path in files.listed(root, ".yaml", ".yml")}
    ordered = [found[name] for name in _PREFERRED if name in found]
    ordered += [path for name, path in found.items() if name not in _PREFERRED]
    fitting = (p for p in ordered if _NAMES_KEY.search(text := _start(p)) and _SPLIT_KEY.search(text))
    return next(fitting, None)


def _of_yaml(root: Path, path: Path, problems: list[Problem]) -> YoloSet:
    content = _read_yaml(path)
    where = files.shown(root, path)
    names = _names(content.get("names"), path)
    declared = boxes.number(content.get("nc"))
    if declared is not None and declared != len(names):
        what = f"nc is {declared:g}, but {len(names)} names are listed; the names count"
        problems.append(Problem("bad-annotation", where, what, "correct nc", "warning"))
    found = YoloSet(path, names, points=_points(content.get("kpt_shape")))
    found.flip = tuple(int(number) for number in boxes.finite_numbers(content.get("flip_idx")) or ())
    found.point_names = _point_names(content.get("kpt_names"))
    base = content.get("path")
    for key, split in _SPLIT_KEYS.items():
        given = content.get(key)
        for entry in given if isinstance(given, list) else [given]:
            if isinstance(entry, str) and entry.strip():
                options = [f"{base}/{entry}"] if isinstance(base, str) and not entry.startswith("/") else []
                found.images += _entry(root, entry, split, f"{where}, {key}", problems, options)
    return found


def _read_yaml(path: Path) -> dict[str, Any]:
    """Text, lists and tables alone: a class called `no` stays a name."""
    import yaml

    try:
        text = files.read_bytes(path, _CONFIG_BYTES).decode("utf-8-sig")
        content = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes no other object than these
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        lines = files.readable(" ".join(str(error).split())[:300]) or "nested too deeply"
        raise DataError(f"{path}: not valid YAML: {lines}. Export the data set again.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no table. Expected names and train, val or test.")
    return content


def _names(given: object, path: Path) -> tuple[str, ...]:
    """Of a list, or of a table from index to name."""
    if isinstance(given, list):
        listed = dict(enumerate(given))
    elif isinstance(given, dict):
        listed = {int(key): name for key, name in given.items() if isinstance(key, str) and key.isdecimal()}
    else:
        listed = {}
    if not listed or max(listed) >= _MOST_CLASSES:
        what = f"names has an index over {_MOST_CLASSES - 1}" if listed else "names lists no class"
        raise DataError(f"{path}: {what}. Expected a list of names, or a table such as 0: cat.")
    # A nested value is no name, and its text could be endless.
    plain = {index: name for index, name in listed.items() if isinstance(name, str) and name.strip()}
    return tuple(plain.get(index, f"class{index}") for index in range(max(listed) + 1))


def _points(given: object) -> tuple[int, int] | None:
    shape = boxes.finite_numbers(given, 2)
    return (int(shape[0]), int(shape[1])) if shape and 1 <= shape[0] <= 1000 and shape[1] in (2, 3) else None


def _point_names(given: object) -> tuple[str, ...]:
    """Of a list, or of a table from class to its list; the first class decides."""
    if isinstance(given, dict):
        given = next(iter(given.values()), None)
    named = given if isinstance(given, list) else []
    return tuple(name for name in named if isinstance(name, str)) if all(isinstance(n, str) for n in named) else ()


def _of_darknet(root: Path, path: Path, problems: list[Problem]) -> YoloSet | None:
    """As Darknet keeps it: `obj.data` with lines "train = data/train.txt" and the file of names."""
    if path.stat().st_size > _CONFIG_BYTES:
        return None
    pairs = (line.partition("=") for line in files.read_lines(path) if "=" in line)
    content = {key.strip(): value.strip() for key, _, value in pairs}
    names = _below(root, content.get("names", ""))
    if names is None or not files.is_regular(names):
        return None
    found = YoloSet(path, tuple(files.read_lines(names)[:_MOST_CLASSES]))
    for key, split in _SPLIT_KEYS.items():
        if content.get(key):
            where = f"{files.shown(root, path)}, {key}"
            found.images += _entry(root, content[key], split, where, problems)
    return found


def _loose_names(root: Path) -> tuple[str, ...]:
    """Names of a set without settings: a list of classes at the top or among the labels."""
    if named := files.named_classes(root):
        return named
    tops = [root / "labels", *(top for top, _ in _split_tops(root)), *(top / "labels" for top, _ in _split_tops(root))]
    for path in [*files.listed(root, ".names"), *(top / "classes.txt" for top in tops)]:
        if files.is_regular(path):
            return tuple(files.read_lines(path)[:_MOST_CLASSES])
    return ()


def _entry(
    root: Path, entry: str, split: AnySplit, where: str, problems: list[Problem], first: list[str] | None = None
) -> list[tuple[Path, AnySplit]]:
    """The images of a folder or of a list of images, as settings name it."""
    place = next((path for name in [*(first or []), entry] if (path := _below(root, name))), None)
    if place is None:
        # A split that a set names and lacks is usual: people take the test pictures out.
        what = f"{entry[:200]!r} is no folder and no list below the set's folder; the split is left out"
        problems.append(Problem("missing-split", where, what, "put it there, or correct the path", "warning"))
        return []
    if place.is_dir():
        return [(image, split) for image in _pictures(place)]
    return [(image, split) for image in _listed(root, place, problems)]


def _below(root: Path, name: str) -> Path | None:
    """The file or folder that a path of another machine means: the longest end of it that lies in the set."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", ".", "..")]
    for start in range(len(parts)):
        path = files.inside(root, root, "/".join(parts[start:]))
        if path is not None and (files.is_regular(path) or _is_folder(path)):
            return path
    return None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir() and not files.is_system_folder(path)
    except (OSError, ValueError):
        return False


def _listed(root: Path, listing: Path, problems: list[Problem]) -> Iterator[Path]:
    finder = Finder(root, [listing.parent, root])
    for number, line in enumerate(files.read_lines(listing), start=1):
        where = f"{files.shown(root, listing)}, line {number}"
        # CVAT's lists begin with a folder "data" that its archives lack.
        found = finder.find(where, line, *([line.partition("/")[2]] if "/" in line.strip("/") else []))
        if isinstance(found, Problem):
            problems.append(found)
        elif files.is_image(found):
            yield found
