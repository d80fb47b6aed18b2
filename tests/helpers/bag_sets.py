"""Tiny data sets as their readers would load them, and a registry that holds only these."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autommlab.common.errors import DataError
from autommlab.data import registry
from autommlab.data.records import DatasetSpec, Instance, KeypointLayout, LoadedDataset, Sample, Split
from autommlab.settings import TaskBudget
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest

SIZE = (24, 16)
LAYOUT = KeypointLayout(("head", "left", "right"), ((1, 2),), ((0, 1), (0, 2)), (0.1, 0.1, 0.1))


def budget(train: int = 1000, val: int = 1000, test: int = 1000) -> TaskBudget:
    return TaskBudget(input_size=(32, 32), images=(train, val, test), iterations=(1, 2), batch_size=(1, 2))


def request(task: Task, objects: Sequence[str], specific: Sequence[str] = ()) -> ModelRequest:
    return ModelRequest.parse({"data": {"object": objects, "specific": specific}, "model": {"task": task}})


def picture(path: Path, number: int) -> Path:
    """A 24 x 16 picture that shows `number`: the same content for the same number in any folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def classified(
    root: Path, labels: Sequence[tuple[str, Split | str]], name: str = "pictures", first: int = 0, **spec: object
) -> LoadedDataset:
    """Classification: one picture for each (class, split), numbered from `first`."""
    classes = tuple(dict.fromkeys(label for label, _ in labels))
    samples = [
        Sample(picture(root / f"{n:03}.png", first + n), *SIZE, split=split, label=classes.index(label))  # type: ignore[arg-type]
        for n, (label, split) in enumerate(labels)
    ]
    return LoadedDataset(_spec(root, name, Task.CLASSIFICATION, classes, **spec), classes, samples)


def boxed(
    root: Path, images: Sequence[tuple[Sequence[int], Split | str]], classes: tuple[str, ...], name: str = "scenes",
    keypoints: bool = False,
) -> LoadedDataset:  # fmt: skip
    """Detection or keypoints: for each image the labels of its instances and its split."""
    points = ((5.0, 5.0, 2), (4.0, 6.0, 1), (0.0, 0.0, 0)) if keypoints else ()
    samples = [
        Sample(
            picture(root / f"{n:03}.png", 500 + n), *SIZE, split=split,  # type: ignore[arg-type]
            instances=tuple(Instance(label, (1.0 + at, 2.0, 8.0, 6.0), points) for at, label in enumerate(labels)),
        )
        for n, (labels, split) in enumerate(images)
    ]  # fmt: skip
    task = Task.KEYPOINT if keypoints else Task.DETECTION
    return LoadedDataset(_spec(root, name, task, classes), classes, samples, LAYOUT if keypoints else None)


def masked(
    root: Path, images: Sequence[tuple[Sequence[int], Split | str]], classes: tuple[str, ...], name: str = "masks",
    mask_map: tuple[tuple[int, int], ...] = (),
) -> LoadedDataset:  # fmt: skip
    """Segmentation: for each image the values of its mask, as vertical bands of equal width, and its split."""
    samples = []
    for n, (values, split) in enumerate(images):
        bands = np.array(values, np.uint8)[np.arange(SIZE[0]) * len(values) // SIZE[0]]
        mask = root / f"{n:03}-mask.png"
        image = picture(root / f"{n:03}.png", 900 + n)
        Image.fromarray(np.tile(bands, (SIZE[1], 1))).save(mask)
        samples.append(Sample(image, *SIZE, split=split, mask=mask, mask_map=mask_map))  # type: ignore[arg-type]
    return LoadedDataset(_spec(root, name, Task.SEGMENTATION, classes), classes, samples)


Zoo = Callable[..., None]


def only_these(monkeypatch: pytest.MonkeyPatch) -> Zoo:
    """A function to call with loaded sets: the registry then holds these and no others."""

    def fill(*sets: LoadedDataset) -> None:
        by_name = {loaded.spec.name: loaded for loaded in sets}

        def find(name: str) -> DatasetSpec:
            if name not in by_name:
                raise DataError(f"no data set {name!r}. Known: {', '.join(by_name)}")
            return by_name[name].spec

        def all_specs(task: Task | None = None) -> list[DatasetSpec]:
            return [loaded.spec for loaded in sets if task in (None, loaded.spec.task)]

        monkeypatch.setattr(registry, "all_specs", all_specs)
        monkeypatch.setattr(registry, "find_dataset", find)
        monkeypatch.setattr(registry, "load_dataset", lambda spec, classes=None: by_name[spec.name])

    return fill


def _spec(root: Path, name: str, task: Task, classes: tuple[str, ...], **more: object) -> DatasetSpec:
    return DatasetSpec(name=name, task=task, layout="test", root=root, classes=classes, **more)
