"""The register of data sets: add, find, list, remove, and what another process sees of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autommlab.common.errors import DataError, StorageError
from autommlab.data import readers, registry
from autommlab.tasks import Task
from tests.helpers import layouts


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("AUTOMMLAB_HOME", str(folder))
    return folder


@pytest.mark.parametrize("layout", layouts.BUILDERS)
def test_a_set_of_each_layout_is_added_found_and_loaded(layout: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "my set")
    task = readers.candidates(root)[0][1]
    added = registry.add_dataset(root, task=task)
    assert (added.name, added.layout, added.root) == ("my set", layout, root)
    assert added.classes
    assert registry.find_dataset("My-Set") == added
    assert added in registry.all_specs(added.task)
    assert len(registry.load_dataset(added).samples) > 2


def test_every_task_has_an_embedded_set() -> None:
    assert {spec.task for spec in registry.all_specs() if spec.embedded} == set(Task)
    assert all(spec.task is Task.KEYPOINT for spec in registry.all_specs(Task.KEYPOINT))


def test_another_process_sees_what_was_added(tmp_path: Path, home: Path) -> None:
    registry.add_dataset(layouts.coco_detection(tmp_path / "blood"), name="Blood cells")
    code = (
        "from autommlab.data import registry; s = registry.find_dataset('bloodcells'); print(s.name, s.task, s.classes)"
    )
    seen = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"AUTOMMLAB_HOME": str(home)},
    )
    assert seen.stdout.strip() == "Blood cells detection ('person', 'dog')"


def test_two_processes_add_at_once_and_lose_nothing(tmp_path: Path, home: Path) -> None:
    code = "import sys; from autommlab.data import registry\nfor p in sys.argv[1:]: registry.add_dataset(p)"
    roots = [str(layouts.image_folders(tmp_path / f"set{i}")) for i in range(8)]
    env = os.environ | {"AUTOMMLAB_HOME": str(home)}
    running = [subprocess.Popen([sys.executable, "-c", code, *part], env=env) for part in (roots[:4], roots[4:])]
    assert [process.wait(60) for process in running] == [0, 0]
    assert {f"set{i}" for i in range(8)} <= {spec.name for spec in registry.all_specs()}


def test_the_name_of_another_set_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    first = registry.add_dataset(layouts.image_folders(tmp_path / "a"), name="pets")
    with pytest.raises(DataError, match=r"name 'Pets!' is taken by the classification set in .*/a\..*--name"):
        registry.add_dataset(layouts.coco_detection(tmp_path / "b"), name="Pets!")
    assert registry.find_dataset("pets") == first


def test_the_name_of_an_embedded_set_is_refused(tmp_path: Path) -> None:
    embedded = next(spec for spec in registry.all_specs() if spec.embedded)
    with pytest.raises(DataError, match=r"taken by an embedded data set"):
        registry.add_dataset(layouts.image_folders(tmp_path / "a"), name=embedded.name)


def test_adding_again_reads_anew(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "a")
    registry.add_dataset(root)
    layouts.image(root / "train" / "owl" / "0.jpg")
    registry.add_dataset(root)
    assert registry.find_dataset("a").classes == ("cat", "dog", "owl")
    assert [spec.name for spec in registry.all_specs()].count("a") == 1


def test_one_folder_may_serve_two_tasks_under_two_names(tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "voc")
    registry.add_dataset(root, "voc boxes", Task.DETECTION)
    registry.add_dataset(root, "voc masks", Task.SEGMENTATION)
    assert registry.find_dataset("VOC masks").task is Task.SEGMENTATION
    with pytest.raises(DataError, match=r"can be read in 2 ways"):
        registry.find_dataset(str(root))


def test_removed_is_gone_and_its_files_stay(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "a")
    registry.add_dataset(root)
    assert registry.remove_dataset("A").root == root
    with pytest.raises(DataError, match=r"no data set 'a'"):
        registry.find_dataset("a")
    assert (root / "train" / "cat" / "0.jpg").is_file()


def test_what_cannot_be_removed(tmp_path: Path) -> None:
    embedded = next(spec for spec in registry.all_specs() if spec.embedded)
    with pytest.raises(DataError, match=r"is embedded"):
        registry.remove_dataset(embedded.name)
    root = layouts.image_folders(tmp_path / "a")
    with pytest.raises(DataError, match=r"is not registered"):
        registry.remove_dataset(str(root))


def test_unknown_name_gives_near_ones_and_the_command(tmp_path: Path) -> None:
    registry.add_dataset(layouts.image_folders(tmp_path / "a"), name="zebrafish")
    with pytest.raises(DataError, match=r"no data set 'zebrafisch'. Did you mean 'zebrafish'.*data add FOLDER"):
        registry.find_dataset("zebrafisch")
    with pytest.raises(DataError, match=r"no data set and no folder '\./nowhere'"):
        registry.find_dataset("./nowhere")


def test_folder_in_place_of_a_name(tmp_path: Path) -> None:
    root = layouts.coco_keypoints(tmp_path / "people")
    spec = registry.find_dataset(str(root))
    assert (spec.task, spec.layout, spec.name) == (Task.KEYPOINT, "coco-keypoints", "people")
    assert registry.load_dataset(spec).keypoints is not None
    registered = registry.add_dataset(root, name="walkers")
    assert registry.find_dataset(str(root)) == registered


def test_ambiguous_folder_lists_the_commands(tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "voc")
    with pytest.raises(DataError) as caught:
        registry.add_dataset(root)
    assert f"autommlab data add {root} --task detection --layout pascal-voc" in str(caught.value)
    assert f"autommlab data add {root} --task segmentation --layout pascal-voc" in str(caught.value)


def test_coco_with_boxes_and_keypoints_is_ambiguous_until_the_task_is_given(tmp_path: Path) -> None:
    root = layouts.coco_keypoints(layouts.coco_detection(tmp_path / "coco"))
    with pytest.raises(DataError, match=r"2 ways"):
        registry.add_dataset(root)
    assert registry.add_dataset(root, task=Task.KEYPOINT).layout == "coco-keypoints"


def test_no_known_layout_tells_what_was_seen(tmp_path: Path) -> None:
    (tmp_path / "stuff").mkdir()
    (tmp_path / "stuff" / "notes.txt").write_text("x")
    with pytest.raises(
        DataError,
        match=r"(?s)no known layout. Found: notes.txt.*COCO and YOLO of Roboflow.*coco-detection: annotations/",
    ):
        registry.add_dataset(tmp_path / "stuff")
    with pytest.raises(DataError, match=r"does not exist"):
        registry.add_dataset(tmp_path / "none")
    with pytest.raises(DataError, match=r"is a file, not a folder"):
        registry.add_dataset(tmp_path / "stuff" / "notes.txt")


def test_a_working_folder_with_pictures_here_and_there_is_no_data_set(tmp_path: Path) -> None:
    for name in ("figures", "logos", "src", "docs", "build"):
        (tmp_path / "work" / name).mkdir(parents=True)
    layouts.image(tmp_path / "work" / "figures" / "a.png")
    layouts.image(tmp_path / "work" / "logos" / "b.png")
    with pytest.raises(DataError, match=r"no known layout. Found: build/, docs/"):
        registry.add_dataset(tmp_path / "work")


def test_a_folder_too_high_names_the_right_one(tmp_path: Path) -> None:
    layouts.pascal_voc(tmp_path / "VOCdevkit" / "VOC2012")
    with pytest.raises(DataError, match=r"its subfolder is one. Give that path: .*/VOCdevkit/VOC2012"):
        registry.add_dataset(tmp_path / "VOCdevkit")


def test_layout_that_does_not_serve_the_task(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"layout cityscapes cannot be read as keypoint; it serves segmentation"):
        registry.add_dataset(layouts.cityscapes(tmp_path / "c"), task=Task.KEYPOINT, layout="cityscapes")


def test_folder_that_went_away(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "a")
    spec = registry.add_dataset(root)
    root.rename(tmp_path / "b")
    with pytest.raises(DataError, match=r"its folder .* is not there.*data remove a"):
        registry.load_dataset(spec)


def test_a_set_without_a_usable_image_is_refused(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "a")
    for path in root.rglob("*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"no usable image. First problem: the file is empty"):
        registry.add_dataset(root)
    with pytest.raises(DataError, match=r"no data set 'a'"):
        registry.find_dataset("a")


def test_damaged_register_names_file_and_remedy(home: Path, tmp_path: Path) -> None:
    registry.add_dataset(layouts.image_folders(tmp_path / "a"))
    (home / "datasets.json").write_text('{"datasets": [')
    with pytest.raises(DataError, match=r"datasets\.json: the register of data sets is damaged.*data add FOLDER"):
        registry.all_specs()


def test_register_that_cannot_be_written(home: Path, tmp_path: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"cannot be created.*AUTOMMLAB_HOME"):
        registry.add_dataset(layouts.image_folders(tmp_path / "a"))


def test_a_failed_write_leaves_the_old_register_whole(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add_dataset(layouts.image_folders(tmp_path / "a"))
    before = (home / "datasets.json").read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"No space left on device"):
        registry.add_dataset(layouts.image_folders(tmp_path / "b"))
    assert (home / "datasets.json").read_text() == before
    assert {path.name for path in home.iterdir()} <= {"datasets.json", "datasets.lock"}
    assert json.loads(before)["version"] == 1


def test_licence_and_description_are_taken_from_the_sets_own_notes(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "a")
    (root / "SOURCE.md").write_text("# Signs of Ankara\n\n- Licence: Apache-2.0\n")
    spec = registry.add_dataset(root)
    assert (spec.description, spec.licence) == ("Signs of Ankara", "Apache-2.0")
