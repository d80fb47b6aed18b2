"""Hugging Face's parquet: pictures inside become files, labels and boxes keep their names and order."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autommlab.common.errors import DataError
from autommlab.data import registry
from autommlab.data.parquet_sets import parquet_files, unpacked_pictures
from autommlab.data.records import LoadedDataset
from autommlab.tasks import Task
from tests.helpers import layouts


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


CLASS_LABEL = {"names": ["zebra", "ant"], "_type": "ClassLabel"}
FEATURES: dict[str, Any] = {"image": {"_type": "Image"}, "label": CLASS_LABEL}
OBJECTS: dict[str, Any] = {"bbox": {"_type": "Sequence"}, "category": {"feature": CLASS_LABEL, "_type": "Sequence"}}


def parquet(path: Path, columns: dict[str, list[Any]], features: dict[str, Any] | None = None) -> Path:
    """As the datasets library writes it: pictures as a struct of bytes and path, features in the schema."""
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    noted = {b"huggingface": json.dumps({"info": {"features": features}}).encode()} if features else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(noted), path)
    return path


def pictures(folder: Path, count: int) -> list[dict[str, Any]]:
    found = [layouts.image(folder / f"{number}.jpg").read_bytes() for number in range(count)]
    return [{"bytes": content, "path": f"{number}.jpg"} for number, content in enumerate(found)]


def load(root: Path, task: Task | None = None) -> LoadedDataset:
    return registry.load_dataset(registry.add_dataset(root, task=task))


def test_labels_and_splits(tmp_path: Path, home: Path) -> None:
    for split, count in (("train", 4), ("validation", 2), ("test", 2)):
        labels = [at % 2 for at in range(count)]
        columns: dict[str, list[Any]] = {"image": pictures(tmp_path / "raw" / split, count), "label": labels}
        parquet(tmp_path / "animals" / "data" / f"{split}-00000-of-00001.parquet", columns, FEATURES)
    dataset = load(tmp_path / "animals")
    assert (dataset.spec.name, dataset.spec.layout, dataset.unreadable) == ("animals", "hf-imagefolder", [])
    assert dataset.classes == ("zebra", "ant")
    shown = sorted((s.split, s.label) for s in dataset.samples if s.split != "train")
    assert shown == [("test", 0), ("test", 1), ("val", 0), ("val", 1)]
    kept = {sample.image.read_bytes() for sample in dataset.samples if sample.split == "train"}
    assert kept == {path.read_bytes() for path in (tmp_path / "raw" / "train").iterdir()}
    assert dataset.spec.root.is_relative_to(home)


def test_objects(tmp_path: Path) -> None:
    found = [{"bbox": [list(box) for box in layouts.YOLO_BOXES], "category": [1, 0]}] * 3
    columns: dict[str, list[Any]] = {"image": pictures(tmp_path / "raw", 3), "objects": found}
    parquet(tmp_path / "set" / "train.parquet", columns, {"image": {"_type": "Image"}, "objects": OBJECTS})
    dataset = load(tmp_path / "set", Task.DETECTION)
    assert dataset.classes == ("zebra", "ant")
    assert [(i.label, i.bbox) for i in dataset.samples[0].instances] == [
        (1, layouts.YOLO_BOXES[0]),
        (0, layouts.YOLO_BOXES[1]),
    ]


def test_a_table_without_pictures_and_a_broken_file_say_so(tmp_path: Path) -> None:
    path = parquet(tmp_path / "set" / "train.parquet", {"text": ["a"], "label": [1]})
    with pytest.raises(DataError, match=r"no column holds pictures.*Columns: text, label"):
        load(tmp_path / "set")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"train.parquet: not a usable parquet file"):
        load(tmp_path / "set")


def test_a_path_in_a_row_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(layouts.image(tmp_path / "x.jpg").read_bytes())
    rows = [{"bytes": None, "path": path} for path in ("../secret.jpg", str(tmp_path / "secret.jpg"), "in.jpg")]
    layouts.image(tmp_path / "set" / "in.jpg")
    parquet(tmp_path / "set" / "train.parquet", {"image": rows, "label": [0, 1, 1]}, FEATURES)
    assert [sample.label for sample in load(tmp_path / "set").samples] == [1]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), min_size=1, max_size=4))
def test_a_damaged_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, splices: list[tuple[float, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    rows = [{"bytes": b"\x89PNG no picture", "path": "x.png"}] * 3
    path = parquet(folder / "set" / "train.parquet", {"image": rows, "label": [0, 1, 1]}, FEATURES)
    content = bytearray(path.read_bytes())
    for at, fresh in splices:
        start = int(at * len(content))
        content[start : start + len(fresh)] = fresh
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        root = unpacked_pictures(folder / "set", parquet_files(folder / "set"))
        assert all(file.is_relative_to(root) for file in root.rglob("*"))
