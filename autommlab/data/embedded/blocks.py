"""The cache of embedded sets: one folder per block, written once, whole or not at all.

A block is the smallest part of a set that is drawn at once (one class). It is drawn into a hidden folder
beside its place and renamed, under a file lock: parallel processes wait for each other, and a killed one
leaves only a hidden folder that the next one removes.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from autommlab.common.errors import StorageError
from autommlab.data.embedded.drawn import Drawn
from autommlab.data.records import Instance, Sample

INDEX = "index.json"
#: Of JPEG, 1..95.
QUALITY = 90


@dataclass(frozen=True, slots=True)
class Block:
    """Where a block lies and what its labels mean.

    Attributes:
        root: folder of the set.
        name: of the block, as people see it.
        classes: of the set; an index written for other classes is not used.
        suffix: ".jpg" or ".png".
    """

    root: Path
    name: str
    classes: tuple[str, ...]
    suffix: str

    @property
    def folder(self) -> Path:
        """Folder of the finished block."""
        return self.root / self.name.replace(" ", "-")

    @property
    def stamp(self) -> str:
        """Fingerprint of the classes."""
        return hashlib.sha256("\n".join(self.classes).encode()).hexdigest()[:16]


def read_block(block: Block) -> list[Sample] | None:
    """The samples of a finished block; None if it is not there, incomplete or of other classes."""
    try:
        index = json.loads((block.folder / INDEX).read_text(encoding="utf-8"))
        if index["stamp"] != block.stamp:
            return None
        samples = [_sample(block.folder, row) for row in index["images"]]
        present = {entry.name for entry in os.scandir(block.folder)}
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    named = {path.name for sample in samples for path in (sample.image, sample.mask) if isinstance(path, Path)}
    return samples if samples and named <= present else None


def write_block(block: Block, images: Iterable[Drawn]) -> list[Sample]:
    """Draw a block unless another process has done so meanwhile; returns its samples.

    Raises:
        StorageError: the cache folder cannot be written.
    """
    try:
        block.root.mkdir(parents=True, exist_ok=True)
        with FileLock(block.root / f".{block.folder.name}.lock"):
            samples = read_block(block)
            if samples is None:
                _draw_into_place(block, images)
                samples = read_block(block)
    except OSError as error:
        raise StorageError(
            f"cannot write the embedded data set into {block.root}: {error}. Free some space or allow writing "
            "there, or let the environment variable AUTOMMLAB_HOME name another folder."
        ) from error
    if samples is None:
        raise StorageError(
            f"{block.folder} changed while it was written; remove the folder {block.root} and try again."
        )
    return samples


def _draw_into_place(block: Block, images: Iterable[Drawn]) -> None:
    draft = block.root / f".{block.folder.name}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        _fill(draft, block, images)
        shutil.rmtree(block.folder, ignore_errors=True)
        draft.rename(block.folder)
    finally:
        # After a failure (full disk) its space is given back; after success it is gone already.
        shutil.rmtree(draft, ignore_errors=True)


def _fill(draft: Path, block: Block, images: Iterable[Drawn]) -> None:
    counts: dict[str, int] = {}
    rows = []
    for drawn in images:
        number = counts.get(drawn.split, 0)
        counts[drawn.split] = number + 1
        rows.append(_save(draft, f"{drawn.split}-{number:04d}", block.suffix, drawn))
    index = json.dumps({"stamp": block.stamp, "images": rows}, separators=(",", ":"))
    (draft / INDEX).write_text(index, encoding="utf-8")


def _save(folder: Path, stem: str, suffix: str, drawn: Drawn) -> list[Any]:
    """Write the files of one image; returns its row of the index (see `_sample`)."""
    name = stem + suffix
    drawn.image.save(folder / name, quality=QUALITY)
    mask = f"{stem}-mask.png" if drawn.mask else None
    if drawn.mask and mask:
        drawn.mask.save(folder / mask)
    objects = [[i.label, i.bbox, i.area, i.keypoints] for i in drawn.instances]
    return [name, drawn.split, drawn.image.width, drawn.image.height, drawn.label, mask, objects]


def _sample(folder: Path, row: list[Any]) -> Sample:
    name, split, width, height, label, mask, objects = row
    return Sample(
        image=folder / name,
        width=width,
        height=height,
        split=split,
        label=label,
        mask=folder / mask if mask else None,
        instances=tuple(
            Instance(kind, tuple(bbox), tuple((x, y, v) for x, y, v in points), area=area)
            for kind, bbox, area, points in objects
        ),
    )
