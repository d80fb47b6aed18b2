"""`README.md` of a bundle: how to use it, under the metadata by which model hubs file it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from autommlab.common.escaping import markdown, one_line
from autommlab.data.records import Bag
from autommlab.deployment.bundle_parts import LICENCE_FILE
from autommlab.models.records import ModelChoice
from autommlab.tasks import Task
from autommlab.training.records import StudyResult
from autommlab.understanding.request import Engine

#: What the code of AutoMMLab is under, and how hubs name the licence of a bundle, which is for its owner to say.
CODE_LICENCE = "Apache-2.0"
_LICENCE_NAME = "see-license-file"
#: The task names of Hugging Face's hub.
PIPELINE_TAGS = {
    Task.CLASSIFICATION: "image-classification",
    Task.DETECTION: "object-detection",
    Task.SEGMENTATION: "image-segmentation",
    Task.KEYPOINT: "keypoint-detection",
}
#: Names of the hub's metrics that are not ours in lower case.
_METRIC_IDS = {"mIoU": "mean_iou"}
_FORMATS = {Engine.ONNXRUNTIME: "onnx"}
_ANSWERS = {
    Task.CLASSIFICATION: '{"label": ..., "score": ..., "scores": {class: score}}',
    Task.DETECTION: '{"boxes": [{"label": ..., "score": ..., "box": [x, y, width, height]}]}',
    Task.SEGMENTATION: '{"mask": uint8 array of class indices, "classes": {class: fraction of pixels}}',
    Task.KEYPOINT: '{"instances": [{"label": ..., "score": ..., "box": [...], "keypoints": [[x, y, score], ...]}]}',
}


def readme(bag: Bag, choice: ModelChoice, study: StudyResult, engine: Engine, sections: Sequence[str]) -> str:
    """The whole file.

    Args:
        bag, choice, study: records of the run.
        engine: of the bundle.
        sections: of the model card that a reader of a hub's page needs too.
    """
    return "\n\n".join([front_matter(bag, choice, study, engine), usage(bag, engine), *sections]) + "\n"


def front_matter(bag: Bag, choice: ModelChoice, study: StudyResult, engine: Engine) -> str:
    """The YAML block that hubs read, between its two lines of dashes.

    Figures are those on test. Data sets are named as they are called here, for none of them is the hub's. The
    licence of a trained model follows from those of its data and first weights, so the block points to the file
    that lists them.
    """
    from huggingface_hub import EvalResult, ModelCardData

    entry, data_name = choice.entry, one_line(", ".join(bag.datasets))
    measured = {name: value for name, value in study.test_metrics.items() if math.isfinite(value)}
    ordered = sorted(measured, key=lambda name: name != study.objective)
    results = [
        EvalResult(
            task_type=PIPELINE_TAGS[bag.task],
            dataset_type=_slug(data_name),
            dataset_name=data_name,
            dataset_split="test",
            metric_type=metric_id(name),
            metric_name=name,
            metric_value=round(measured[name], 4),
        )
        for name in ordered
    ]
    data = ModelCardData(
        pipeline_tag=PIPELINE_TAGS[bag.task],
        library_name="autommlab",
        license="other",
        license_name=_LICENCE_NAME,
        license_link=LICENCE_FILE,
        tags=[_FORMATS.get(engine, engine.value), entry.toolbox, _slug(entry.family), "vision"],
        metrics=[metric_id(name) for name in ordered] or None,
        model_name=one_line(entry.title),
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---"


def metric_id(name: str) -> str:
    """A figure's name as hubs spell it."""
    return _METRIC_IDS.get(name) or _slug(name).replace("-", "_")


def _slug(name: str) -> str:
    """Lower case, a dash for whatever is no letter or digit."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80] or "unnamed"


def usage(bag: Bag, engine: Engine) -> str:
    """How the bundle is used."""
    box = " --box 10,20,100,200" if bag.task is Task.KEYPOINT else ""
    return f"""# A {bag.task.value} model for {", ".join(map(markdown, bag.classes))}

Runs with {engine.value}, numpy and Pillow; no training code.

    pip install -r requirements.txt
    python predict.py photo.jpg{box}
    python predict.py photo.jpg --json
    python predict.py photo.jpg --bench 50

From Python, in this folder:

    from predict import Predictor
    answer = Predictor(".")("photo.jpg")

    {_ANSWERS[bag.task]}

`model_card.md` says what it was trained on, how good it is, and where it must not be trusted.
`bundle.json` holds how an image becomes the network's input, `labels.txt` the classes in order."""
