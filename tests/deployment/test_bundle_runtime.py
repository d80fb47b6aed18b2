"""The bundle's own numpy code against the libraries whose results it repeats."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from autommlab import bundle_runtime
from autommlab.bundle_runtime import BundleError, Predictor
from autommlab.bundle_runtime.decode import detections, resize_bilinear, suppress
from autommlab.bundle_runtime.images import load_image, prepare
from autommlab.bundle_runtime.keypoints import gaussian_kernel
from autommlab.compat import apply_repairs

PLAIN = {"mean": [0.0] * 3, "std": [1.0] * 3, "channels": "rgb", "tensor_pad": 0.0}


def rule(resize: str, size: tuple[int, int], **more: object) -> dict[str, object]:
    return {**PLAIN, "resize": resize, "size": list(size), "tensor": [1, 3, size[1], size[0]], **more}


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("box", [(10, 8, 40, 60), (-20, -5, 90, 30), (60, 50, 70, 70), (12.3, 7.9, 31.7, 55.1)])
def test_crop_is_mmposes_affine_crop(box: tuple[float, float, float, float], unbiased: bool) -> None:
    apply_repairs()
    from mmpose.structures.bbox import get_udp_warp_matrix, get_warp_matrix

    size = (48, 64)
    image = noise(100, 80)
    prepared = prepare(image, rule("crop", size, box_padding=1.25, unbiased=unbiased), box)
    assert prepared.extent[0] / prepared.extent[1] == pytest.approx(48 / 64)
    matrix = get_udp_warp_matrix if unbiased else get_warp_matrix
    warp = matrix(np.array(prepared.centre, np.float32), np.array(prepared.extent, np.float32), 0.0, output_size=size)
    expected = cv2.warpAffine(np.asarray(image), warp, size, flags=cv2.INTER_LINEAR)
    difference = np.abs(prepared.tensor[0].transpose(1, 2, 0) - expected)
    # A sample that falls between two places of the 1/32 grid may take either one.
    assert difference.max() <= 255 / 32
    assert (difference > 1).mean() < 0.02


def test_fit_keeps_the_ratio_and_pads_right_and_below() -> None:
    prepared = prepare(Image.new("RGB", (100, 50), (10, 20, 30)), rule("fit", (64, 64), pad_value=114))
    assert prepared.scale == (0.64, 0.64)
    assert prepared.tensor[0, :, 31, 63].tolist() == [10, 20, 30]
    assert prepared.tensor[0, :, 32, 0].tolist() == [114] * 3


def test_fit_stays_inside_an_oblong_input() -> None:
    for size in [(50, 100), (100, 50), (300, 299)]:
        prepared = prepare(Image.new("RGB", size), rule("fit", (64, 32), pad_value=114))
        assert prepared.tensor.shape == (1, 3, 32, 64)


def test_channels_mean_and_tensor_padding() -> None:
    settings_ = rule("stretch", (4, 4), channels="bgr", mean=[1, 2, 3], std=[2, 2, 2], tensor_pad=-9.0)
    settings_["tensor"] = [1, 3, 6, 5]
    tensor = prepare(Image.new("RGB", (8, 8), (10, 20, 30)), settings_).tensor
    assert tensor[0, :, 0, 0].tolist() == [14.5, 9.0, 3.5]
    assert (tensor[0, :, 4:, :] == -9).all()
    assert (tensor[0, :, :, 4] == -9).all()


def test_images_are_turned_and_freed_of_transparency(tmp_path: Path) -> None:
    turned = Image.new("RGB", (6, 4))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert load_image(tmp_path / "turned.jpg", {}).size == (4, 6)
    assert load_image(Image.new("LA", (2, 2), (0, 0)), {}).getpixel((0, 0)) == (255, 255, 255)
    twelve_bits = Image.fromarray(np.full((2, 2), 2048, np.uint16))
    assert load_image(twelve_bits, {"depth": {"bits": 12, "white": 1.0}}).getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "the file does not exist"), (b"text", "is not an image"), (b"cut", "cannot be decoded")],
)
def test_unreadable_images_say_what_is_wrong(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "image.png"
    if content == b"cut":
        noise(40, 40).save(path)
        path.write_bytes(path.read_bytes()[:500])
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=message):
        load_image(path, {})


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([0, 0, 0, 0], "is empty"),
        ([1, 1, -4, 5], "is empty"),
        ([float("nan"), 0, 5, 5], "four numbers"),
        ([0, 0, float("inf"), 5], "four numbers"),
        ([1, 2, 3], "four numbers"),
        ([100, 0, 5, 5], "outside of the picture, which has 100 x 80 pixels"),
        ([0, -30, 5, 30], "outside of the picture"),
    ],
)
def test_a_box_that_shows_nothing_is_refused(box: list[float], message: str) -> None:
    predictor = Predictor.__new__(Predictor)
    predictor.task, predictor.info = "keypoint", {"input": {}}
    with pytest.raises(BundleError, match=message):
        predictor(noise(100, 80), boxes=[box])


def test_masks_of_pictures_with_one_name_get_files_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(bundle_runtime.__file__).parents[1]))  # a bundle has it beside the program
    from autommlab.deployment.predict_template import _options, _predict_all

    def shown(path: str, **_: object) -> dict[str, object]:
        return {"mask": np.full((2, 2), len(path), np.uint8), "classes": {"a": 1.0}}

    options = _options().parse_args(["a/img.jpg", "bb/img.jpg", "--json", "--masks", str(tmp_path)])
    assert _predict_all(shown, options) == 0
    files = [json.loads(line)["mask_file"] for line in capsys.readouterr().out.splitlines()]
    assert [np.asarray(Image.open(file)).max() for file in files] == [9, 10]


@pytest.mark.parametrize(
    "words", [["--threshold", "nan"], ["--threshold", "1.5"], ["--threshold", "x"], ["--bench", "0"], ["--bench", "-3"],
              ["--box", "1,2,3"], ["--box", "a,b,c,d"]]
)  # fmt: skip
def test_options_of_a_bundle_that_cannot_be_meant_are_refused(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(bundle_runtime.__file__).parents[1]))
    from autommlab.deployment.predict_template import _options

    with pytest.raises(SystemExit) as ended:
        _options().parse_args(["x.jpg", *words])
    assert ended.value.code == 2
    assert f"argument {words[0]}" in capsys.readouterr().err


def test_masks_that_cannot_be_saved_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(bundle_runtime.__file__).parents[1]))
    from autommlab.deployment import predict_template

    monkeypatch.setattr(
        predict_template, "Predictor", lambda folder: lambda path, **_: {"mask": np.zeros((2, 2), "u1")}
    )
    (tmp_path / "file").write_text("")
    assert predict_template.main(["x.jpg", "--masks", str(tmp_path / "file")]) == 2
    assert "file cannot be written" in capsys.readouterr().err


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a bundle: its bundle\.json cannot be read"):
        Predictor(tmp_path)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(13, 29), (5, 4), (64, 48), (1, 1)])
def test_resize_is_torchs_interpolate(size: tuple[int, int], align_corners: bool) -> None:
    values = np.random.default_rng(1).normal(size=(16, 24)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], size=(size[1], size[0]), mode="bilinear", align_corners=align_corners
    )
    got = resize_bilinear(values, size, align_corners=align_corners)
    np.testing.assert_allclose(got, expected[0, 0].numpy(), atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), iou=st.floats(0.1, 0.9), threshold=st.floats(0, 0.9))
def test_suppression_is_torchvisions(seed: int, iou: float, threshold: float) -> None:
    from torchvision.ops import nms

    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 60, (30, 2))
    corners = np.concatenate([low, low + rng.uniform(2, 40, (30, 2))], axis=1).astype(np.float32)
    scores = rng.permutation(60).reshape(2, 30).astype(np.float32) / np.float32(60)
    bounds = {"score": threshold, "iou": iou, "per_class": 100, "in_all": 100}
    boxes, confidences, labels = suppress(corners, scores, bounds)
    assert (np.diff(confidences) <= 0).all()
    for label in (0, 1):
        above = np.flatnonzero(scores[label] > threshold)
        kept = above[nms(torch.from_numpy(corners[above]), torch.from_numpy(scores[label][above]), iou).numpy()]
        np.testing.assert_array_equal(boxes[labels == label], corners[kept])


def test_suppression_caps_boxes_per_class_and_in_all() -> None:
    corners = np.array([[i * 10, 0, i * 10 + 5, 5] for i in range(8)], np.float32)
    scores = np.linspace(0.1, 0.9, 16, dtype=np.float32).reshape(2, 8)
    assert len(suppress(corners, scores, {"score": 0, "iou": 0.5, "per_class": 3, "in_all": 100})[0]) == 6
    assert len(suppress(corners, scores, {"score": 0, "iou": 0.5, "per_class": 8, "in_all": 5})[0]) == 5


def test_filled_up_rows_are_no_detections() -> None:
    dets = np.array([[[0, 0, 2, 2, 0.4], [1, 1, 3, 3, 0.7], [0, 0, 0, 0, 0]]], np.float32)
    corners, scores, labels = detections([dets, np.array([[1, 0, 0]])], {"kind": "boxes"})
    assert scores.tolist() == pytest.approx([0.7, 0.4])
    assert labels.tolist() == [0, 1]
    assert corners.shape == (2, 4)


@pytest.mark.parametrize("size", [1, 3, 5, 7, 9, 11, 17, 23])
def test_kernel_is_opencvs(size: int) -> None:
    np.testing.assert_allclose(gaussian_kernel(size), cv2.getGaussianKernel(size, 0)[:, 0], atol=1e-7)
