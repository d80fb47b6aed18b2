"""What the reader of a large data set found, kept in `home()` so that the annotations are parsed once.

An entry counts as long as every file of the set has the size and the times that it had, and the readers are the same.
It is a cache: a damaged or old one is made anew, and without it everything works, slower.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import stat
import time
from functools import cache
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray

from autommlab import bundle_runtime
from autommlab.common.columns import map_columns, write_columns
from autommlab.common.environment import home
from autommlab.common.errors import StorageError
from autommlab.data import names, readers, records
from autommlab.data.drawn_masks import DrawnMask
from autommlab.data.readers.files import is_system_folder
from autommlab.data.readers.reader import uncollected
from autommlab.data.records import SPLITS, DatasetSpec, Instance, KeypointLayout, LoadedDataset, Problem, Sample

#: Sets of fewer pictures are read faster than a person notices.
LEAST_IMAGES = 1000
#: Most sets that are kept; the one that was made longest ago goes first.
_KEPT = 32
#: A file that changed this lately may change again without a new time: file systems count in steps of up to 2 s.
_SETTLED_NS = 2_000_000_000
#: A folder of more files is not gone through.
_MOST_FILES = 3_000_000
_NONE = np.iinfo(np.int32).min
_SPLITS = (*SPLITS, "")

_log = logging.getLogger(__name__)


class _State(NamedTuple):
    """All files of a set: hash of their paths, sizes and times, and when the last one changed (ns of Unix time)."""

    digest: str
    newest_ns: int


def read_indexed(spec: DatasetSpec) -> LoadedDataset:
    """The data set, from the index where that is up to date, else as its reader finds it.

    Raises:
        DataError: nothing can be read.
    """
    state = _state(spec.root)
    found = _stored(spec, state.digest) if state else None
    if found is None:
        found = readers.get(spec.layout).read(spec)
        if state and len(found.samples) >= LEAST_IMAGES and state.newest_ns < time.time_ns() - _SETTLED_NS:
            _store(spec, found, state.digest)
    return found


def forget(spec: DatasetSpec) -> None:
    """Delete what is kept of a set."""
    _file(spec).unlink(missing_ok=True)


def _file(spec: DatasetSpec) -> Path:
    key = hashlib.sha256(json.dumps([os.fspath(spec.root), spec.task, spec.layout]).encode("utf-8", "surrogateescape"))
    return home() / "index" / f"{key.hexdigest()[:24]}.arrow"


def _state(root: Path) -> _State | None:
    """None where that cannot be told: too many files, or a folder that cannot be read."""
    digest = hashlib.blake2b(_readers_digest(), digest_size=16)
    newest, count, waiting, seen = 0, 0, [os.fspath(root)], set()
    try:
        while waiting:
            folder = waiting.pop()
            here = os.stat(folder)  # noqa: PTH116 - a quarter of a million times
            if (here.st_dev, here.st_ino) in seen or is_system_folder(Path(folder)):
                continue
            seen.add((here.st_dev, here.st_ino))
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
            count += len(listed)
            if count > _MOST_FILES:
                return None
            for entry in listed:
                found = _stat(entry)
                if found and stat.S_ISDIR(found.st_mode):
                    waiting.append(entry.path)
                told = (found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns) if found else ()
                times = told[2:] if found and not stat.S_ISDIR(found.st_mode) else ()
                digest.update(os.fsencode(f"{entry.path}\0{told if times else ''}\n"))
                newest = max(newest, *times, 0)
    except OSError:
        return None
    return _State(digest.hexdigest(), newest)


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:  # a link that leads nowhere
        return None


@cache
def _readers_digest() -> bytes:
    """Of the code that reads sets: another version may find something else."""
    own = [Path(str(module.__file__)) for module in (names, records)]
    folders = [Path(str(package.__file__)).parent for package in (readers, bundle_runtime)]
    found = hashlib.blake2b(PIL.__version__.encode(), digest_size=16)
    for file in (*own, *(file for folder in folders for file in sorted(folder.glob("*.py"))), Path(__file__)):
        found.update(file.read_bytes())
    return found.digest()


def _store(spec: DatasetSpec, found: LoadedDataset, state: str) -> None:
    """Keep a set, but not one with files outside of its folder, whose changes nobody would see, or with drawn masks."""
    if any(isinstance(sample.mask, DrawnMask) for sample in found.samples):
        return
    root = os.path.join(spec.root, "")  # noqa: PTH118
    images = [str(sample.image) for sample in found.samples]
    masks = [str(sample.mask or "") for sample in found.samples]
    if not all(path.startswith(root) for path in (*images, *filter(None, masks))):
        return
    arrays, mask_maps = _columns(found, [path[len(root) :] for path in images], [path[len(root) :] for path in masks])
    record = {
        "state": state,
        "digest": _digest(arrays),
        "given": [spec.classes, spec.aliases],
        "classes": found.classes,
        "aliases": found.spec.aliases,
        "keypoints": dataclasses.asdict(found.keypoints) if found.keypoints else None,
        "problems": [dataclasses.asdict(problem) for problem in found.unreadable],
        "mask_maps": mask_maps,
    }
    target = _file(spec)
    try:
        write_columns(target, arrays, {"record": json.dumps(record)})
        kept = sorted(target.parent.glob("*.arrow"), key=lambda file: file.stat().st_mtime_ns)
        for file in kept[:-_KEPT]:
            file.unlink(missing_ok=True)
    except (OSError, StorageError, UnicodeEncodeError) as error:
        _log.warning("%s: what was read of it cannot be kept (%s); it is read again next time", spec.name, error)


def _columns(
    found: LoadedDataset, images: list[str], masks: list[str]
) -> tuple[dict[str, NDArray[Any]], list[tuple[tuple[int, int], ...]]]:
    samples = found.samples
    objects = [item for sample in samples for item in sample.instances]
    points = [point for item in objects for point in item.keypoints]
    mask_maps = list(dict.fromkeys(sample.mask_map for sample in samples))
    order = {mask_map: at for at, mask_map in enumerate(mask_maps)}
    labels = [_NONE if sample.label is None else sample.label for sample in samples]
    arrays: dict[str, NDArray[Any]] = {
        "images": np.frombuffer("\n".join(images).encode(), np.uint8),
        "masks": np.frombuffer("\n".join(masks).encode(), np.uint8),
        "sizes": np.array([(sample.width, sample.height) for sample in samples], np.int64).reshape(-1, 2),
        "splits": np.array([_SPLITS.index(sample.split) for sample in samples], np.int8),
        "labels": np.array(labels, np.int32),
        "mask_maps": np.array([order[sample.mask_map] for sample in samples], np.int32),
        "objects": np.array([len(sample.instances) for sample in samples], np.int32),
        "object_labels": np.array([item.label for item in objects], np.int32),
        "boxes": np.fromiter(chain.from_iterable(item.bbox for item in objects), np.float64).reshape(-1, 4),
        "crowds": np.array([item.is_crowd for item in objects], bool),
        "areas": np.array([item.area for item in objects], np.float64),
        "object_points": np.array([len(item.keypoints) for item in objects], np.int32),
        "points": np.fromiter(chain.from_iterable(points), np.float64).reshape(-1, 3),
    }
    return arrays, mask_maps


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for name, array in sorted(arrays.items()):
        found.update(f"{name}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).view(np.uint8).data)
    return found.hexdigest()


def _stored(spec: DatasetSpec, state: str) -> LoadedDataset | None:
    """The set as it is kept; None where it is not, is out of date, or damaged."""
    try:
        arrays, told = map_columns(_file(spec))
        record = json.loads(told["record"])
        if record["state"] != state or _digest(arrays) != record["digest"]:
            return None
        aliases = {name: tuple(others) for name, others in record["aliases"].items()}
        if spec.aliases not in (aliases, {name: tuple(others) for name, others in record["given"][1].items()}):
            return None
        with uncollected():
            samples = _samples(os.path.join(spec.root, ""), arrays, record["mask_maps"])  # noqa: PTH118
    except (OSError, ValueError, KeyError, TypeError):
        return None
    classes = tuple(record["classes"])
    points = record["keypoints"]
    layout = KeypointLayout(**{key: _as_tuple(value) for key, value in points.items()}) if points else None
    spec = spec.model_copy(update={"classes": classes, "aliases": aliases})
    return LoadedDataset(spec, classes, samples, layout, [Problem(**problem) for problem in record["problems"]])


def _samples(root: str, arrays: dict[str, NDArray[Any]], mask_maps: list[list[list[int]]]) -> list[Sample]:
    images, masks = (bytes(arrays[name]).decode().split("\n") for name in ("images", "masks"))
    maps = [_as_tuple(mask_map) for mask_map in mask_maps]
    ends = list(accumulate(arrays["objects"].tolist(), initial=0))
    objects = _objects(arrays)
    columns = (arrays[name].tolist() for name in ("sizes", "splits", "labels", "mask_maps"))
    return [
        Sample(
            Path(root + image), width, height, _SPLITS[split], None if label == _NONE else label,
            tuple(objects[start:end]), Path(root + mask) if mask else None, maps[at],
        )
        for image, mask, (width, height), split, label, at, start, end in zip(
            images, masks, *columns, ends[:-1], ends[1:], strict=True
        )
    ]  # fmt: skip


def _objects(arrays: dict[str, NDArray[Any]]) -> list[Instance]:
    if len(arrays["points"]):
        every = [(x, y, int(v)) for x, y, v in arrays["points"].tolist()]
        ends = list(accumulate(arrays["object_points"].tolist(), initial=0))
        points = [tuple(every[start:end]) for start, end in pairwise(ends)]
    else:
        points = [()] * len(arrays["object_labels"])
    labels, boxes, crowds, areas = (arrays[name].tolist() for name in ("object_labels", "boxes", "crowds", "areas"))
    return list(map(Instance, labels, map(tuple, boxes), points, crowds, areas))


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
