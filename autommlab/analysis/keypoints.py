"""Keypoints: errors of each point, AP by size of the object, and the points that lie surely elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autommlab.analysis.coco import class_figures, coco_of, evaluated, size_figures
from autommlab.analysis.findings import Findings, Reliability, defined, in_words, judged_picture
from autommlab.analysis.records import JudgedPicture, PointFigures
from autommlab.bundle_runtime import Predictor
from autommlab.data.readers.keypoint_layouts import default_sigmas
from autommlab.data.records import KeypointMeta
from autommlab.data.truths import Annotated
from autommlab.training.data_config import PCK_THRESHOLD


@dataclass(frozen=True, slots=True)
class _Posed:
    """One object: its answer and annotation, per point.

    Attributes:
        said, true: (points, 2) pixels.
        score: (points,) 0..1.
        known: (points,) whether it is annotated.
        side: longer one of the box in pixels.
    """

    said: NDArray[np.float64]
    true: NDArray[np.float64]
    score: NDArray[np.float64]
    known: NDArray[np.bool_]
    side: float

    @property
    def distance(self) -> NDArray[np.float64]:
        """(points,) pixels."""
        return np.linalg.norm(self.said - self.true, axis=1)

    @property
    def near(self) -> NDArray[np.bool_]:
        """(points,) whether it counts as found."""
        return self.distance < PCK_THRESHOLD * self.side

    @property
    def swapped(self) -> NDArray[np.bool_]:
        """(points,) whether it is wrong and lies where another annotated point is."""
        between = np.linalg.norm(self.said[:, None] - self.true[None], axis=2)
        others = self.known[None] & ~np.eye(len(self.known), dtype=bool)
        return self.known & ~self.near & ((between < PCK_THRESHOLD * self.side) & others).any(axis=1)


class KeypointJudge:
    """See `findings.Judge`. The model is given the annotated boxes, as in training and its checks.

    Args:
        predictor: of a bundle.
        layout: of the points.
    """

    def __init__(self, predictor: Predictor, layout: KeypointMeta) -> None:
        self._predictor, self._layout = predictor, layout
        self._pictures: list[Annotated] = []
        self._posed: list[list[_Posed]] = []
        self._answers: list[dict[str, Any]] = []

    def add(self, picture: Annotated) -> None:
        """See `findings.Judge`."""
        things = [thing for thing in picture.objects if not thing.get("iscrowd") and max(thing["keypoints"][2::3])]
        found = self._predictor(picture.path, boxes=[thing["bbox"] for thing in things])["instances"]
        self._pictures.append(picture)
        self._posed.append([_posed(thing, one) for thing, one in zip(things, found, strict=True)])
        self._answers += [self._answer(one) for one in found]

    def findings(self) -> Findings:
        """See `findings.Judge`."""
        every = [one for posed in self._posed for one in posed]
        reliability = Reliability("keypoints")
        for one in every:
            reliability.add(one.score[one.known], one.near[one.known])
        truth = coco_of(len(self._pictures), 1, self._truths())
        sigmas = np.array(self._layout.sigmas or default_sigmas(self._layout.names))
        answers = coco_of(len(self._pictures), 1, self._answers)
        evaluation = evaluated(truth, answers, "keypoints", kpt_oks_sigmas=sigmas)
        figures = class_figures(evaluation, slice(None))
        near = np.concatenate([one.near[one.known] for one in every]) if every else np.zeros(0)
        apart = [one.distance[one.known] / one.side for one in every]
        return Findings(
            figures={"AP": figures["AP"], "AP50": figures["AP50"], "AR": figures["AR"]}
            | {"PCK": _mean(near), "NME": _mean(np.concatenate(apart) if apart else np.zeros(0))},
            judged=[self._judge(*pair) for pair in zip(self._pictures, self._posed, strict=True)],
            sizes=size_figures(evaluation, truth),
            points=tuple(_of_point(name, at, every) for at, name in enumerate(self._layout.names)),
            calibration=reliability.calibration(),
        )

    def _answer(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """In the form of COCO's results; the area is that of the points, as pycocotools has it."""
        points = np.array(found["keypoints"])
        extent = np.ptp(points[:, :2], axis=0)
        return {
            "image_id": len(self._pictures),
            "category_id": 1,
            "keypoints": points.reshape(-1).tolist(),
            "score": found["score"],
            "bbox": found["box"],
            "area": float(extent[0] * extent[1]),
        }

    def _truths(self) -> list[dict[str, Any]]:
        return [
            {
                **thing,
                "image_id": number,
                "category_id": 1,
                "num_keypoints": sum(v > 0 for v in thing["keypoints"][2::3]),
            }
            for number, picture in enumerate(self._pictures, start=1)
            for thing in picture.objects
        ]

    def _judge(self, picture: Annotated, posed: Sequence[_Posed]) -> JudgedPicture:
        """A picture is as suspicious as its object with the most points that lie surely elsewhere."""
        doubts = [float(np.where(one.near, 0, one.score)[one.known].mean()) for one in posed]
        worst = posed[int(np.argmax(doubts))] if doubts else None
        lost = [name for at, name in enumerate(self._layout.names) if worst and worst.known[at] and not worst.near[at]]
        near = np.concatenate([one.near[one.known] for one in posed]) if posed else np.ones(1)
        scores = np.concatenate([one.score[one.known] for one in posed]) if posed else np.zeros(1)
        return judged_picture(
            picture,
            truth=in_words("object" for _ in picture.objects),
            answer=f"{near.mean():.0%} of the points where they are annotated",
            mistake=f"elsewhere than annotated: {', '.join(lost)}" if lost else "",
            agreement=near.mean(),
            confidence=min(1.0, scores.mean()),
            suspicion=max(doubts, default=0.0),
        )


def _posed(thing: Mapping[str, Any], found: Mapping[str, Any]) -> _Posed:
    true = np.array(thing["keypoints"], np.float64).reshape(-1, 3)
    said = np.array(found["keypoints"], np.float64)
    return _Posed(
        said[:, :2], true[:, :2], np.clip(said[:, 2], 0, 1), true[:, 2] > 0, max(thing["bbox"][2:4])
    )  # fmt: skip


def _of_point(name: str, at: int, every: Sequence[_Posed]) -> PointFigures:
    shown = [one for one in every if one.known[at]]
    distances = np.array([one.distance[at] for one in shown])
    sides = np.array([one.side for one in shown])
    return PointFigures(
        name=name,
        count=len(shown),
        correct=_mean([one.near[at] for one in shown]),
        error=_mean(distances / sides if shown else []),
        error_px=defined(np.median(distances)) if shown else None,
        confidence=_mean([one.score[at] for one in shown]),
        swapped=_mean([one.swapped[at] for one in shown]),
    )


def _mean(values: Sequence[Any] | NDArray[Any]) -> float | None:
    return defined(np.mean(values)) if len(values) else None
