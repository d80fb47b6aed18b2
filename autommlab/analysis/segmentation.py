"""Segmentation: IoU of each class, which pixels are taken for what, and the pictures with the surest contradictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autommlab.analysis.findings import (
    Findings,
    Reliability,
    confusion_of,
    fits_a_matrix,
    judged_picture,
    mean,
    most_confused,
    ratio,
)
from autommlab.analysis.records import ClassFigures, JudgedPicture
from autommlab.bundle_runtime import BundleError, Predictor, decode, pictures
from autommlab.bundle_runtime.images import Prepared
from autommlab.data.match import BACKGROUND
from autommlab.data.names import plain_name
from autommlab.data.truths import Annotated

#: A region smaller than this part of the picture counts as one of this size: a few pixels make no wrong annotation.
_SMALLEST_REGION = 0.01


class SegmentationJudge:
    """See `findings.Judge`.

    Args:
        predictor: of a bundle.
        classes: in the order of the masks' values.
    """

    def __init__(self, predictor: Predictor, classes: Sequence[str]) -> None:
        self._predictor, self._classes = predictor, classes
        self._counts = np.zeros((len(classes), len(classes)), np.int64)
        self._reliability = Reliability("pixels")
        self._judged: list[JudgedPicture] = []
        self._things = np.array([plain_name(name) not in BACKGROUND for name in classes])

    def add(self, picture: Annotated) -> None:
        """See `findings.Judge`."""
        true = pictures.values(picture.mask)
        prepared = self._predictor.prepare(picture.path)
        outputs = self._predictor.run(prepared.tensor)
        said = decode.decode_mask(outputs, self._predictor.info, prepared)["mask"]
        if true.shape != said.shape:
            raise BundleError(f"the mask {picture.mask} has the shape {true.shape}, its picture {said.shape}.")
        known = true < len(self._classes)
        true, said, sure = true[known].astype(int), said[known].astype(int), _certainty(outputs, prepared)[known]
        counts = self._table(true, said)
        self._counts += counts.astype(np.int64)
        self._reliability.add(sure, true == said)
        self._judged.append(self._judge(picture, counts, self._table(true, said, sure)))

    def findings(self) -> Findings:
        """See `findings.Judge`."""
        hits, true, said = np.diag(self._counts), self._counts.sum(axis=1), self._counts.sum(axis=0)
        classes = tuple(
            ClassFigures(
                name=name,
                count=int(true[label]),
                figures={
                    "IoU": ratio(hits[label], true[label] + said[label] - hits[label]),
                    "Dice coefficient": ratio(2 * hits[label], true[label] + said[label]),
                    "precision": ratio(hits[label], said[label]),
                    "recall": ratio(hits[label], true[label]),
                },
            )
            for label, name in enumerate(self._classes)
        )
        return Findings(
            figures={
                "mIoU": mean(one.figures["IoU"] for one in classes),
                "Dice coefficient": mean(one.figures["Dice coefficient"] for one in classes),
                "pixel accuracy": ratio(hits.sum(), true.sum()),
            },
            judged=self._judged,
            classes=classes,
            confusion=confusion_of(self._counts, self._classes, self._classes, "pixels")
            if fits_a_matrix(self._classes)
            else None,
            confused=most_confused(self._counts, self._classes),
            calibration=self._reliability.calibration(),
        )

    def _table(self, true: NDArray[Any], said: NDArray[Any], weights: NDArray[Any] | None = None) -> NDArray[Any]:
        """(annotated, predicted) pixels, each counted by its weight."""
        many = len(self._classes)
        return np.bincount(many * true + said, weights, many * many).reshape(many, many)

    def _judge(self, picture: Annotated, counts: NDArray[Any], weighted: NDArray[Any]) -> JudgedPicture:
        """A picture is suspicious by its surely wrong pixels, as a part of those of all things."""
        union = counts.sum(axis=1) + counts.sum(axis=0) - np.diag(counts)
        wrong = weighted * ~np.eye(len(weighted), dtype=bool)
        things = weighted[self._things].sum() + weighted[~self._things][:, self._things].sum()
        least = _SMALLEST_REGION * weighted.sum()
        row, column = divmod(int(wrong.argmax()), len(wrong))
        share = counts[row, column] / max(counts.sum(), 1)
        mistake = f"{share:.1%} of the picture is {self._classes[column]}, annotated as {self._classes[row]}"
        return judged_picture(
            picture,
            truth=self._shares(counts.sum(axis=1)),
            answer=self._shares(counts.sum(axis=0)),
            mistake=mistake if wrong.sum() > 0 else "",
            agreement=float((np.diag(counts)[union > 0] / union[union > 0]).mean()) if union.any() else 1.0,
            confidence=weighted.sum() / max(counts.sum(), 1),
            suspicion=min(1.0, wrong.sum() / max(things, least, 1e-9)),
        )

    def _shares(self, pixels: NDArray[Any]) -> str:
        """The classes of a mask with their parts of it, the largest first."""
        order = [label for label in np.argsort(-pixels, kind="stable") if pixels[label]]
        return ", ".join(f"{self._classes[label]} {pixels[label] / pixels.sum():.0%}" for label in order) or "nothing"


def _certainty(outputs: Sequence[NDArray[Any]], prepared: Prepared) -> NDArray[np.float32]:
    """Probability of the most likely class at each pixel of the picture, (height, width).

    It is taken where the network answers and then resized: probabilities of all classes at full size would fill the
    memory.
    """
    logits = outputs[0].astype(np.float32)
    logits = logits.reshape(logits.shape[-3:])
    highest = 1 / np.exp(logits - logits.max(axis=0)).sum(axis=0)
    return decode.resize_bilinear(highest, prepared.size, align_corners=False)
