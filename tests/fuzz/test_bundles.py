"""Bundles with damaged files: `predict` and the bundle's own runtime answer, or say what to copy again."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from autommlab.bundle_runtime import BundleError, Predictor
from autommlab.common.errors import DataError, DeploymentError
from tests.helpers.damage import EXAMPLES, Damage, byte_damages, damages, try_examples
from tests.helpers.program import autommlab_here
from tests.helpers.tiny_bundles import CLASSES, KINDS, make_bundle, make_picture


def predict(folder: Path, *options: str) -> Any:
    return autommlab_here("predict", folder / "bundle", folder / "picture.png", "--out", folder / "out", *options)


def answers_or_explains(folder: Path, file: str, damage: Damage) -> None:
    path = folder / "bundle" / file
    sound = path.read_bytes()
    try:
        path.write_bytes(damage(sound))
        done = predict(folder)
        assert done.code in (0, DataError.exit_code, DeploymentError.exit_code), done.err
        try:
            json.dumps(list(Predictor(folder / "bundle")(folder / "picture.png")))
        except BundleError as error:
            assert str(error)
    finally:
        path.write_bytes(sound)


def damage_bundles(tmp_path: Path, kinds: Sequence[str], count: int) -> None:
    make_picture(tmp_path / "picture.png")
    for kind in kinds:
        shutil.rmtree(tmp_path / "bundle", ignore_errors=True)
        make_bundle(tmp_path / "bundle", kind)
        for file, drawn in (("bundle.json", damages()), ("model.onnx", byte_damages()), ("labels.txt", byte_damages())):
            try_examples(drawn, functools.partial(answers_or_explains, tmp_path, file), count)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_bundle_answers(kind: str, tmp_path: Path) -> None:
    make_picture(tmp_path / "picture.png")
    make_bundle(tmp_path / "bundle", kind)
    done = predict(tmp_path, "--json", "--threshold", "0")
    assert done.code == 0, done.err
    assert json.loads(done.out)["drawn"]


def test_a_bundle_that_tells_no_depth_answers(tmp_path: Path) -> None:
    make_picture(tmp_path / "picture.png")
    make_bundle(tmp_path / "bundle", "classification")
    file = tmp_path / "bundle" / "bundle.json"
    told = json.loads(file.read_text())
    told["input"]["depth"] = None
    file.write_text(json.dumps(told))
    assert predict(tmp_path).code == 0
    assert list(Predictor(tmp_path / "bundle")(tmp_path / "picture.png"))


def test_some_damaged_bundles(tmp_path: Path) -> None:
    damage_bundles(tmp_path, KINDS[:4], 8)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_bundles(kind: str, tmp_path: Path) -> None:
    damage_bundles(tmp_path, [kind], 10 * EXAMPLES)


@pytest.mark.parametrize("kind", KINDS[:4])
@pytest.mark.parametrize("classes", [CLASSES[:1], (*CLASSES, "grey")])
def test_a_model_of_other_classes_is_told(kind: str, classes: tuple[str, ...], tmp_path: Path) -> None:
    make_picture(tmp_path / "picture.png")
    make_bundle(tmp_path / "bundle", kind, classes)
    done = predict(tmp_path)
    if kind.startswith("detection") and len(classes) > len(CLASSES):
        assert done.code == 0  # a class that it never finds
        return
    assert done.code == DataError.exit_code
    assert f"and {len(classes)} classes are named" in done.err
    assert "copy the whole bundle again" in done.err


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("input.size", [10**6, 10**6]),
        ("input.std", [0, 1, 1]),
        ("input.depth", {"bits": 0}),
        ("input.resize", "zoom"),
        ("codec.blur_kernel_size", 10**9),
        ("codec.type", ["MSRAHeatmap"]),
        ("keypoints", {"names": ["a"], "skeleton": [[0, 5]]}),
        ("classes", []),
        ("files", []),
        ("files", ["../model.onnx"]),
        ("task", "translation"),
        ("output.names", [1]),
    ],
)
def test_an_entry_that_no_bundle_has_is_named(where: str, value: object, tmp_path: Path) -> None:
    make_picture(tmp_path / "picture.png")
    make_bundle(tmp_path / "bundle", "keypoint-heatmap")
    stored = tmp_path / "bundle" / "bundle.json"
    info = json.loads(stored.read_text())
    part, _, entry = where.rpartition(".")
    (info[part] if part else info)[entry] = value
    stored.write_text(json.dumps(info))
    done = predict(tmp_path)
    assert done.code == DeploymentError.exit_code
    assert where in done.err or "not in the bundle" in done.err
