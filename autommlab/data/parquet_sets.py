"""Hugging Face's parquet files with pictures inside, unpacked once to an `imagefolder` under the project's home.

Names of classes come from the features that the `datasets` library writes into the schema. Pictures stay as they are.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.common.environment import home
from autommlab.common.errors import DataError
from autommlab.data.archives import unpacked_once
from autommlab.data.names import clean_name
from autommlab.data.readers import boxes, files

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS_AT_ONCE = 64
_MOST_PICTURE_BYTES = 1 << 30
_MAGIC = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"RIFF": ".webp",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
}
_NUMBERED = re.compile(r"-\d+-of-\d+$")


def parquet_files(root: Path) -> list[Path]:
    """The parquet files of a set: at its top, in `data/` or in folders of splits."""
    places = [root, root / "data", *files.split_folders(root), *files.split_folders(root / "data")]
    return [path for place in places for path in files.listed(place, ".parquet")]


def unpacked_pictures(root: Path, found: list[Path]) -> Path:
    """An imagefolder with the pictures and annotations of the parquet files; made unless these very files were before.

    Raises:
        DataError: a file is broken, or no column holds pictures.
        StorageError: the disk cannot be written.
    """
    return unpacked_once(found, root.name, lambda folder: _unpack(root, found, folder))


def _unpack(root: Path, found: list[Path], folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    classes: dict[str, None] = {}
    left = shutil.disk_usage(folder).free
    for path in found:
        split = files.split_of(_NUMBERED.sub("", path.stem)) or files.split_of(path.parent.name) or "data"
        (folder / split).mkdir(exist_ok=True)
        try:
            with pq.ParquetFile(path) as content, (folder / split / "metadata.jsonl").open("a") as table:
                rows = _Rows(root, path, content)
                classes |= dict.fromkeys(rows.classes)
                for number, (picture, row) in enumerate(rows):
                    left -= len(picture)
                    if left < 0:
                        raise DataError(f"{path}: its pictures do not fit on the disk of {home()}. Free space there.")
                    name = f"{path.stem}-{number:07d}{_suffix(picture)}"
                    (folder / split / name).write_bytes(picture)
                    table.write(json.dumps({"file_name": name, **row}) + "\n")
        except (pa.ArrowException, UnicodeError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the disk; those of the format have no number
            what = files.readable(str(error)[:300])
            raise DataError(f"{path}: not a usable parquet file ({what}). Download it again.") from error
    if classes:
        (folder / "classes.txt").write_text("\n".join(classes) + "\n", encoding="utf-8")


def _suffix(picture: bytes) -> str:
    # What has none of these beginnings is told when it is opened.
    return next((suffix for magic, suffix in _MAGIC.items() if picture.startswith(magic)), ".png")


class _Rows:
    """The rows of a file that have a picture, with label or objects by name."""

    def __init__(self, root: Path, path: Path, content: pq.ParquetFile) -> None:
        import pyarrow as pa

        self._root, self._content = root, content
        schema = content.schema_arrow
        pictured = [
            field.name
            for field in schema
            if pa.types.is_struct(field.type) and {"bytes", "path"} <= {inner.name for inner in field.type}
        ]
        if not pictured:
            raise DataError(
                f"{path}: no column holds pictures (a struct of bytes and path, as the datasets library writes it). "
                f"Columns: {files.readable(', '.join(schema.names)[:300])}."
            )
        self._image, self._features = pictured[0], _features(schema)
        self._kept = [name for name in ("label", "labels", "objects") if name in schema.names and name not in pictured]

    @property
    def classes(self) -> list[str]:
        """Names of the classes in their order."""
        return [clean_name(name) for kept in self._kept for name in _class_names(self._features.get(kept))]

    def __iter__(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        names = [clean_name(name) for kept in self._kept for name in _class_names(self._features.get(kept))]
        for batch in self._content.iter_batches(_ROWS_AT_ONCE, columns=[self._image, *self._kept]):
            for row in batch.to_pylist():
                picture = self._picture(row[self._image])
                if picture:
                    yield picture, {kept: _named(row[kept], names) for kept in self._kept}

    def _picture(self, value: Any) -> bytes:
        """The content of a picture, from the row or from a file of the set; empty where there is none."""
        given = value or {}
        if isinstance(given.get("bytes"), bytes) and len(given["bytes"]) <= _MOST_PICTURE_BYTES:
            return given["bytes"]
        path = files.inside(self._root, self._root, str(given.get("path") or ""))
        return files.read_bytes(path, _MOST_PICTURE_BYTES) if path and files.is_regular(path) else b""


def _features(schema: pa.Schema) -> dict[str, Any]:
    """What the datasets library notes of the columns; {} where another program wrote the file."""
    try:
        noted = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        found = noted["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _class_names(feature: Any, depth: int = 0) -> list[str]:
    """Names of the first ClassLabel in a feature, however it is nested."""
    if depth > 8:
        return []
    if isinstance(feature, dict):
        names = feature.get("names")
        if feature.get("_type") == "ClassLabel" and isinstance(names, list):
            return [name for name in names if isinstance(name, str)]
        feature = list(feature.values())
    inner = (_class_names(each, depth + 1) for each in feature) if isinstance(feature, list) else ()
    return next((names for names in inner if names), [])


def _named(value: Any, names: list[str]) -> Any:
    """A label or the categories of objects by name."""
    if isinstance(value, dict):
        return {str(key): each if key == "bbox" else _named(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_named(each, names) for each in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return names[value] if 0 <= value < len(names) else value
    return value if isinstance(value, str) or boxes.number(value) is not None else None
