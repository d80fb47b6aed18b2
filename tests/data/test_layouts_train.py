"""Every layout in its true form goes through: recognised, a bag, a real (two-step) training with validation.

The bag has one form whatever the layout was: the usual run trains each task once.
"""

from pathlib import Path

import pytest

from autommlab import settings
from autommlab.data.bag import select_bag
from autommlab.data.readers import READERS, candidates
from autommlab.models.packaged import PACKAGED_ENTRIES
from autommlab.models.records import Measured, ModelChoice, Pretrained
from autommlab.tasks import Task
from autommlab.training.records import Hyperparameters
from autommlab.training.runner_config import TrialSetup
from autommlab.understanding.request import DataPart, ModelPart, ModelRequest
from tests.helpers import layouts

SIZE = (64, 64)
POINT = Hyperparameters(iterations=2, batch_size=2, optimizer="AdamW", lr=1e-3, weight_decay=1e-4, lr_schedule="PolyLR")
#: What is asked for where not every class of the layout can have a picture in so small a set.
OBJECTS = {"pascal-voc": ("dog",), "cityscapes": ("road", "car")}
#: Layouts of the usual run; Pascal VOC is detection and segmentation.
USUAL = ("image-folders", "coco-keypoints", "pascal-voc")


def built(layout: str, root: Path) -> Path:
    """The tiny set; Cityscapes gets more pictures, because its test split has to be made from them."""
    layouts.BUILDERS[layout](root)
    if layout == "cityscapes":
        for number in range(8):
            stem = f"ulm_{number:06d}_000019"
            layouts.image(root / "leftImg8bit" / "train" / "ulm" / f"{stem}_leftImg8bit.png")
            layouts.mask(root / "gtFine" / "train" / "ulm" / f"{stem}_gtFine_labelIds.png", [7, 26])
    return root


@pytest.mark.slow
@pytest.mark.parametrize(
    "layout",
    [
        name if name in USUAL else pytest.param(name, marks=pytest.mark.long)
        for name in layouts.BUILDERS
        if name not in layouts.TOOLS
    ],
)
def test_a_set_given_by_path_trains(layout: str, tmp_path: Path) -> None:
    root = built(layout, tmp_path / "set")
    tasks = {task for _, task in candidates(root)}
    assert tasks
    for task in tasks:
        train(root, layout, task, tmp_path)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("layout", "task"),
    [(layout, task) for layout in layouts.TOOLS for task in READERS[layout].tasks]
    + [("coco-detection", Task.SEGMENTATION)],
)
def test_a_set_of_an_annotation_tool_trains(layout: str, task: Task, tmp_path: Path) -> None:
    train(built(layout, tmp_path / "set"), layout, task, tmp_path)


def train(root: Path, layout: str, task: Task, folder: Path) -> None:
    """Two steps and a validation."""
    from autommlab.tasks import objective
    from autommlab.training.trial import Trial

    request = ModelRequest(data=DataPart(object=OBJECTS.get(layout, ())), model=ModelPart(task=task))
    budget = settings.profile("laptop").tasks[task]
    bag = select_bag(request, budget=budget, folder=folder / task.value, seed=0, data=str(root))
    trial = Trial(TrialSetup(bag=bag, choice=_choice(task), reports=1, seed=0), POINT, folder / "work")
    metrics = trial.advance()
    trial.close()
    assert 0 <= metrics[objective(task).name] <= 1


def _choice(task: Task) -> ModelChoice:
    entry = next(entry for entry in PACKAGED_ENTRIES if entry.task is task)
    measured = Measured(params_m=1, flops_g=1, ms_per_image=1, input_size=SIZE, device="not measured")
    pretrained = Pretrained(kind="package", source=entry.packaged)
    return ModelChoice(entry=entry, input_size=SIZE, measured=measured, pretrained=pretrained, reasons=())


def test_a_truncated_image_is_left_out_of_the_bag_and_noted(tmp_path: Path) -> None:
    root = layouts.image_folders(tmp_path / "set", each=6)
    broken = sorted((root / "train" / "cat").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:-200])
    request = ModelRequest(data=DataPart(), model=ModelPart(task=Task.CLASSIFICATION))
    budget = settings.profile("laptop").tasks[Task.CLASSIFICATION]
    bag = select_bag(request, budget=budget, folder=tmp_path / "bag", seed=0, data=str(root))
    assert str(broken) not in bag.annotation_file("train").read_text()
    assert any(str(broken) in note for note in bag.notes), bag.notes
