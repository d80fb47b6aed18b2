"""`autommlab predict` on bundles whose predictor is a few lines of real code on pixels."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from autommlab.cli.main import app
from autommlab.common.errors import DeploymentError, RequestError, StorageError
from autommlab.deployment.predicting import load_bundle, predict_files

#: Each finds things by brightness: an answer of the right form that depends on the image.
_HEAD = """
import numpy as np
from PIL import Image
class BundleError(Exception):
    pass
class Predictor:
    def __init__(self, folder):
        pass
    def __call__(self, image, threshold=0.3, boxes=None):
        pixels = np.asarray(image if isinstance(image, Image.Image) else Image.open(image).convert("L"))
"""
_BODIES = {
    "classification": """
        score = float(pixels.mean()) / 255
        return {"label": "bright" if score > 0.5 else "dark", "score": max(score, 1 - score), "scores": {}}
""",
    "detection": """
        rows, columns = np.nonzero(pixels > 128)
        box = [int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1]
        found = [{"label": "bright", "score": 0.9, "box": box}, {"label": "dark", "score": 0.1, "box": box}]
        return {"boxes": [each for each in found if each["score"] >= threshold]}
""",
    "segmentation": """
        mask = (pixels > 128).astype(np.uint8)
        return {"mask": mask, "classes": {"dark": float(1 - mask.mean()), "bright": float(mask.mean())}}
""",
    "keypoint": """
        boxes = boxes or [[0, 0, pixels.shape[1], pixels.shape[0]]]
        return {"instances": [
            {"label": "bright", "score": 0.8, "box": list(box),
             "keypoints": [[box[0] + 2, box[1] + 2, 0.9], [box[0] + 20, box[1] + 20, 0.9]]} for box in boxes]}
""",
}
_META = {"classes": ["dark", "bright"], "keypoints": {"names": ["a", "b"], "skeleton": [[0, 1]]}}


def make_bundle(folder: Path, task: str, head: str = _HEAD) -> Path:
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_text(json.dumps(_META | {"task": task}), encoding="utf-8")
    (folder / "predict.py").write_text(head + _BODIES[task], encoding="utf-8")
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
def test_each_task_is_told_and_drawn(task: str, words: str, image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", task)
    code, out, _, _ = predict(bundle, image, "--out", tmp_path / "out")
    assert code == 0
    assert words in out
    with Image.open(tmp_path / "out" / "photo-predicted.png") as drawn, Image.open(image) as original:
        assert drawn.size == (320, 240), "a small image is enlarged by a whole factor so that words fit"
        plain = original.convert("RGB").resize(drawn.size)
        assert np.abs(np.asarray(drawn.convert("RGB"), int) - np.asarray(plain, int)).max() > 60


def test_a_box_is_drawn_where_it_is(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "detection")
    predict(bundle, image, "--out", tmp_path / "out")
    with Image.open(tmp_path / "out" / "photo-predicted.png") as drawn:
        pixels = np.asarray(drawn.convert("RGB"), int)
    colourful = pixels.max(axis=2) - pixels.min(axis=2) > 100
    assert colourful[4 * 20, 4 * 40], "left edge of the box (40, 10, 30, 20), four times as large"
    assert not colourful[4 * 45 :, :].any()


def test_json_names_image_answer_and_drawing(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "detection")
    code, out, _, _ = predict(bundle, image, "--out", tmp_path / "out", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["image"] == str(image)
    assert answer["boxes"] == [{"label": "bright", "score": 0.9, "box": [40, 10, 30, 20]}]
    assert Path(answer["drawn"]).is_file()


def test_threshold_reaches_the_predictor(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "detection")
    _, out, _, _ = predict(bundle, image, "--out", tmp_path / "out", "--json", "--threshold", 0.05)
    assert [box["label"] for box in json.loads(out)["boxes"]] == ["bright", "dark"]


def test_a_mask_is_saved_as_an_index_image(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "segmentation")
    _, out, _, _ = predict(bundle, image, "--out", tmp_path / "out", "--json")
    answer = json.loads(out)
    assert "mask" not in answer
    with Image.open(answer["mask_file"]) as mask:
        assert np.asarray(mask).shape == (60, 80)
        assert np.asarray(mask).sum() == 600


def test_boxes_of_objects_reach_a_keypoint_bundle(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "keypoint")
    options = ("--out", tmp_path / "out", "--json", "--box", "5,6,30,30", "--box", "40,10,20,20")
    _, out, _, _ = predict(bundle, image, *options)
    assert [i["keypoints"][0][:2] for i in json.loads(out)["instances"]] == [[7, 8], [42, 12]]


@pytest.mark.parametrize("box", ["5,6,30", "0,0,0,0", "1,2,nan,4", "1,2,3,inf", "1,2,-3,4", "a,b,c,d", ""])
def test_bad_box_is_explained(box: str, image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "keypoint")
    _, _, _, error = predict(bundle, image, "--box", box)
    assert isinstance(error, RequestError)
    assert f"{box!r} is not X,Y,W,H" in str(error)


def test_a_box_that_a_bundle_refuses_is_told_for_its_image(image: Path, tmp_path: Path) -> None:
    refusing = """
