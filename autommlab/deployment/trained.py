"""The winner of a study, loaded again: model, test data and evaluators as the toolbox builds them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autommlab.bundle_runtime import pictures
from autommlab.common.checkpoint_loader import load_checkpoint
from autommlab.common.errors import DeploymentError, ModelError
from autommlab.compat import quiet_toolboxes
from autommlab.data.bag_part import evenly, part_of_coco
from autommlab.data.mask_lists import read_pairs
from autommlab.data.records import Bag, Split
from autommlab.tasks import Task
from autommlab.training.config_file import read_config
from autommlab.training.data_config import test_on
from autommlab.training.records import StudyResult


@dataclass(slots=True)
class Trained:
    """A trained model with the test images that it is verified on.

    Attributes:
        config: the Runner's config.
        model: in evaluation mode, on the CPU.
        dataset: of the test images (a toolbox data set; an item is what its pipeline packs).
        evaluators: configs of the task's metrics over just these images.
    """

    task: Task
    config: Any
    model: Any
    dataset: Any
    evaluators: list[dict[str, Any]]

    def batch(self, index: int) -> tuple[Any, list[Any]]:
        """One test item as the network sees it: a (1, 3, height, width) tensor and its data sample."""
        from mmengine.dataset import pseudo_collate

        prepared = self.model.data_preprocessor(pseudo_collate([self.dataset[index]]), False)
        return prepared["inputs"], prepared["data_samples"]


def load_trained(study: StudyResult, bag: Bag, *, images: int, scratch: Path) -> Trained:
    """Build the study's model with its weights, and a data set of at most `images` test images.

    Args:
        study: with `config_file` and `checkpoint`.
        bag: whose test split is used.
        images: most test images, taken evenly over the split.
        scratch: folder for the annotation file of these images.

    Raises:
        DeploymentError: config or checkpoint is missing or does not fit, or the list of test images is damaged.
    """
    from autommlab.training.trial import prepare_toolbox

    with quiet_toolboxes():
        prepare_toolbox(study.task)
    from mmengine.registry import init_default_scope

    for path in (study.config_file, study.checkpoint):
        if not path.is_file():
            raise DeploymentError(f"cannot deploy: {path} of the study is missing. Train again, or restore it.")
    config = read_config(study.config_file)
    init_default_scope(config.default_scope)
    annotations = _readable_subset(bag, "test", images, scratch)
    model = _build_model(config, study)
    dataset, evaluators = _built_on(config, annotations)
    return Trained(study.task, config, model, dataset, evaluators)


def on_split(trained: Trained, bag: Bag, split: Split, *, images: int, scratch: Path) -> Trained:
    """The same model with at most so many images of another split, read as test images are.

    Raises:
        DeploymentError: the list of its images is damaged, or none of them can be read.
    """
    config = copy.deepcopy(trained.config)
    dataset, evaluators = _built_on(config, _readable_subset(bag, split, images, scratch))
    return replace(trained, config=config, dataset=dataset, evaluators=evaluators)


def _built_on(config: Any, annotations: Path) -> tuple[Any, list[dict[str, Any]]]:
    """Data set and evaluators of a config over these annotations; the config is changed."""
    from mmengine.registry import DATASETS

    test_on(config, annotations)
    with quiet_toolboxes():
        dataset = DATASETS.build(config.test_dataloader.dataset)
    return dataset, [dict(evaluator) for evaluator in config.test_evaluator]


def _readable_subset(bag: Bag, split: Split, images: int, scratch: Path) -> Path:
    try:
        return _subset(bag, split, images, scratch)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DeploymentError(
            f"the list of {split} images {bag.annotation_file(split)} is damaged ({error}). Restore it, or run anew"
        ) from error


def _build_model(config: Any, study: StudyResult) -> Any:
    from mmengine.registry import MODELS

    model_config = dict(config.model)
    if config.get("data_preprocessor"):
        model_config.setdefault("data_preprocessor", config.data_preprocessor)
    model = MODELS.build(model_config)
    try:
        model.load_state_dict(load_checkpoint(study.checkpoint)["state_dict"])
    except (RuntimeError, KeyError, TypeError, ModelError) as error:
        raise DeploymentError(
            f"the weights {study.checkpoint} do not fit the model of {study.config_file}: {error}. "
            "Both must come from the same trial; train again."
        ) from error
    return model.eval()


def _subset(bag: Bag, split: Split, images: int, scratch: Path) -> Path:
    """Annotation file of at most `images` images of a split, evenly spaced over the split.

    Raises:
        DeploymentError: none of them can be read.
    """
    source = bag.annotation_file(split)
    target = scratch / f"{split}{source.suffix}"
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".json":
        coco = json.loads(text)
        kept = _readable(evenly(coco["images"], images), lambda image: image["file_name"])
        target.write_text(json.dumps(part_of_coco(coco, kept)), encoding="utf-8")
    elif bag.task is Task.SEGMENTATION:
        pairs = _readable(evenly(read_pairs(source), images), lambda pair: pair[0])
        target.write_text("".join(f"{image}\t{mask}\n" for image, mask in pairs), encoding="utf-8")
    else:
        lines = [line for line in text.split("\n") if line]
        chosen = _readable(evenly(lines, images), lambda line: line.rpartition(" ")[0])
        target.write_text("".join(f"{line}\n" for line in chosen), encoding="utf-8")
    return target


def _readable(items: list[Any], path_of: Callable[[Any], str]) -> list[Any]:
    """Those whose image can still be read: a file that broke since the data was selected must not stop deployment."""
    kept, reason = [], ""
    for item in items:
        try:
            pictures.look(path_of(item))
            kept.append(item)
        except pictures.PictureError as error:
            reason = str(error)
    if not kept:
        raise DeploymentError(f"no test image is left to verify the bundle with: {reason}")
    return kept
