"""`autommlab predict`: the answers of a few lines of code on pixels, told and drawn; and what a bundle must not do."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from typer.testing import CliRunner

from autommlab.bundle_runtime import BundleError
from autommlab.cli.main import app
from autommlab.common.errors import DeploymentError, RequestError, StorageError
from autommlab.deployment.predicting import Box, load_bundle, predict_files
from tests.helpers import tiny_bundles

_META = {"classes": ["dark", "bright"], "keypoints": {"names": ["a", "b"], "skeleton": [[0, 1]]}}
#: What a hostile bundle brings instead of its predict.py and its runtime.
_PAYLOAD = "import pathlib; pathlib.Path(__file__).with_name('payload-ran').touch()\n"


class Scripted:
    """Stands for the installed runtime: finds things by brightness, an answer of the right form for the task."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self.info = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))

    def __call__(self, image: Path, threshold: float = 0.3, boxes: Sequence[Box] | None = None) -> dict[str, Any]:
        with Image.open(image) as picture:
            pixels = np.asarray(picture.convert("L"))
        answer: dict[str, Any] = getattr(self, self.info["task"])(pixels, threshold, boxes)
        return answer

    def classification(self, pixels: Any, *_: Any) -> dict[str, Any]:
        score = float(pixels.mean()) / 255
        return {"label": "bright" if score > 0.5 else "dark", "score": max(score, 1 - score), "scores": {}}

    def detection(self, pixels: Any, threshold: float, _: Any) -> dict[str, Any]:
        rows, columns = np.nonzero(pixels > 128)
        box = [int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1]
        found: list[dict[str, Any]] = [
            {"label": "bright", "score": 0.9, "box": box},
            {"label": "dark", "score": 0.1, "box": box},
        ]
        return {"boxes": [each for each in found if each["score"] >= threshold]}

    def segmentation(self, pixels: Any, *_: Any) -> dict[str, Any]:
        mask = (pixels > 128).astype(np.uint8)
        return {"mask": mask, "classes": {"dark": float(1 - mask.mean()), "bright": float(mask.mean())}}

    def keypoint(self, pixels: Any, _: float, boxes: Sequence[Box] | None) -> dict[str, Any]:
        whole = [(0, 0, pixels.shape[1], pixels.shape[0])]
        return {
            "instances": [
                {"label": "bright", "score": 0.8, "box": list(box),
                 "keypoints": [[box[0] + 2, box[1] + 2, 0.9], [box[0] + 20, box[1] + 20, 0.9]]}
                for box in boxes or whole
            ]
        }  # fmt: skip


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autommlab.deployment.predicting.Predictor", Scripted)


def make_bundle(folder: Path, task: str, **entries: object) -> Path:
    (folder / "bundle_runtime").mkdir(parents=True)
    (folder / "bundle.json").write_text(json.dumps(_META | {"task": task, **entries}), encoding="utf-8")
    for name in ("predict.py", "bundle_runtime/__init__.py", "numpy.py", "json.py"):
        (folder / name).write_text(_PAYLOAD, encoding="utf-8")
    return folder


@pytest.fixture
def image(tmp_path: Path) -> Path:
    pixels = np.full((60, 80, 3), 20, np.uint8)
    pixels[10:30, 40:70] = 240
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


