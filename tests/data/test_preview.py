"""Contact sheets and the drawing they are made of."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autommlab.common.errors import DataError, StorageError
from autommlab.data import draw, readers
from autommlab.data.preview import contact_sheet
from autommlab.data.recognise import recognise
from autommlab.data.records import LoadedDataset
from autommlab.tasks import Task
from tests.helpers import layouts


def load(root: Path, task: Task | None = None) -> LoadedDataset:
    spec = recognise(root, None, task)
    return readers.get(spec.layout).read(spec)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("layout", layouts.BUILDERS)
def test_sheet_of_each_layout(layout: str, tmp_path: Path) -> None:
    for _, task in readers.candidates(layouts.BUILDERS[layout](tmp_path / "set")):
        dataset = load(tmp_path / "set", task)
        out = contact_sheet(dataset, tmp_path / "new" / "sheet.png", count=4)
        assert out == tmp_path / "new" / "sheet.png"
        with Image.open(out) as sheet:
            assert sheet.format == "PNG"
            assert sheet.width >= 500
            assert sheet.height >= 256


def test_same_seed_same_sheet(tmp_path: Path) -> None:
    dataset = load(layouts.image_folders(tmp_path / "set", each=8))
    sheets = [pixels(contact_sheet(dataset, tmp_path / f"{i}.png", count=3, seed=s)) for i, s in enumerate((0, 0, 1))]
    assert (sheets[0] == sheets[1]).all()
    assert (sheets[0] != sheets[2]).any()


def test_rare_class_is_on_a_small_sheet(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "set", ("cat", "dog"), each=30)
    red = root / "train" / "rare" / "0.png"
    red.parent.mkdir()
    Image.new("RGB", (32, 32), (255, 0, 7)).save(red)
    dataset = load(root)
    sheet = pixels(contact_sheet(dataset, tmp_path / "a.png", count=3))
    assert (sheet == (255, 0, 7)).all(-1).sum() >= 256 * 256 * 0.9
    sheet = pixels(contact_sheet(dataset, tmp_path / "b.png", classes=["cat"], count=3))
    assert not (sheet == (255, 0, 7)).all(-1).any()


def test_split_and_class_that_do_not_exist(tmp_path: Path) -> None:
    dataset = load(layouts.coco_detection(tmp_path / "set"))
    with pytest.raises(DataError, match=r"no split 'test'. It has train and val"):
        contact_sheet(dataset, tmp_path / "a.png", split="test")
    with pytest.raises(DataError, match=r"unknown class 'dogs'. Did you mean 'dog'"):
        contact_sheet(dataset, tmp_path / "a.png", classes=["dogs"])


def test_class_without_image_in_the_split(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "set")
    layouts.image(root / "train" / "owl" / "0.jpg")
    with pytest.raises(DataError, match=r"no image of data set 'set' shows owl in val"):
        contact_sheet(load(root), tmp_path / "a.png", classes=["owl"], split="val")


def test_unreadable_image_does_not_stop_the_sheet(tmp_path: Path) -> None:
    root = layouts.coco_detection(tmp_path / "set")
    dataset = load(root)
    (root / "train2017" / "000000.jpg").write_bytes(b"x")
    (root / "train2017" / "000001.jpg").unlink()
    assert contact_sheet(dataset, tmp_path / "a.png").is_file()


def test_out_that_cannot_be_written(tmp_path: Path) -> None:
    dataset = load(layouts.image_folders(tmp_path / "set"))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot be written.*--out"):
        contact_sheet(dataset, tmp_path / "file" / "a.png")


def test_boxes_are_drawn_where_they_are_in_their_colour() -> None:
    blank = Image.new("L", (200, 100), 0)
    colours = {"a": (255, 0, 0), "b": (0, 255, 0)}
    drawn = np.asarray(draw.draw_boxes(blank, [(20, 50, 60, 40), (120, 30, 50, 60)], ["a", "b"], [0.9, 0.5], colours))
    assert drawn.shape == (100, 200, 3)
    assert (drawn[89, 20:80] == (255, 0, 0)).all()
    assert (drawn[30:90, 120] == (0, 255, 0)).all()
    assert (drawn[60:80, 40:60] == 0).all()
    assert not np.asarray(blank).any()


def test_mask_colours_objects_and_leaves_background_and_unlabelled() -> None:
    mask = np.zeros((20, 30), int)
    mask[5:15, 5:15] = 1
    mask[:, 25:] = 255
    drawn = np.asarray(draw.draw_mask(Image.new("RGB", (30, 20), "white"), mask, ["background", "cell"]))
    assert (drawn[0, 0] == 255).all()
    assert (drawn[10, 28] == 255).all()
    assert tuple(drawn[5, 5]) == draw.colour(1)
    assert (drawn[10, 10] != 255).any()
    assert tuple(drawn[10, 10]) != draw.colour(1)


def test_keypoints_hidden_ones_are_rings_and_unlabelled_ones_absent() -> None:
    image = Image.new("RGB", (300, 100))
    points = [(50, 50, 2), (150, 50, 1), (0, 0, 0)]
    drawn = np.asarray(draw.draw_keypoints(image, points, [(0, 1), (1, 2)]))
    assert tuple(drawn[50, 50]) == draw.colour(0)
    assert drawn[50, 100].any()
    assert drawn[50, 160:].sum() == 0
    assert drawn[:10, :10].sum() == 0


def test_neighbouring_colours_differ() -> None:
    colours = [np.array(draw.colour(i)) for i in range(40)]
    assert min(int(abs(a - b).sum()) for a, b in pairwise(colours)) > 120
    assert len({draw.colour(i) for i in range(40)}) == 40


def test_what_the_font_lacks_is_written_by_its_number() -> None:
    assert draw.drawable("naïve 猫") == "naïve U+732B"
    assert draw.drawable("two\nlines") == "two lines"
    assert draw.drawable("…·Ünal") == "…·Ünal"
    sheets = [draw.draw_boxes(Image.new("RGB", (90, 60)), [(9, 20, 30, 30)], [name]) for name in ("猫", "犬", "a\nb")]
    assert np.asarray(sheets[0]).tolist() != np.asarray(sheets[1]).tolist()
