"""The routes of the model service on real bundles, asked without Ray: answers, pictures, refusals, the API's page."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from autommlab.common.errors import DeploymentError
from autommlab.deployment import bundle as bundle_module
from autommlab.model_service.http_api import make_api
from autommlab.model_service.predictions import Answer, Asked, Predictions
from tests.helpers.tiny_bundles import KINDS, make_bundle, make_picture

_HERE = Path(bundle_module.__file__).parent


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A bundle of each kind, with the program that it brings."""
    root = tmp_path_factory.mktemp("bundles")
    found = {kind: make_bundle(root / kind, kind) for kind in KINDS}
    for folder in found.values():
        (folder / "predict.py").write_bytes((_HERE / "predict_template.py").read_bytes())
        (folder / "bundle_runtime").symlink_to(_HERE.parent / "bundle_runtime")
    return found


@pytest.fixture(scope="module")
def client(folders: dict[str, Path]) -> TestClient:
    predictions = Predictions(folders, max_megapixels=1, threads=1)

    async def predict(name: str, content: bytes, asked: Asked) -> Answer:
        return predictions.answer(name, content, asked)

    return TestClient(make_api(predictions.described(), predict), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A photo that lies on its side, as telephones store them."""
    file = make_picture(tmp_path_factory.mktemp("picture") / "photo.png", (60, 40))
    content = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(file) as image:
        image.save(content, "JPEG", exif=exif)
    return content.getvalue()


def ask(client: TestClient, kind: str, body: bytes, **parameters: Any) -> Any:
    return client.post(f"/v1/models/{kind}/predict", content=body, params=parameters)


def problem(answer: Any, status: int) -> str:
    """The message of an error of ours."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == status
    return str(error["message"])


def test_answers_are_those_of_the_bundles_own_program(
    client: TestClient, folders: dict[str, Path], picture: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(picture)
    for kind in ("classification", "detection", "detection-raw", "segmentation", "keypoint-simcc"):
        own = [sys.executable, str(folders[kind] / "predict.py"), str(file), "--json", "--threshold", "0.75"]
        own += ["--box", "5,5,30,40"] if "keypoint" in kind else []
        printed = json.loads(subprocess.run(own, capture_output=True, text=True, check=True).stdout)
        del printed["image"]
        box = {"box": "5,5,30,40"} if "keypoint" in kind else {}
        assert ask(client, kind, picture, threshold=0.75, **box).json() == printed, kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_answers_as_json_and_as_a_picture(client: TestClient, kind: str, picture: bytes) -> None:
    answer = ask(client, kind, picture)
    assert answer.status_code == 200
    assert {"label", "boxes", "classes", "instances"} & answer.json().keys()
    assert re.fullmatch(r"predict;dur=\d+\.\d+", answer.headers["server-timing"])
    drawn = ask(client, kind, picture, draw=True)
    assert drawn.headers["content-type"] == "image/png"
    with Image.open(BytesIO(drawn.content)) as image:
        assert image.size == (40 * 6, 60 * 6), "upright, and enlarged so that words fit"


def test_a_form_and_a_body_are_the_same(client: TestClient, picture: bytes) -> None:
    form = client.post("/v1/models/detection/predict", files={"image": ("photo.jpg", picture, "image/jpeg")})
    assert form.json() == ask(client, "detection", picture).json()
    odd = client.post("/v1/models/detection/predict", files={"anything": picture}, data={"more": "words"})
    assert odd.json() == form.json()


def test_threshold_and_boxes_belong_to_the_request(client: TestClient, picture: bytes) -> None:
    assert [len(ask(client, "detection", picture, threshold=t).json()["boxes"]) for t in (0, 0.85, 1)] == [2, 1, 0]
    two = ask(client, "keypoint-simcc", picture, box=["0,0,20,20", "5,5,30,30"]).json()["instances"]
    assert [each["box"] for each in two] == [[0, 0, 20, 20], [5, 5, 30, 30]]


def test_a_mask_comes_on_request_as_indices(client: TestClient, picture: bytes) -> None:
    assert "mask_png" not in ask(client, "segmentation", picture).json()
    asked = ask(client, "segmentation", picture, mask=True).json()
    with Image.open(BytesIO(base64.b64decode(asked["mask_png"]))) as image:
        mask = np.asarray(image)
    assert mask.shape == (60, 40)
    shares = np.bincount(mask.reshape(-1), minlength=3) / mask.size
    assert list(asked["classes"].values()) == pytest.approx(list(shares))


def test_models_are_listed(client: TestClient) -> None:
    found = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
    assert tuple(found) == KINDS
    assert found["detection"]["classes"] == ["red", "green", "blue"]
    assert found["keypoint-simcc"]["keypoints"] == ["a", "b"]


def _png_of(size: tuple[int, int]) -> bytes:
    content = BytesIO()
    Image.new("L", size).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "the body is empty; send a picture's file as the body or as the field `image`"),
        (b"no picture", 400, "is not an image that Pillow can read; give a JPEG"),
        (b"%PDF-1.7", 400, "is a PDF file, which is not read; convert it to JPEG or PNG"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, 400, "is not an image that Pillow can read"),
        (_png_of((1001, 1000)), 413, r"has 1001 x 1000 pixels, and at most 1 megapixels .*--max-megapixels"),
    ],
)
def test_what_is_no_usable_picture_is_told(client: TestClient, body: bytes, status: int, said: str) -> None:
    assert re.search(said, problem(ask(client, "classification", body), status))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"threshold": "high"}, "threshold='high': input should be a valid number"),
        ({"threshold": 1.5}, "threshold='1.5': input should be less than or equal to 1"),
        ({"threshold": "nan"}, "threshold='nan'"),
        ({"draw": "perhaps"}, "draw='perhaps'"),
        ({"box": "1,2,3"}, "box='1,2,3' is not x,y,width,height"),
        ({"box": "900,900,5,5"}, r"lies outside of the picture, which has 40 x 60 pixels"),
        ({"box": "1,2,nan,4"}, "a box has four numbers"),
        ({"box": ["1,1,9,9"] * 101}, "at most 100 items"),
    ],
)
def test_a_wrong_parameter_is_told(client: TestClient, picture: bytes, parameters: dict[str, Any], said: str) -> None:
    assert said in problem(ask(client, "keypoint-simcc", picture, **parameters), 422)


