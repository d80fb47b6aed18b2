"""Arrays in one file that maps into memory: processes of a machine share its pages, and nothing of it is parsed.

The file is Arrow's IPC format with one row, a list for each array.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autommlab.common.files import replacing

Arrays = Mapping[str, NDArray[Any]]


class Mapped(NamedTuple):
    """What such a file holds.

    Attributes:
        arrays: by name, read-only; a page is read when it is looked at.
        told: texts beside them.
    """

    arrays: dict[str, NDArray[Any]]
    told: dict[str, str]


def write_columns(path: Path, arrays: Arrays, told: Mapping[str, str]) -> None:
    """Replace a file in one step.

    Args:
        path: of the file.
        arrays: by name, of numbers, any shapes.
        told: texts to store beside them.

    Raises:
        OSError: it cannot be written.
    """
    import pyarrow as pa

    fields, columns = [], []
    for name, array in arrays.items():
        flat = np.ascontiguousarray(array).ravel()
        values = pa.array(flat.view(np.uint8) if flat.dtype == bool else flat)
        columns.append(pa.LargeListArray.from_arrays(pa.array([0, len(flat)], pa.int64()), values))
        shape = {"shape": json.dumps(array.shape), "bool": str(flat.dtype == bool)}
        fields.append(pa.field(name, columns[-1].type, metadata=shape))
    batch = pa.record_batch(columns, schema=pa.schema(fields, metadata=dict(told)))
    with replacing(path) as draft, pa.OSFile(str(draft), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def map_columns(path: Path) -> Mapped:
    """Map a file that `write_columns` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    import pyarrow as pa

    try:
        batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        found = {}
        for field, column in zip(batch.schema, batch.columns, strict=True):
            shape = json.loads(field.metadata[b"shape"])
            values = column.values.to_numpy(zero_copy_only=True)
            if len(values) != math.prod(shape):
                raise ValueError(f"{path}: {field.name} has {len(values)} numbers, not {shape}")
            found[field.name] = (values.view(bool) if field.metadata[b"bool"] == b"True" else values).reshape(shape)
        told = {key.decode(): text.decode() for key, text in (batch.schema.metadata or {}).items()}
    except (pa.ArrowException, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: no file of columns ({error})") from error
    return Mapped(found, told)