def predict(*arguments: object) -> tuple[int, str, str, BaseException | None]:
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr, result.exception


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("classification", "dark 8"),
        ("detection", "1 bright"),
        ("segmentation", "dark 87.5%, bright 12.5%"),
        ("keypoint", "1 bright"),
    ],
)
@pytest.mark.usefixtures("scripted")
def test_each_task_is_told_and_drawn(task: str, words: str, image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", task)
    code, out, _, _ = predict(bundle, image, "--out", tmp_path / "out")
    assert code == 0
    assert words in out
    with Image.open(tmp_path / "out" / "photo-predicted.png") as drawn, Image.open(image) as original:
        assert drawn.size == (320, 240), "a small image is enlarged by a whole factor so that words fit"
        plain = original.convert("RGB").resize(drawn.size)
        assert np.abs(np.asarray(drawn.convert("RGB"), int) - np.asarray(plain, int)).max() > 60


@pytest.mark.usefixtures("scripted")
def test_a_box_is_drawn_where_it_is(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "detection")
    predict(bundle, image, "--out", tmp_path / "out")
    with Image.open(tmp_path / "out" / "photo-predicted.png") as drawn:
        pixels = np.asarray(drawn.convert("RGB"), int)
    colourful = pixels.max(axis=2) - pixels.min(axis=2) > 100
    assert colourful[4 * 20, 4 * 40], "left edge of the box (40, 10, 30, 20), four times as large"
    assert not colourful[4 * 45 :, :].any()


@pytest.mark.usefixtures("scripted")
def test_json_names_image_answer_and_drawing(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "detection")
    code, out, _, _ = predict(bundle, image, "--out", tmp_path / "out", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["image"] == str(image)
    assert answer["boxes"] == [{"label": "bright", "score": 0.9, "box": [40, 10, 30, 20]}]
    assert Path(answer["drawn"]).is_file()


@pytest.mark.usefixtures("scripted")
def test_threshold_reaches_the_predictor(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "detection")
    _, out, _, _ = predict(bundle, image, "--out", tmp_path / "out", "--json", "--threshold", 0.05)
    assert [box["label"] for box in json.loads(out)["boxes"]] == ["bright", "dark"]


@pytest.mark.usefixtures("scripted")
def test_a_mask_is_saved_as_an_index_image(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "segmentation")
    _, out, _, _ = predict(bundle, image, "--out", tmp_path / "out", "--json")
    answer = json.loads(out)
    assert "mask" not in answer
    with Image.open(answer["mask_file"]) as mask:
        assert np.asarray(mask).shape == (60, 80)
        assert np.asarray(mask).sum() == 600


@pytest.mark.usefixtures("scripted")
def test_boxes_of_objects_reach_a_keypoint_bundle(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "keypoint")
    options = ("--out", tmp_path / "out", "--json", "--box", "5,6,30,30", "--box", "40,10,20,20")
    _, out, _, _ = predict(bundle, image, *options)
    assert [i["keypoints"][0][:2] for i in json.loads(out)["instances"]] == [[7, 8], [42, 12]]


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("box", ["5,6,30", "0,0,0,0", "1,2,nan,4", "1,2,3,inf", "1,2,-3,4", "a,b,c,d", ""])
def test_bad_box_is_explained(box: str, image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "keypoint")
    _, _, _, error = predict(bundle, image, "--box", box)
    assert isinstance(error, RequestError)
    assert f"{box!r} is not X,Y,W,H" in str(error)


@pytest.mark.usefixtures("scripted")
def test_a_box_that_a_bundle_refuses_is_told_for_its_image(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BundleError("the box lies outside of the picture")

    monkeypatch.setattr(Scripted, "__call__", refuse)
    bundle = make_bundle(tmp_path / "bundle", "keypoint")
    done = list(predict_files(load_bundle(bundle), [image], tmp_path / "out", boxes=[(900, 900, 5, 5)]))
    assert [one.problem for one in done] == ["the box lies outside of the picture"]


@pytest.mark.usefixtures("scripted")
def test_unreadable_images_are_named_and_the_others_predicted(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "classification")
    (tmp_path / "note.jpg").write_text("not an image")
    (tmp_path / "cut.png").write_bytes(image.read_bytes()[:120])
    bad = [tmp_path / "missing.jpg", tmp_path / "note.jpg", tmp_path / "cut.png", tmp_path]
    code, out, err, _ = predict(bundle, *bad, image, "--out", tmp_path / "out")
    assert code == 3
    assert "photo.png: dark" in out
    assert "missing.jpg: the file does not exist" in err
    assert "note.jpg: is not an image" in err
    assert "cut.png: cannot be decoded" in err or "cut.png: is not an image" in err
    assert "is a folder, not an image" in err
    assert "4 of 5 image(s) could not be read" in err


@pytest.mark.usefixtures("scripted")
def test_unreadable_image_in_json(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "classification")
    code, out, _, _ = predict(bundle, tmp_path / "missing.jpg", "--json", "--out", tmp_path / "out")
    assert code == 3
    assert "the file does not exist" in json.loads(out)["error"]


@pytest.mark.usefixtures("scripted")
def test_same_name_in_two_folders_gives_two_drawings(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "classification")
    (tmp_path / "other").mkdir()
    shutil.copy(image, tmp_path / "other" / "photo.png")
    predict(bundle, image, tmp_path / "other" / "photo.png", "--out", tmp_path / "out")
    drawn = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert drawn == ["photo-2-predicted.png", "photo-predicted.png"]


@pytest.mark.usefixtures("scripted")
def test_output_folder_of_the_images_keeps_the_images(image: Path, tmp_path: Path) -> None:
    before = image.read_bytes()
    predict(make_bundle(tmp_path / "bundle", "classification"), image, "--out", tmp_path)
    assert image.read_bytes() == before


def test_not_a_bundle(image: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(DeploymentError, match=r"is not a bundle: it has no bundle\.json.*runs/NAME/bundle"):
            load_bundle(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "bundle.json cannot be read"),
        ("[" * 200_000, "bundle.json cannot be read"),
        ("[]", "lacks one of task"),
        (json.dumps(_META | {"task": "detection"}), "lacks one of task"),
    ],
)
def test_broken_bundle_json(tmp_path: Path, text: str, said: str) -> None:
    bundle = make_bundle(tmp_path / "bundle", "detection")
    (bundle / "bundle.json").write_text(text)
    with pytest.raises(DeploymentError, match=said):
        load_bundle(bundle)


_WHOLE = {"engine": "onnxruntime", "files": ["model.onnx"], "input": {}, "output": {}}


def test_a_lost_model_and_an_unknown_engine_are_named(tmp_path: Path) -> None:
    bundle = tiny_bundles.make_bundle(tmp_path / "bundle", "detection")
    (bundle / "model.onnx").unlink()
    with pytest.raises(DeploymentError, match=r"lacks model\.onnx; copy the whole folder again"):
        load_bundle(bundle)
    stored = bundle / "bundle.json"
    stored.write_text(stored.read_text().replace('"onnxruntime"', '"predict"'))
    with pytest.raises(DeploymentError, match="unknown engine 'predict'"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "sub/model.onnx", "", ".."])
def test_a_bundle_reads_its_own_files_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeploymentError, match=r"which is not in the bundle|lacks \.*;"):
        load_bundle(make_bundle(tmp_path / "bundle", "detection", **_WHOLE | {"files": [name]}))