def test_a_damaged_form_is_told(client: TestClient, picture: bytes) -> None:
    def form(content: bytes, kind: str = "multipart/form-data; boundary=x") -> str:
        headers = {"content-type": kind}
        return problem(client.post("/v1/models/detection/predict", content=content, headers=headers), 400)

    assert "has 0 files" in form(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n')
    for damaged in (form(b"--y\r\n"), form(picture), form(picture, "multipart/form-data")):
        assert "the form cannot be read" in damaged or "has 0 files" in damaged
    several = client.post("/v1/models/detection/predict", files={"one": picture, "two": picture})
    assert "the form cannot be read: Too many files" in problem(several, 400)


def test_unknown_models_and_routes_are_told(client: TestClient, picture: bytes) -> None:
    assert "unknown model 'detect'. Did you mean 'detection'" in problem(ask(client, "detect", picture), 404)
    assert problem(client.get("/v1/nothing"), 404)
    assert problem(client.get("/v1/models/detection/predict"), 405)


def test_the_page_of_the_api_needs_no_internet(client: TestClient) -> None:
    page = client.get("/docs").text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    assert not [link for link in links if "//" in link]
    assert all(client.get(link).status_code == 200 for link in links)
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/healthz", "/v1/models", "/v1/models/{name}/predict"}
    body = described["paths"]["/v1/models/{name}/predict"]["post"]["requestBody"]["content"]
    assert {"multipart/form-data", "image/*"} <= body.keys()


def test_a_bundle_of_another_model_is_found_by_its_first_prediction(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle", "classification", classes=("one", "two"))
    with pytest.raises(DeploymentError, match=r"the model 'a' does not predict: .*copy the whole bundle again"):
        Predictions({"a": folder}, max_megapixels=1).warm_up()
