"""Damaged and hostile annotation files: each reader gives a data set or a `DataError`, never anything else."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autommlab.common.errors import DataError
from autommlab.data import readers
from autommlab.data.check import check_dataset
from autommlab.data.records import DatasetSpec, LoadedDataset
from autommlab.tasks import Task
from tests.helpers import layouts
from tests.helpers.damage import EXAMPLES

#: Layout -> files of its builder that hold annotations; a file that is not there is one that people add.
ANNOTATIONS: dict[str, tuple[str, ...]] = {
    "image-folders": ("meta.json", "classes.txt"),
    "imagenet-lists": ("meta/train.txt", "meta/val.txt", "synset_words.txt", "meta/classes.txt", "meta.json"),
    "coco-detection": ("annotations/instances_train2017.json", "annotations/instances_val2017.json"),
    "coco-keypoints": ("annotations/person_keypoints_train2017.json", "meta.json"),
    "ap-10k": ("annotations/ap10k-train-split1.json", "meta.json"),
    "cityscapes": ("gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png",),
    "pascal-voc": (
        "Annotations/2007_000000.xml",
        "ImageSets/Main/train.txt",
        "ImageSets/Segmentation/val.txt",
        "classes.txt",
    ),
    "index-masks": ("meta.json", "classes.txt", "ann_dir/train/0.png"),
    "yolo": ("data.yaml", "labels/train/0.txt"),
    "labelme": ("train/0.json", "meta.json"),
    "cvat": ("annotations.xml", "meta.json"),
    "label-studio": ("project-1-at-2026-11-30.json", "meta.json"),
    "hf-imagefolder": ("train/metadata.jsonl", "metadata.csv"),
    "yolo-pose": ("data.yaml", "labels/train/0.txt", "meta.json"),
}
TARGETS = [
    (layout, task, file)
    for layout, names in ANNOTATIONS.items()
    for task in readers.READERS[layout].tasks
    for file in names
]

_TEXT = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", ".", "..", "/", "../../etc/passwd", "C:\\a\\b.jpg", "a\nb 0", "x\0y.jpg", "é" * 300, "\ud800", "1", "7.0"]
    ),
)
_VALUE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 50),
        st.sampled_from([10**400, -(10**30), 0.5, 1e300, float("nan"), float("inf"), True]),
        _TEXT,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(_TEXT, inner, max_size=3)),
    max_leaves=6,
)
_SPLICES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), min_size=1, max_size=4)
_EDITS = st.lists(st.tuples(st.lists(st.integers(0, 40), min_size=1, max_size=5), _VALUE), min_size=1, max_size=4)


def spliced(content: bytes, splices: list[tuple[float, int, bytes]]) -> bytes:
    """Some bytes taken out and others put in."""
    for at, length, fresh in splices:
        start = int(at * len(content))
        content = content[:start] + fresh + content[start + length :]
    return content


def edited(content: bytes, edits: list[tuple[list[int], Any]]) -> bytes:
    """A JSON file with some of its values replaced, or lines of a text replaced by texts."""
    try:
        tree: Any = json.loads(content)
    except ValueError:
        tree = content.decode("utf-8", "replace").splitlines() or [""]
        for path, value in edits:
            tree[path[0] % len(tree)] = value if isinstance(value, str) else json.dumps(value)
        return "\n".join(tree).encode("utf-8", "surrogatepass")
    for path, value in edits:
        at: Any = tree
        for step in path[:-1]:
            keys = list(at) if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else []
            inner = [key for key in keys if isinstance(at[key], dict | list) and at[key]]
            if not inner:
                break
            at = at[inner[step % len(inner)]]
        if isinstance(at, dict | list) and at:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            at[keys[path[-1] % len(keys)]] = value
    return json.dumps(tree).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("sets")
    yield {layout: build(folder / layout) for layout, build in layouts.BUILDERS.items()}


def read(root: Path, layout: str, task: Task) -> LoadedDataset | None:
    """The set, or None where it is refused with a reason."""
    spec = DatasetSpec(name="set", task=task, layout=layout, root=root)
    try:
        readers.READERS[layout].detect(root)
        return readers.get(layout).read(spec)
    except DataError as error:
        assert str(error).isprintable() or "\n" in str(error)
        return None


def stands(root: Path, layout: str, task: Task) -> None:
    """Whatever was read is whole: checked without a fault, and can be written down."""
    dataset = read(root, layout, task)
    if dataset is None:
        return
    for problem in [*check_dataset(dataset), *dataset.unreadable]:
        text = problem.where + problem.what + problem.remedy
        text.encode()
        assert "\n" not in problem.where
        assert "\n" not in problem.what or problem.kind == "of-no-use"
        assert problem.remedy
    for name in dataset.classes:
        assert name.encode()
        assert "\n" not in name
        assert name == name.strip()
    assert len(set(dataset.classes)) == len(dataset.classes)
    for sample in dataset.samples:
        str(sample.image).encode()
        assert "\n" not in str(sample.image)
        assert os.path.commonpath([sample.image, root]) == str(root)
        for item in sample.instances:
            x, y, w, h = item.bbox
            assert 0 <= item.label < len(dataset.classes)
            assert w >= 1 and h >= 1 and x >= 0 and y >= 0 and x + w <= sample.width and y + h <= sample.height
            assert len(item.keypoints) == (len(dataset.keypoints.names) if dataset.keypoints else 0)


def put(root: Path, layout: str, task: Task, file: str, content: bytes, before: bytes | None) -> None:
    (root / file).write_bytes(content)
    try:
        stands(root, layout, task)
    finally:
        if before is None:
            (root / file).unlink()
        else:
            (root / file).write_bytes(before)


def sound(root: Path, file: str) -> bytes | None:
    return (root / file).read_bytes() if (root / file).is_file() else None


#: Files that are edited by value or by line.
_IN_LINES = ("json", "jsonl", "txt", "yaml", "csv")
_QUICK = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
_LONG = settings(max_examples=12 * EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
_EMPTY = {
    ".json": b'{"classes": ["a", "b"], "keypoints": [], "flip_pairs": [[0, 1]], "sigmas": [0.1]}',
    ".txt": b"a\nb\n",
    ".csv": b"file_name,label\ntrain/pictures/0.jpg,indoors\n",
}


def spliced_case(sets: dict[str, Path], target: tuple[str, Task, str], splices: list[tuple[float, int, bytes]]) -> None:
    layout, task, file = target
    before = sound(sets[layout], file)
    put(sets[layout], layout, task, file, spliced(before or _EMPTY[Path(file).suffix], splices), before)


def edited_case(sets: dict[str, Path], target: tuple[str, Task, str], edits: list[tuple[list[int], Any]]) -> None:
    layout, task, file = target
    before = sound(sets[layout], file)
    put(sets[layout], layout, task, file, edited(before or _EMPTY[Path(file).suffix], edits), before)


@pytest.mark.parametrize(
    "target",
    # All tasks of a tool's layout read the same files; the long run damages them for each.
    [t for t in TARGETS if t[0] not in layouts.TOOLS or t[1] is readers.READERS[t[0]].tasks[0]],
    ids=lambda target: f"{target[0]}-{target[1]}-{Path(target[2]).name}",
)
def test_damaged_annotations_end_in_a_data_set_or_a_reason(
    sets: dict[str, Path], target: tuple[str, Task, str]
) -> None:
    _QUICK(given(splices=_SPLICES)(lambda splices: spliced_case(sets, target, splices)))()
    if target[2].endswith(_IN_LINES):
        _QUICK(given(edits=_EDITS)(lambda edits: edited_case(sets, target, edits)))()


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target[0]}-{target[1]}-{Path(target[2]).name}")
def test_many_damaged_annotations(sets: dict[str, Path], target: tuple[str, Task, str]) -> None:
    _LONG(given(splices=_SPLICES)(lambda splices: spliced_case(sets, target, splices)))()
    if target[2].endswith(_IN_LINES):
        _LONG(given(edits=_EDITS)(lambda edits: edited_case(sets, target, edits)))()
