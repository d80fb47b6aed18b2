"""COCO's evaluation (pycocotools) on annotations and answers that are in memory."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from autommlab.analysis.findings import defined
from autommlab.analysis.records import SizeFigures

#: COCO's names of the sizes after "all".
SIZES = ("small", "medium", "large")


def coco_of(pictures: int, categories: int, annotations: Sequence[Mapping[str, Any]]) -> Any:
    """A COCO data set in memory.

    Args:
        pictures: numbered from 1.
        categories: numbered from 1.
        annotations: with image_id, category_id and what the evaluation needs; their ids are given here, from 1, for
            pycocotools takes an object 0 for none.
    """
    from pycocotools.coco import COCO

    made = COCO()
    made.dataset = {
        "images": [{"id": number} for number in range(1, pictures + 1)],
        "categories": [{"id": number} for number in range(1, categories + 1)],
        "annotations": [{"iscrowd": 0, **one, "id": number} for number, one in enumerate(annotations, start=1)],
    }
    with _quiet():
        made.createIndex()
    return made


def evaluated(truth: Any, answers: Any, kind: Literal["bbox", "keypoints"], **params: Any) -> Any:
    """A finished `COCOeval`.

    Args:
        truth, answers: from `coco_of`.
        kind: what is compared.
        params: attributes of its parameters.
    """
    from pycocotools.cocoeval import COCOeval

    evaluation = COCOeval(truth, answers, kind)
    for name, value in params.items():
        setattr(evaluation.params, name, value)
    with _quiet():
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def average(values: NDArray[Any]) -> float | None:
    """Mean of COCO's precisions or recalls, of which -1 are not defined."""
    known = values[values > -1]
    return defined(known.mean()) if known.size else None


def class_figures(evaluation: Any, category: int | slice) -> dict[str, float | None]:
    """AP, AP50, AR and AP of each size of one category, or of several.

    Args:
        evaluation: from `evaluated`.
        category: index, not id.
    """
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    sizes = evaluation.params.areaRngLbl
    every = sizes.index("all")
    figures = {
        "AP": average(precision[:, :, category, every, -1]),
        "AP50": average(precision[0, :, category, every, -1]),
        "AR": average(recall[:, category, every, -1]),
    }
    return figures | {
        f"AP {name}": average(precision[:, :, category, sizes.index(name), -1]) for name in SIZES if name in sizes
    }


def size_figures(evaluation: Any, truth: Any) -> tuple[SizeFigures, ...]:
    """AP and AR of the objects of each size, over all categories."""
    found = []
    for at, name in enumerate(evaluation.params.areaRngLbl):
        if name not in SIZES:
            continue
        low, high = evaluation.params.areaRng[at]
        count = sum(low <= one["area"] <= high and not one["ignore"] for one in truth.dataset["annotations"])
        figures = {
            "AP": average(evaluation.eval["precision"][:, :, :, at, -1]),
            "AR": average(evaluation.eval["recall"][:, :, at, -1]),
        }
        found.append(SizeFigures(name=name, count=count, figures=figures))
    return tuple(found)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how long each step takes
        yield