@pytest.mark.slow
def test_nothing_that_a_bundle_brings_is_run(image: Path, tmp_path: Path) -> None:
    """A real model of one operator, in a folder full of programs."""
    bundle = make_bundle(tmp_path / "bundle", "classification", **_WHOLE)
    rule = {"size": [2, 8], "resize": "stretch", "channels": "rgb", "mean": [0] * 3, "std": [1] * 3, "tensor_pad": 0}
    info = json.loads((bundle / "bundle.json").read_text())
    info |= {"input": rule | {"tensor": [1, 3, 8, 2]}, "output": {"names": ["y"], "activation": "softmax"}}
    (bundle / "bundle.json").write_text(json.dumps(info))
    node = onnx.helper.make_node("ReduceMean", ["x"], ["y"], axes=[1, 2], keepdims=0)
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 8, 2])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 2])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, bundle / "model.onnx")
    line = [sys.executable, "-m", "autommlab", "predict", bundle, image, "--out", tmp_path / "out", "--json"]
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True, cwd=tmp_path)
    assert "payload" not in done.stderr
    assert not list(tmp_path.rglob("payload-ran"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] in _META["classes"]


@pytest.mark.usefixtures("scripted")
def test_output_that_is_a_file(image: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    _, _, _, error = predict(make_bundle(tmp_path / "bundle", "classification"), image, "--out", tmp_path / "out")
    assert isinstance(error, StorageError)
    assert "Give another folder with --out" in str(error)


def test_the_command_is_light_to_import() -> None:
    code = (
        "import sys, autommlab.cli.predict;"
        "print([m for m in ('torch', 'ray', 'numpy', 'PIL.Image', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
