"""Sets of real photos with the sentence that a person would type: those that results are told of, and those by which
changes are tried out.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from autommlab.common.files import storage_errors, write_bytes


class PhotoSet(NamedTuple):
    """A set that is trained on as a person would.

    Attributes:
        name: in tables.
        folder: of its photos, in the folder of all sets; its train, val and test parts are given.
        sentence: the request, which names the wish.
        figure: canonical name of the figure that is wished for.
        wish: at least this, a fraction.
        tried: changes are tried out on it, so its own TEST is never read: its val part is TEST, and a run takes val
            from the training pictures.
    """

    name: str
    folder: str
    sentence: str
    figure: str
    wish: float
    tried: bool = False


#: What results are told of. Nothing is chosen by them.
MEASURED_SETS: tuple[PhotoSet, ...] = (
    PhotoSet(
        "signdigits",
        "classification_signdigits",
        "Classify photos of hand signs by the digit that is shown: 0, 1, 2, 3, 4, 5, 6, 7, 8 or 9. "
        "Accuracy of at least 0.97, on a CPU with ONNX Runtime.",
        "accuracy",
        0.97,
    ),
    PhotoSet(
        "bccd",
        "detection_bccd",
        "Detect RBC, WBC and Platelets in photos of blood smears, mAP of at least 0.48, on a CPU with OpenVINO.",
        "mAP",
        0.48,
    ),
    PhotoSet(
        "nuclei",
        "segmentation_nuclei",
        "Segment the nucleus in microscope pictures, mIoU of at least 0.88, on a CPU with ONNX Runtime.",
        "mIoU",
        0.88,
    ),
    PhotoSet(
        "bees",
        "keypoint_bees",
        "Estimate the keypoints of a bee in photos, AP of at least 0.60, on a CPU with ONNX Runtime.",
        "AP",
        0.6,
    ),
)
#: How a plan spends its time is chosen by these.
TRIED_SETS: tuple[PhotoSet, ...] = (
    PhotoSet(
        "clothing",
        "classification_clothing10",
        "Classify photos of clothes: dress, hat, longsleeve, outwear, pants or t-shirt. Accuracy of at least 0.9, on a "
        "CPU with ONNX Runtime.",
        "accuracy",
        0.9,
        tried=True,
    ),
    PhotoSet(
        "boards",
        "detection_microcontrollers",
        "Detect Arduino_Nano, ESP8266, Heltec_ESP32_Lora and Raspberry_Pi_3 in photos of a desk, mAP of at least 0.6, "
        "on a CPU with ONNX Runtime.",
        "mAP",
        0.6,
        tried=True,
    ),
    PhotoSet(
        "coffeeleaf",
        "segmentation_coffeeleaf",
        "Segment leaf and symptom in photos of coffee leaves, mIoU of at least 0.8, on a CPU with ONNX Runtime.",
        "mIoU",
        0.8,
        tried=True,
    ),
    PhotoSet(
        "gluetubes",
        "keypoint_gluetubes",
        "Estimate the keypoints of a tube in photos, AP of at least 0.9, on a CPU with ONNX Runtime.",
        "AP",
        0.9,
        tried=True,
    ),
)
PHOTO_SETS = MEASURED_SETS + TRIED_SETS


def copy_without_test(source: Path, target: Path) -> None:
    """A set of photos without its test part, whose val part takes that place. What is there is left as it is."""
    with storage_errors(target):
        target.mkdir(parents=True, exist_ok=True)
        for entry in sorted(source.iterdir()):
            if entry.stem == "test":
                continue
            copy = target / (f"test{entry.suffix}" if entry.stem == "val" else entry.name)
            if entry.is_dir():
                copy_without_test(entry, copy)
            elif not copy.exists():
                write_bytes(copy, entry.read_bytes())
