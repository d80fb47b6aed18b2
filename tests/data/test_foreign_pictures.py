"""Pictures of a kind that is not read are told as what they are, in every layout that walks through folders."""

from pathlib import Path

import pytest

from autommlab.common.errors import DataError
from autommlab.data import registry
from autommlab.data.bag import select_bag
from autommlab.data.check import check_dataset
from autommlab.settings import TaskBudget
from autommlab.understanding.request import ModelRequest
from tests.helpers import layouts

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 170


def bag_notes(root: Path, folder: Path, task: str, objects: list[str]) -> str:
    request = ModelRequest.parse({"data": {"object": objects}, "model": {"task": task}})
    budget = TaskBudget(input_size=(32, 32), images=(99, 99, 99), iterations=(1, 2), batch_size=(1, 2))
    return " ".join(select_bag(request, budget=budget, folder=folder, seed=0, data=str(root)).notes)


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".HEIC", ".heic"), (".heif", ".heif"), (".CR2", ".cr2"), (".dcm", ".dcm")]
)
def test_a_folder_with_nothing_else_says_what_to_convert(suffix: str, kind: str, tmp_path: Path) -> None:
    for number in range(3):
        path = tmp_path / ("disc", "square")[number % 2] / f"IMG_{number}{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(HEIC)
    for find in (registry.find_dataset, registry.add_dataset):
        with pytest.raises(DataError, match=f"3 {kind} pictures are not read.*convert them to JPEG or PNG"):
            find(str(tmp_path))


def test_a_folder_with_some_of_them_tells_their_number(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "set", each=6)
    for number in range(4):
        (root / "train" / "cat" / f"IMG_{number}.HEIC").write_bytes(HEIC)
    (problem,) = check_dataset(registry.load_dataset(registry.find_dataset(str(root))))
    assert (problem.kind, problem.severity) == ("foreign-format", "error")
    assert "4 .heic pictures are not read" in bag_notes(root, tmp_path / "bag", "classification", ["cat", "dog"])


def test_masks_whose_pictures_are_of_such_a_kind(tmp_path: Path) -> None:
    root = layouts.index_masks(tmp_path / "set")
    picture = next((root / "img_dir" / "train").iterdir())
    picture.rename(picture.with_suffix(".heic"))
    kinds = {problem.kind for problem in check_dataset(registry.load_dataset(registry.find_dataset(str(root))))}
    assert "foreign-format" in kinds


def test_what_only_bears_the_name_of_a_jpeg_is_left_out_as_what_it_is(tmp_path: Path) -> None:
    root = layouts.coco_detection(tmp_path / "set")
    path = next(path for path in sorted(root.rglob("*.jpg")) if "train" in str(path))
    path.write_bytes(HEIC)
    problems = check_dataset(registry.load_dataset(registry.find_dataset(str(root))))
    assert [(p.kind, p.what) for p in problems if p.kind == "foreign-format"] == [
        ("foreign-format", "is a HEIC file, which is not read")
    ]
    classes = list(registry.load_dataset(registry.find_dataset(str(root))).classes)[:1]
    assert f"{path}: is a HEIC file" in bag_notes(root, tmp_path / "bag", "detection", classes)
