"""A run through its life: stopped, moved, resumed, extended, mended; in a folder of any name."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.helpers.program import EXAMPLES, autommlab
from tests.helpers.signals import require_policy, signalled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Masks of squares in PNG pairs of mmseg's layout: a bag of them names files of its own."""
    root = tmp_path_factory.mktemp("squares")
    for split, begin, count in (("train", 0, 12), ("val", 12, 4), ("test", 16, 4)):
        for part in ("img_dir", "ann_dir"):
            (root / part / split).mkdir(parents=True)
        for index in range(begin, begin + count):  # no picture twice
            image, mask = Image.new("RGB", (64, 64), (20, 20, 40)), Image.new("L", (64, 64), 0)
            corners = (5 + index, 8, 35 + index, 40)
            ImageDraw.Draw(image).rectangle(corners, fill=(230, 60, 40))
            ImageDraw.Draw(mask).rectangle(corners, fill=1)
            image.save(root / "img_dir" / split / f"{index:02d}.jpg")
            mask.save(root / "ann_dir" / split / f"{index:02d}.png")
    (root / "classes.txt").write_text("background\nsquare\n")
    return root


@pytest.fixture
def parse_squares(tmp_path: Path) -> Path:
    request = json.loads((EXAMPLES / "classify_animals.json").read_text())
    request["data"]["object"] = ["square"]
    request["model"] |= {"task": "segmentation", "metrics": [{"name": "happiness", "value": 0.9}]}
    path = tmp_path / "parse.json"
    path.write_text(json.dumps(request))
    return path


def trials(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "study" / "trials.jsonl").read_text().splitlines()]


@pytest.mark.long
def test_it_is_stopped_moved_resumed_extended_and_mended(
    home: Path, squares: Path, parse_squares: Path, tmp_path: Path
) -> None:
    old, new = tmp_path / "für-画 #1", tmp_path / "zurück"
    asked = ["--parse", parse_squares, "--data", squares, "--trials", 2, "--concurrent", 1, "--searcher", "random"]
    ended = signalled(
        home, old / "events.jsonl", "training:trial", signal.SIGTERM, "run", "Quadrate für mich", *asked, "--out", old
    )
    require_policy(ended, signal.SIGTERM, "Go on with: autommlab run --resume")
    assert "trial 1 of 2" in ended[1], "telemetry cost a trial"
    assert "lost its worker" not in ended[1]
    assert "'happiness' is no figure that is known here" in ended[1]
    first = trials(old)

    shutil.move(old, new)
    done = autommlab(home, "run", "--resume", new, "--require")
    assert done.returncode == 11, done.stdout + done.stderr
    assert "not met: happiness" in done.stderr
    assert "trial 2 of 2" in done.stderr
    assert trials(new)[: len(first)] == first
    assert [trial["status"] for trial in trials(new)] == ["ok", "ok"]
    for record in ("bag.json", "study.json", "deployment.json", "bag/bag.json", "bag/train.txt"):
        assert str(old) not in (new / record).read_text(), record

    before = trials(new)
    again = autommlab(home, "run", "--resume", new, "--trials", 3, "--searcher", "tpe", "--cpus-per-trial", 0.5)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "goes on with other settings: " in again.stderr
    assert trials(new)[:2] == before
    assert [trial["number"] for trial in trials(new)] == [1, 2, 3]
    assert trials(new)[2]["proposed_by"].startswith("tpe")
    options = json.loads((new / "options.json").read_text())
    assert (options["trials"], options["searcher"], options["cpus_per_trial"]) == (3, "tpe", 0.5)

    (model,) = new.glob("bundle/*.onnx")
    model.unlink()
    mended = autommlab(home, "run", "--resume", new)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert f"lost or changed since it was delivered: {model.name}; it is made again" in mended.stderr
    assert model.exists()
    assert len(trials(new)) == 3
