"""The annotations of a detection dataset in a file that trial processes map: parsed once on a node, shared by all.

The file lies hidden beside the JSON that it is made from. Dots keep it out of copies of the run: a node makes its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray

from autommlab.common.columns import Arrays, map_columns, write_columns
from autommlab.data.readers.coco_tables import read_tables


class MappedImages(Sequence[dict[str, Any]]):
    """Images and boxes of a split, in the form of mmdetection's CocoDataset; each is made when it is asked for.

    Args:
        annotations: COCO JSON of a dataset of ours: ids of images ascend from 1, categories are 1 + label.

    Raises:
        OSError: the file beside it cannot be written or read.
    """

    def __init__(self, annotations: Path) -> None:
        self._annotations = annotations
        self._arrays = _mapped(annotations)

    def __reduce__(self) -> tuple[type[MappedImages], tuple[Path]]:
        return MappedImages, (self._annotations,)  # another process maps the file itself

    def __len__(self) -> int:
        return len(self._arrays["sizes"])

    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        row = at % len(self)
        arrays = self._arrays
        start, end = arrays["path_ends"][row : row + 2].tolist()
        width, height = arrays["sizes"][row].tolist()
        return {
            "img_path": bytes(arrays["paths"][start:end]).decode(),
            "img_id": row + 1,
            "seg_map_path": None,
            "height": height,
            "width": width,
            "instances": self._instances(slice(*arrays["object_ends"][row : row + 2].tolist())),
        }

    def _instances(self, which: slice) -> list[dict[str, Any]]:
        crowds, boxes, labels = (self._arrays[name][which].tolist() for name in ("crowds", "boxes", "labels"))
        return [
            {"ignore_flag": int(crowd), "bbox": box, "bbox_label": label}
            for crowd, box, label in zip(crowds, boxes, labels, strict=True)
        ]


def _mapped(annotations: Path) -> Arrays:
    target = annotations.with_name(f".{annotations.stem}.arrow")
    if (found := _up_to_date(target, annotations)) is not None:
        return found
    with filelock.FileLock(target.with_suffix(".lock")):  # many trials of a node begin at once
        if (found := _up_to_date(target, annotations)) is None:
            write_columns(target, _objects(annotations), {"source": _mark(annotations)})
            found = map_columns(target).arrays
    return found


def _up_to_date(target: Path, annotations: Path) -> Arrays | None:
    try:
        arrays, told = map_columns(target)
    except (OSError, ValueError):
        return None
    return arrays if told.get("source") == _mark(annotations) else None


def _mark(file: Path) -> str:
    found = file.stat()
    return f"{found.st_size} {found.st_mtime_ns}"


def _objects(annotations: Path) -> Arrays:
    """What mmdetection's CocoDataset keeps of the annotations, as arrays."""
    tables = read_tables(annotations, with_points=False)
    columns = tables["annotations"].columns
    sizes = np.array([(image["width"], image["height"]) for image in tables["images"]], np.int64).reshape(-1, 2)
    paths = [image["file_name"].encode() for image in tables["images"]]
    near, extent = columns.boxes[:, :2], columns.boxes[:, 2:]
    far = near + extent
    rows = columns.images - 1
    seen = np.minimum(far, sizes[rows]) - np.maximum(near, 0) > 0
    kept = np.flatnonzero(seen.all(axis=1) & (extent >= 1).all(axis=1) & (columns.areas > 0))
    kept = kept[np.argsort(rows[kept], kind="stable")]
    found: dict[str, NDArray[Any]] = {
        "paths": np.frombuffer(b"".join(paths), np.uint8),
        "path_ends": np.cumsum([0, *map(len, paths)]),
        "sizes": sizes,
        "object_ends": np.searchsorted(rows[kept], np.arange(len(sizes) + 1)),
        "boxes": np.concatenate([near, far], axis=1)[kept],
        "labels": columns.categories[kept] - 1,
        "crowds": columns.crowds[kept],
    }
    return found
