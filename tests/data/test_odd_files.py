"""Names and files as people have them, and as nobody should: every layout reads what is sound and tells of the rest."""

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autommlab.common.errors import DataError
from autommlab.data import readers, registry, remote
from autommlab.data.check import check_dataset
from autommlab.data.drawn_masks import DrawnMask
from autommlab.data.names import alternatives, clean_name
from autommlab.data.preview import contact_sheet
from autommlab.data.readers import files
from autommlab.data.readers.lookup import Finder
from autommlab.data.readers.masks import class_mask
from autommlab.data.recognise import recognise
from autommlab.data.records import DatasetSpec, LoadedDataset, Problem, Sample
from autommlab.tasks import Task
from tests.helpers import layouts

#: Layout, task: everything that a builder can be read as.
READINGS = [(layout, task) for layout in layouts.BUILDERS for task in readers.READERS[layout].tasks]
#: Nothing here waits for long unless it hangs.
pytestmark = pytest.mark.timeout(60)


def load(root: Path, layout: str | None = None, task: Task | None = None) -> LoadedDataset:
    spec = recognise(root, None, task, layout)
    return readers.get(spec.layout).read(spec)


def content(dataset: LoadedDataset) -> list[tuple[Any, ...]]:
    root = dataset.spec.root
    return sorted(
        (str(s.image.relative_to(root)).lower(), s.split, s.label or 0, s.instances, mask_of(s, root))
        for s in dataset.samples
    )


def mask_of(sample: Sample, root: Path) -> str:
    if isinstance(sample.mask, DrawnMask):
        return sha256(sample.mask.drawn().tobytes()).hexdigest()
    return str(sample.mask.relative_to(root)).lower() if sample.mask else ""


def folders(root: Path) -> list[Path]:
    return [root, *(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())]


