"""Wrong annotations come first in the gallery, and reach the page of `autommlab evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from autommlab.analysis.analyse import analyse
from autommlab.analysis.records import Analysis
from autommlab.bundle_runtime import Predictor
from autommlab.common.errors import DataError, RequestError
from autommlab.data.bag import select_bag
from autommlab.data.records import Bag
from autommlab.data.truths import annotated_pictures
from autommlab.report.evaluation import evaluate
from autommlab.report.gallery import mistake_pictures
from autommlab.storage.run_folder import RunFolder
from autommlab.understanding.request import ModelRequest
from tests.helpers.bag_sets import budget
from tests.helpers.planting import plant_wrong_labels
from tests.helpers.program import autommlab_here
from tests.helpers.tiny_bundles import make_bundle, make_linear_bundle

WRONG, SHOWN = 20, 30


class Digits(NamedTuple):
    """Scanned digits, some of the test labels wrong, and a bundle that has learnt from the others."""

    run: Path
    bag: Bag
    bundle: Path
    planted: set[Path]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    from sklearn.linear_model import LogisticRegression

    run = tmp_path_factory.mktemp("run")
    request = ModelRequest.parse({"data": {"object": [], "specific": ["digits"]}, "model": {"task": "classification"}})
    bag = select_bag(request, budget=budget(800, 20, 200), folder=run / "bag", seed=0)
    nothing = np.zeros((3 * 8 * 8, len(bag.classes)))
    blank = Predictor(make_linear_bundle(run / "blank", bag.classes, nothing, nothing[0]))
    train = annotated_pictures(bag, "train")
    pixels = np.stack([blank.prepare(picture.path).tensor.reshape(-1) for picture in train])
    fitted = LogisticRegression(max_iter=200).fit(pixels, [picture.label for picture in train])
    bundle = make_linear_bundle(run / "bundle", bag.classes, fitted.coef_.T, fitted.intercept_)
    return Digits(run, bag, bundle, plant_wrong_labels(bag, WRONG))


@pytest.fixture(scope="module")
def found(digits: Digits) -> Analysis:
    return analyse(digits.bag, Predictor(digits.bundle))


def test_planted_wrong_labels_come_first(digits: Digits, found: Analysis) -> None:
    assert found.pictures == 200
    assert (found.figures["accuracy"] or 0) > 0.75, "a model that knows nothing contradicts nothing surely"
    first = {one.path for one in found.mistakes(SHOWN)}
    assert len(first & digits.planted) >= 18
    order = [one.suspicion for one in found.mistakes(SHOWN)]
    assert order == sorted(order, reverse=True)


def test_gallery_shows_them_with_both_classes(digits: Digits, found: Analysis) -> None:
    pictures = mistake_pictures(found.mistakes(SHOWN), digits.bag, "test", Predictor(digits.bundle))
    assert len(pictures) == len(found.mistakes(SHOWN))
    assert all("annotated as" in picture.caption for picture in pictures)
    assert max(max(picture.image.size) for picture in pictures) <= 560


def test_a_picture_that_broke_since_is_left_out(digits: Digits, found: Analysis, tmp_path: Path) -> None:
    gone = found.mistakes(1)[0].model_copy(update={"path": tmp_path / "gone.png"})
    assert mistake_pictures([gone, found.mistakes(2)[1]], digits.bag, "test", Predictor(digits.bundle))[0].path


def test_command_judges_a_bundle_on_a_data_set(digits: Digits, tmp_path: Path) -> None:
    done = autommlab_here(
        "evaluate", digits.bundle, "--data", "digits", "--split", "test", "--images", 100, "--out", tmp_path
    )
    assert done.code == 0, done.err
    assert "100 test pictures: accuracy" in done.out
    record = Analysis.model_validate_json((tmp_path / "analysis.json").read_bytes())
    assert (record.split, record.pictures) == ("test", 100)
    assert [one.name for one in record.classes] == list(digits.bag.classes)
    page = (tmp_path / "evaluation.html").read_text(encoding="utf-8")
    for part in ("By class", "What is taken for what", "Calibration", "The most confident mistakes", "data:image/jpeg"):
        assert part in page
    assert "http" not in page.replace("http://www.w3.org", ""), "the page needs nothing from the network"


def test_without_a_data_set_the_pictures_are_those_of_the_run(digits: Digits, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="does not lie in a run: say with --data"):
        evaluate(digits.bundle, tmp_path)
    run = RunFolder(digits.run)
    run.write("bag", digits.bag)
    done = evaluate(digits.run, tmp_path)
    assert len({one.path for one in done.found.mistakes(SHOWN)} & digits.planted) >= 18
    assert json.loads(done.record.read_text())["split"] == "test"
    assert evaluate(digits.bundle, tmp_path, split="val").found.pictures == 20
    with pytest.raises(RequestError, match="the run has the splits train, val, test, not all"):
        evaluate(digits.bundle, tmp_path, split="all")


def test_what_does_not_fit_the_bundle_is_named(digits: Digits, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is for detection, the bundle for classification"):
        evaluate(digits.bundle, tmp_path, data="openmoji-scenes")
    with pytest.raises(DataError, match="has none of the bundle's classes"):
        evaluate(digits.bundle, tmp_path, data="openmoji-objects")
    with pytest.raises(RequestError, match="no split 'tset'; give train, val, test or all"):
        evaluate(digits.bundle, tmp_path, split="tset")
    with pytest.raises(DataError, match="no data set 'digitz'"):
        evaluate(digits.bundle, tmp_path, data="digitz")
    other = make_bundle(tmp_path / "bundle", "classification")
    RunFolder(tmp_path).write("bag", digits.bag.model_copy(update={"folder": tmp_path / "bag"}))
    with pytest.raises(DataError, match="has other classes than the data of its run"):
        evaluate(other, tmp_path / "out")