class BundleError(Exception):
    pass
class Predictor:
    def __init__(self, folder):
        pass
    def __call__(self, image, threshold=0.3, boxes=None):
        raise BundleError("the box lies outside of the picture")
"""
    bundle = make_bundle(tmp_path / "bundle", "keypoint")
    (bundle / "predict.py").write_text(refusing)
    done = list(predict_files(load_bundle(bundle), [image], tmp_path / "out", boxes=[(900, 900, 5, 5)]))
    assert [one.problem for one in done] == ["the box lies outside of the picture"]


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


def test_unreadable_image_in_json(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "classification")
    code, out, _, _ = predict(bundle, tmp_path / "missing.jpg", "--json", "--out", tmp_path / "out")
    assert code == 3
    assert "the file does not exist" in json.loads(out)["error"]


def test_same_name_in_two_folders_gives_two_drawings(image: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "classification")
    (tmp_path / "other").mkdir()
    shutil.copy(image, tmp_path / "other" / "photo.png")
    predict(bundle, image, tmp_path / "other" / "photo.png", "--out", tmp_path / "out")
    drawn = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert drawn == ["photo-2-predicted.png", "photo-predicted.png"]


def test_output_folder_of_the_images_keeps_the_images(image: Path, tmp_path: Path) -> None:
    before = image.read_bytes()
    predict(make_bundle(tmp_path / "bundle", "classification"), image, "--out", tmp_path)
    assert image.read_bytes() == before


def test_not_a_bundle(image: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(DeploymentError, match=r"is not a bundle: it has no bundle\.json.*runs/NAME/bundle"):
            load_bundle(folder)


def test_broken_bundle_json(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "detection")
    (bundle / "bundle.json").write_text("{")
    with pytest.raises(DeploymentError, match="not valid JSON"):
        load_bundle(bundle)


def test_missing_engine_says_what_to_install(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "detection", "import an_engine_nobody_has\n" + _HEAD)
    (bundle / "requirements.txt").write_text("numpy\n")
    with pytest.raises(DeploymentError, match=r"an_engine_nobody_has.*pip install -r .*requirements\.txt"):
        load_bundle(bundle)


def test_a_bundle_that_leaves_when_a_package_is_missing(tmp_path: Path) -> None:
    head = 'import sys\nsys.exit("this bundle cannot start: pip install -r x")\n' + _HEAD
    with pytest.raises(DeploymentError, match="cannot start: this bundle cannot start: pip install"):
        load_bundle(make_bundle(tmp_path / "bundle", "detection", head))


def test_predict_without_predictor(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "detection")
    (bundle / "predict.py").write_text("answer = 42\n")
    with pytest.raises(DeploymentError, match="has no class Predictor"):
        load_bundle(bundle)


def test_each_bundle_runs_its_own_runtime(image: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        bundle = tmp_path / name
        bundle.mkdir()
        (bundle / "bundle.json").write_text(json.dumps(_META))
        (bundle / "predict.py").write_text(
            "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parent))\n"
            "from bundle_runtime import BundleError, Predictor\n"
        )
        (bundle / "bundle_runtime.py").write_text(
            "class BundleError(Exception): pass\n"
            "class Predictor:\n"
            "    def __init__(self, folder): pass\n"
            f"    def __call__(self, image, threshold=0, boxes=None): return {{'label': '{name}', 'score': 1.0}}\n"
        )
    path_before = list(sys.path)
    first, second = load_bundle(tmp_path / "first"), load_bundle(tmp_path / "second")
    assert (first.predictor(image)["label"], second.predictor(image)["label"]) == ("first", "second")
    assert sys.path == path_before


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