def add_apple_doubles(root: Path) -> None:
    for path in [path for path in root.rglob("*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "._x.jpg").write_bytes(b"\0\5\26\7")


def add_pipes(root: Path) -> None:
    for folder in folders(root):
        for name in ("pipe.jpg", "pipe.png", "pipe.json", "pipe.xml", "pipe.txt"):
            os.mkfifo(folder / name)


def add_devices(root: Path) -> None:
    for folder in folders(root):
        for suffix in ("jpg", "png", "json", "xml"):
            (folder / f"zero.{suffix}").symlink_to("/dev/zero")
            (folder / f"memory.{suffix}").symlink_to("/proc/self/mem")


def add_rings(root: Path) -> None:
    for folder in folders(root):
        (folder / "ring").symlink_to(folder)
        (folder / "up").symlink_to(root)
        (folder / "out").symlink_to(root.parent)
        (folder / "self").symlink_to("/proc/self")
        (folder / "nowhere").symlink_to(folder / "nowhere")


def add_what_systems_leave(root: Path) -> None:
    for folder in folders(root):
        for name in ("@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information"):
            layouts.image(folder / name / "photo.jpg" / "SYNOPHOTO_THUMB_XL.jpg")
            layouts.image(folder / name / "old.png")


PLANTED: dict[str, Callable[[Path], None]] = {
    "apple doubles": add_apple_doubles,
    "pipes": add_pipes,
    "devices": add_devices,
    "rings of links": add_rings,
    "thumbnails and bins": add_what_systems_leave,
}


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize(("layout", "task"), READINGS)
def test_what_is_no_data_changes_nothing(layout: str, task: Task, plant: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    before = load(root, layout, task)
    found = readers.candidates(root)
    PLANTED[plant](root)
    assert readers.candidates(root) == found
    dataset = load(root, layout, task)
    assert content(dataset) == content(before)
    assert dataset.unreadable == before.unreadable
    check_dataset(dataset)


@pytest.mark.parametrize(("layout", "task"), READINGS)
def test_suffixes_in_upper_case(layout: str, task: Task, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    before = load(root, layout, task)
    kept = (".txt", ".json") if layout in ("imagenet-lists", "ap-10k") else (".txt",)
    if layout == "cityscapes":
        pytest.skip("its file names are fixed to the last letter")
    for path in [path for path in root.rglob("*") if path.is_file() and path.suffix not in kept]:
        if path.name != "meta.json":
            path.rename(path.with_suffix(path.suffix.upper()))
    dataset = load(root, layout, task)
    assert [entry[:4] for entry in content(dataset)] == [entry[:4] for entry in content(before)]
    assert dataset.unreadable == before.unreadable


def rename_in(layout: str, root: Path, rewrite: Callable[[str], str]) -> None:
    """Rewrite the file names in the annotations of a set."""
    if layout == "imagenet-lists":
        for path in (root / "meta").glob("*.txt"):
            pairs = [line.split() for line in path.read_text().splitlines()]
            path.write_text("".join(f"{rewrite(name)} {label}\n" for name, label in pairs))
    elif layout == "pascal-voc":
        for path in (root / "Annotations").glob("*.xml"):
            text = path.read_text()
            path.write_text(text.replace(f"<filename>{path.stem}.jpg", f"<filename>{rewrite(f'{path.stem}.jpg')}"))
        for path in (root / "JPEGImages").iterdir():
            path.rename(path.with_suffix(".JPG"))
    else:
        for path in (root / "annotations").glob("*.json"):
            tree = json.loads(path.read_text())
            for entry in tree["images"]:
                entry["file_name"] = rewrite(entry["file_name"])
            path.write_text(json.dumps(tree))


WRITTEN: dict[str, Callable[[str], str]] = {
    "drive": lambda name: f"C:\\data\\my set\\{name}",
    "share": lambda name: f"\\\\server\\share\\{name}",
    "backslash": lambda name: f".\\{name}".replace("/", "\\"),
    "other home": lambda name: f"/home/other/set/{name}",
    "other case": lambda name: str(Path(name).with_suffix(Path(name).suffix.swapcase())),
    "web address": lambda name: f"https://host.example/set/{quote(name)}?v=1",
    "percent signs": lambda name: "".join(f"%{byte:02X}" if chr(byte) == "_" else chr(byte) for byte in name.encode()),
    "upper case": lambda name: str(Path(name).with_name(Path(name).name.upper())),
}


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("layout", ["coco-detection", "coco-keypoints", "ap-10k", "imagenet-lists", "pascal-voc"])
def test_file_names_as_other_machines_write_them(layout: str, way: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    task = readers.READERS[layout].tasks[0]
    before = load(root, layout, task)
    rename_in(layout, root, WRITTEN[way])
    dataset = load(root, layout, task)
    assert content(dataset) == content(before)
    assert not dataset.unreadable
    assert not [problem for problem in check_dataset(dataset) if problem.severity == "error"]


def test_a_missing_picture_is_not_taken_from_another_folder(tmp_path: Path) -> None:
    layouts.image(tmp_path / "train" / "0.jpg")
    layouts.image(tmp_path / "train" / "a" / "1.jpg")
    finder = Finder(tmp_path, [tmp_path / "train"])
    assert finder.find("x", "b/0.jpg") == tmp_path / "train" / "b" / "0.jpg"
    assert finder.find("x", "a/1.JPG") == tmp_path / "train" / "a" / "1.jpg"


def test_names_that_differ_only_in_case_are_found_exactly_or_not_at_all(tmp_path: Path) -> None:
    for name in ("a.jpg", "A.jpg"):
        layouts.image(tmp_path / name)
    finder = Finder(tmp_path, [tmp_path])
    assert finder.find("x", "A.jpg") == tmp_path / "A.jpg"
    missing = finder.find("x", "a.JPG")
    assert isinstance(missing, Path) and not missing.is_file()


@given(st.text(max_size=30))
def test_no_name_is_found_outside_of_the_set(name: str) -> None:
    found = Finder(Path("/data/set"), [Path("/data/set/images")]).find("x", name)
    assert isinstance(found, Problem) or (found.is_relative_to("/data/set") and files.is_writable_name(str(found)))


@pytest.mark.parametrize(
    "name", ["x" * 300 + ".jpg", "x\0.jpg", "../" * 60 + "etc/passwd", "\ud800.jpg", "a\nb.jpg", "", ".", "/"]
)
@pytest.mark.parametrize("layout", ["coco-detection", "coco-keypoints", "ap-10k", "pascal-voc"])
def test_impossible_names_are_told(layout: str, name: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    task = readers.READERS[layout].tasks[0]
    if layout == "pascal-voc":
        with (root / "ImageSets" / "Main" / "train.txt").open("a", errors="surrogatepass") as lines:
            lines.write(f"\n{name}\n")
    else:
        path = sorted((root / "annotations").glob("*train*.json"))[-1]
        tree = json.loads(path.read_text())
        tree["images"][0]["file_name"] = name
        path.write_text(json.dumps(tree))
    dataset = load_or_none(root, layout, task)
    if dataset is None:
        return
    for problem in check_dataset(dataset):
        assert f"{problem.where}{problem.what}".encode()
    # An empty line of a list is none.
    assert name == "" or any(p.severity == "error" for p in check_dataset(dataset)) or layout == "pascal-voc"


def load_or_none(root: Path, layout: str, task: Task) -> LoadedDataset | None:
    try:
        return load(root, layout, task)
    except DataError:
        return None


BAD_NAME = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("name", [BAD_NAME, "two\nlines", "tab\there"])
@pytest.mark.parametrize("layout", ["image-folders", "index-masks", "cityscapes", "coco-detection"])
def test_a_picture_whose_name_cannot_be_listed_is_left_out_and_told(layout: str, name: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    before = load(root, layout)
    if layout == "image-folders":
        layouts.image(root / "train" / "cat" / f"{name}.jpg")
    elif layout == "index-masks":
        layouts.image(root / "img_dir" / "train" / f"{name}.jpg")
        layouts.mask(root / "ann_dir" / "train" / f"{name}.png", [0, 1])
    elif layout == "cityscapes":
        layouts.image(root / "leftImg8bit" / "train" / "aachen" / f"{name}_leftImg8bit.png")
        layouts.mask(root / "gtFine" / "train" / "aachen" / f"{name}_gtFine_labelIds.png", [7])
    else:
        layouts.image(root / "train2017" / f"{name}.jpg")
        path = root / "annotations" / "instances_train2017.json"
        tree = json.loads(path.read_text())
        tree["images"].append({"id": 999, "file_name": f"{name}.jpg", "width": 40, "height": 30})
        path.write_text(json.dumps(tree))
    dataset = load(root, layout)
    assert content(dataset) == content(before)
    (problem,) = [p for p in dataset.unreadable if p.kind == "bad-name"]
    assert "left out" in problem.what
    problem.where.encode()
    assert problem.where.isprintable()


@pytest.mark.parametrize("name", [BAD_NAME, "two\nlines"])
def test_a_class_folder_whose_name_cannot_be_listed_is_left_out_and_told(name: str, tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "set")
    for number in range(3):
        layouts.image(root / "train" / name / f"{number}.jpg")
    dataset = load(root)
    assert dataset.classes == ("cat", "dog")
    (problem,) = dataset.unreadable
    assert problem.kind == "bad-name" and problem.what.startswith("3 picture")


@pytest.mark.parametrize("name", [BAD_NAME, "two\nlines"])
def test_a_data_folder_whose_path_cannot_be_listed_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds a control character or is no UTF-8.*Rename the folder") as raised:
        recognise(layouts.image_folders(tmp_path / name))
    assert str(raised.value).encode()


@pytest.mark.parametrize("folder", ["/proc/self", "/dev", "/sys"])
def test_folders_of_the_system_are_refused_at_once(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    with pytest.raises(DataError, match="a folder of the system"):
        recognise(Path(folder))
    with pytest.raises(DataError):
        registry.add_dataset(f"file://{folder}")


def test_a_storage_of_this_machine_is_listed_once_and_without_pipes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    root = layouts.image_folders(tmp_path / "set")
    wanted = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    for plant in (add_pipes, add_rings, add_devices):
        plant(root)
    layouts.image(root / "train" / "cat" / f"{BAD_NAME}.jpg")
    here = remote.fetch_dataset(f"file://{root}")
    assert {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()} == wanted


def test_a_linked_folder_inside_a_class_is_read(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "set")
    for number in range(4):
        layouts.image(tmp_path / "disk2" / "more" / f"{number}.jpg")
    (root / "train" / "cat" / "linked").symlink_to(tmp_path / "disk2" / "more")
    (root / "train" / "cat" / "again").symlink_to(tmp_path / "disk2" / "more")
    (root / "train" / "owl").symlink_to(tmp_path / "disk2" / "more")
    dataset = load(root)
    train = [dataset.classes[s.label or 0] for s in dataset.samples if s.split == "train"]
    assert {name: train.count(name) for name in dataset.classes} == {"cat": 7, "dog": 3, "owl": 4}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ('{"images": ' + "9" * 5000 + "}", "not a usable JSON"),
    ],
)
@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("coco-detection", "annotations/instances_train2017.json"),
        ("coco-keypoints", "annotations/person_keypoints_train2017.json"),
        ("ap-10k", "annotations/ap10k-train-split1.json"),
        ("index-masks", "meta.json"),
        ("image-folders", "meta.json"),
        ("imagenet-lists", "meta.json"),
        ("pascal-voc", "meta.json"),
    ],
)
def test_json_of_endless_depth_or_number_is_refused(
    layout: str, file: str, text: str, reason: str, tmp_path: Path
) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    (root / file).write_text(text)
    spec = DatasetSpec(name="x", task=readers.READERS[layout].tasks[0], layout=layout, root=root)
    with pytest.raises(DataError, match=reason):
        readers.get(layout).read(spec)


def test_an_annotation_has_a_budget_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(files.ANNOTATION_BYTES + 1)
    with pytest.raises(DataError, match=r"at most .* are read"):
        files.read_json(path)
    with pytest.raises(DataError, match=r"at most .* are read"):
        files.read_lines(path)


def test_a_voc_annotation_of_endless_depth_or_size_is_one_problem(tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "set", masks=False)
    (root / "Annotations" / "2007_000000.xml").write_text("<a>" * 200_000 + "</a>" * 200_000)
    with (root / "Annotations" / "2007_000001.xml").open("wb") as file:
        file.truncate(1 << 40)
    os.unlink(root / "Annotations" / "2007_000002.xml")  # noqa: PTH108
    os.mkfifo(root / "Annotations" / "2007_000002.xml")
    dataset = load(root)
    assert [problem.kind for problem in dataset.unreadable].count("bad-annotation") == 2
    assert len(dataset.samples) == 4


@pytest.mark.parametrize(
    "codec", ["GB2312", "gbk", "gb18030", "big5", "Shift_JIS", "cp932", "euc-jp", "euc-kr", "utf-16"]
)
def test_voc_annotations_in_other_encodings(codec: str, tmp_path: Path) -> None:
    name = {"euc-kr": "사과", "big5": "貓"}.get(codec, "猫" if codec in ("Shift_JIS", "cp932", "euc-jp") else "苹果")
    root = layouts.pascal_voc(tmp_path / "set", masks=False)
    for path in (root / "Annotations").iterdir():
        text = path.read_text().replace("<name>dog", f"<name>{name}")
        path.write_bytes(f'<?xml version="1.0" encoding="{codec}"?>\n{text}'.encode(codec))
    dataset = load(root)
    assert name in dataset.classes
    assert not dataset.unreadable


@pytest.mark.parametrize(
    ("codec", "body", "fine"),
    [("ANSI", "dog", True), ("ANSI", "caf\xe9", False), ("idna", "dog", True), ("rot13", "dog", True)],
)
def test_an_unknown_encoding_is_utf_8_or_one_problem(codec: str, body: str, fine: bool, tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "set", masks=False)
    path = root / "Annotations" / "2007_000000.xml"
    text = path.read_text().replace("<name>dog", f"<name>{body}")
    path.write_bytes(f'<?xml version="1.0" encoding="{codec}"?>{text}'.encode("latin-1"))
    dataset = load(root)
    assert len(dataset.samples) == 5 + fine
    assert [problem.kind for problem in dataset.unreadable] == [] if fine else ["bad-annotation"]
    assert fine or "unknown encoding 'ANSI'" in dataset.unreadable[0].what


@pytest.mark.parametrize("name", ["field 3 (2)", "a -1", "b 0", "-1", "x.y z", "Ünal #1 [neu], 100% {a}"])
def test_voc_lists_hold_names_with_spaces(name: str, tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "set", masks=False)
    for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "xml")):
        (root / folder / f"2007_000000.{suffix}").rename(root / folder / f"{name}.{suffix}")
    path = root / "ImageSets" / "Main" / "train.txt"
    path.write_text(path.read_text().replace("2007_000000", name))
    dataset = load(root)
    assert not dataset.unreadable
    assert {s.image.stem for s in dataset.samples if s.split == "train"} >= {name}


@pytest.mark.parametrize("written", ["{} 1", "{}  -1", "{}.jpg", "JPEGImages/{}.jpg", "Annotations\\{}.xml"])
def test_voc_lists_as_tools_write_them(written: str, tmp_path: Path) -> None:
    root = layouts.pascal_voc(tmp_path / "set", masks=False)
    for path in (root / "ImageSets" / "Main").glob("*.txt"):
        path.write_text("\n".join(written.format(line) for line in path.read_text().splitlines()))
    dataset = load(root)
    assert (len(dataset.samples), dataset.unreadable) == (6, [])


PLANTS = [
    "Cherry_(including_sour)___Powdery_mildew",
    "Cherry_(including_sour)___healthy",
    "Corn_(maize)___Common_rust_",
    "Pepper,_bell___Bacterial_spot",
    "Pepper,_bell___healthy",
    "a, b",
]


def test_class_folders_keep_their_names_and_are_found_by_their_words(tmp_path: Path) -> None:
    dataset = load(layouts.image_folders(tmp_path / "set", tuple(PLANTS)))
    assert dataset.classes == tuple(sorted(PLANTS))
    assert "pepper bell healthy" in alternatives("Pepper,_bell___healthy")
    assert "cherry including sour healthy" in alternatives("Cherry_(including_sour)___healthy")
    assert alternatives("Cherry_(including_sour)___healthy")[0] == "cherry healthy"


ODD_NAMES = ["two\nlines", "tab\there", " spaced ", "\x1b[31mred", "a\u2028b", "half \ud800", "\r\n", "\x00", "猫 🐱"]


def name_classes(layout: str, root: Path, names: list[str]) -> None:
    """Give the first classes of a set other names."""
    if layout in ("index-masks",):
        layouts.write(root / "meta.json", {"classes": names})
    else:
        for path in (root / "annotations").glob("*.json"):
            tree = json.loads(path.read_text())
            if "captions" not in path.name:
                category = tree["categories"][0]
                tree["categories"] = [category | {"id": at, "name": name} for at, name in enumerate(names)]
                for entry in tree["annotations"]:
                    entry["category_id"] = entry["id"] % len(names)
                path.write_text(json.dumps(tree))


@pytest.mark.parametrize("layout", ["coco-detection", "coco-keypoints", "ap-10k", "index-masks"])
def test_odd_class_names_are_one_line_and_can_be_drawn(layout: str, tmp_path: Path) -> None:
    root = layouts.BUILDERS[layout](tmp_path / "set")
    name_classes(layout, root, ODD_NAMES)
    dataset = load(root, layout)
    assert all(name.encode() and files.is_writable_name(name) and name == name.strip() for name in dataset.classes)
    assert len(set(dataset.classes)) == len(dataset.classes)
    assert {"two lines", "tab here", "spaced", "a b", "猫 🐱"} <= set(dataset.classes)
    assert contact_sheet(dataset, tmp_path / "sheet.png").is_file()


@given(st.text(max_size=20))
def test_a_name_on_one_line_stays_so(name: str) -> None:
    assert clean_name(clean_name(name)) == clean_name(name)
    clean_name(name).encode()
    assert files.is_writable_name(clean_name(name))


@given(st.text(st.characters(), max_size=20))
def test_readable_text_can_be_printed_anywhere(text: str) -> None:
    files.readable(text).encode()
    assert files.is_writable_name(files.readable(text))


def test_one_class_under_two_spellings_in_two_splits_is_one(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "folders", ("Hot_Dog", "cat"))
    (root / "val" / "Hot_Dog").rename(root / "val" / "hot-dog")
    dataset = load(root)
    assert dataset.classes == ("Hot_Dog", "cat")
    assert [problem.kind for problem in dataset.unreadable] == ["similar-classes"]
    assert {dataset.classes[s.label or 0] for s in dataset.samples if s.split == "val"} == {"Hot_Dog", "cat"}
    root = layouts.coco_detection_plain(tmp_path / "boxes")
    path = root / "annotations" / "val.json"
    path.write_text(path.read_text().replace('"dog"', '"Dog"'))
    dataset = load(root)
    assert dataset.classes == ("person", "dog")
    assert {i.label for s in dataset.samples for i in s.instances} == {0, 1}


def test_two_classes_under_two_spellings_in_one_split_stay_two(tmp_path: Path) -> None:
    dataset = load(layouts.image_folders(tmp_path / "set", ("Cat", "cat")))
    assert dataset.classes == ("Cat", "cat")
    (problem,) = dataset.unreadable
    assert "taken as different classes" in problem.what
    assert load(layouts.image_folders(tmp_path / "signs", ("C++", "C#", "-1", "1"))).unreadable == []


def test_pictures_beside_the_class_folders_are_told(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "set")
    layouts.image(root / "train" / "loose.jpg")
    (problem,) = load(root).unreadable
    assert (problem.kind, problem.where, problem.severity) == ("unlabelled-image", "train", "warning")


@pytest.mark.parametrize("name", ["Fotos für Ünal #1 [neu], 100% {a}", 'a\'b "c" $HOME `d`', "猫 🐱", "x" * 200])
@pytest.mark.parametrize(("layout", "task"), READINGS)
def test_sets_below_odd_folders(layout: str, task: Task, name: str, tmp_path: Path) -> None:
    dataset = load(layouts.BUILDERS[layout](tmp_path / name / "set"), layout, task)
    assert content(dataset) == content(load(layouts.BUILDERS[layout](tmp_path / "plain" / "set"), layout, task))


def test_a_set_copied_with_links_reads_the_same(tmp_path: Path) -> None:
    """Every picture a link to another disk, as people keep large sets."""
    for layout in layouts.BUILDERS:
        root = layouts.BUILDERS[layout](tmp_path / layout)
        before = content(load(root, layout, readers.READERS[layout].tasks[0]))
        for path in [p for p in root.rglob("*") if p.suffix.lower() in (".jpg", ".png", ".jpeg")]:
            target = tmp_path / "disk2" / layout / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
            path.symlink_to(target)
        assert content(load(root, layout, readers.READERS[layout].tasks[0])) == before


@pytest.mark.parametrize("names", [("bus", "car", "train"), ("control", "test"), ("dev", "prod")])
def test_a_class_called_like_a_split_is_a_class(names: tuple[str, ...], tmp_path: Path) -> None:
    for name in names:
        for number in range(3):
            layouts.image(tmp_path / "set" / name / f"{number}.jpg")
    dataset = load(tmp_path / "set")
    assert dataset.classes == names
    assert {sample.split for sample in dataset.samples} == {""}


def test_a_list_with_a_heading_is_read(tmp_path: Path) -> None:
    root = layouts.imagenet_lists(tmp_path / "set")
    before = load(root)
    for path in (root / "meta").glob("*.txt"):
        path.write_text("filename label\n" + path.read_text())
    dataset = load(root)
    assert content(dataset) == content(before)
    assert [problem.kind for problem in dataset.unreadable] == ["bad-annotation"] * 2


def test_images_in_the_folder_data_are_found(tmp_path: Path) -> None:
    """As FiftyOne exports COCO: labels.json beside data/."""
    labels = layouts.coco(tmp_path / "set" / "data", 3, layouts.DETECTION_CATEGORIES)
    layouts.write(tmp_path / "set" / "labels.json", labels)
    assert len(load(tmp_path / "set", task=Task.DETECTION).samples) == 3


def masks_below(root: Path, place: Callable[[str, int], tuple[str, str]]) -> LoadedDataset:
    """A set of two subfolders with images of the same names; `place` gives the paths of an image and its mask."""
    for folder, value in (("a", 1), ("b", 2)):
        for number in range(2):
            image, mask = place(folder, number)
            layouts.image(root / "images" / image)
            layouts.mask(root / "masks" / mask, [0, value])
    layouts.write(root / "meta.json", {"classes": ["background", "one", "two"]})
    return load(root)


@pytest.mark.parametrize(
    "place",
    [
        lambda folder, n: (f"{folder}/{n}.jpg", f"{folder}/{n}.png"),
        lambda folder, n: (f"train/{folder}/{n}.jpg", f"train/{folder}/{n}_mask.png"),
        lambda folder, n: (f"{folder}/{n}.jpg", f"{folder}/{n}.jpg.png"),
        lambda folder, n: (f"{folder}{n}.jpg", f"{folder}/{folder}{n}.png"),
    ],
    ids=["subfolders", "split and subfolders", "suffix kept", "masks alone in subfolders"],
)
def test_an_image_gets_the_mask_of_its_own_place(place: Callable[[str, int], tuple[str, str]], tmp_path: Path) -> None:
    dataset = masks_below(tmp_path / "set", place)
    assert not dataset.unreadable
    assert len(dataset.samples) == 4
    for sample in dataset.samples:
        owner = "b" if "b" in str(sample.image.relative_to(tmp_path / "set" / "images")) else "a"
        assert set(np.unique(class_mask(sample)).tolist()) == {0, 1 if owner == "a" else 2}


def test_a_name_that_occurs_twice_gets_no_mask_of_another_folder(tmp_path: Path) -> None:
    dataset = masks_below(tmp_path / "set", lambda folder, n: (f"{folder}/{n}.jpg", f"{folder}x/{n}.png"))
    assert not dataset.samples
    assert {problem.kind for problem in dataset.unreadable} == {"missing-mask", "missing-image"}
