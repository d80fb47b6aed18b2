"""The registered tasks: what they consist of, that nothing of them was seen before, and how a study on one goes."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autommlab.common.errors import DataError
from autommlab.data.embedded.drawn import Drawn
from autommlab.data.embedded.sets import SETS
from autommlab.data.recognise import recognise
from autommlab.data.records import Instance, LoadedDataset
from autommlab.data.registry import load_dataset
from autommlab.models import zoo
from autommlab.models.packaged import UNLISTED_ENTRIES
from autommlab.tasks import Task
from searchers.context import StudyContext
from searchers.space import Configuration
from searchers.transfer.trial_history import SHIPPED, load_history
from tests.helpers.fake_trainer import BAG, FakeTrainer
from training_data_gen.benchmarks.ask_tell import StudyProblem
from training_data_gen.benchmarks.registered.arms import ARMS, Arm
from training_data_gen.benchmarks.registered.cuts import Cut, extreme_points, taken
from training_data_gen.benchmarks.registered.studies import StudyTask, play
from training_data_gen.benchmarks.registered.tasks import (
    TASKS,
    UNSEEN_FAMILY,
    RegisteredTask,
    data_folder,
    make_pictures,
    missing,
)
from training_data_gen.benchmarks.registered.writing import picture_digests, pictures_in
from training_data_gen.benchmarks.trainings import Trainings
from training_data_gen.trials.plan import plan_bags
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.store import read_trials

HISTORY = Path(__file__).parents[2] / "training_data_gen" / "data" / "trials.jsonl.gz"


@cache
def history() -> list[RecordedTrial]:
    return read_trials(HISTORY)


def test_forty_tasks_ten_a_kind_half_of_photos_a_third_on_an_unseen_family() -> None:
    assert len(TASKS) == len({task.id for task in TASKS}) == 40
    assert Counter(task.task for task in TASKS) == dict.fromkeys(Task, 10)
    assert {task.task for task in TASKS[:4]} == set(Task)
    assert sum(task.is_real for task in TASKS) >= 20
    families = {task.id: zoo.entry(task.model, task.task).family for task in TASKS}
    assert Counter(families.values())[UNSEEN_FAMILY] >= 14
    assert UNSEEN_FAMILY not in {trial.model.family for trial in history()}
    assert not set(UNLISTED_ENTRIES) & set(zoo.entries())


def test_history_surrogate_and_development_tasks_know_no_registered_task() -> None:
    named = {task.id for task in TASKS} | {task.source for task in TASKS if task.is_real}
    shipped = {str(trial.context.get("dataset")) for trial in load_history(SHIPPED)}
    assert not named & (shipped | {trial.bag.dataset for trial in history()})
    assert not named & {bag.id for bag in plan_bags()}


def test_drawn_tasks_have_classes_and_seeds_of_their_own() -> None:
    seen = {name for trial in history() for name in trial.bag.classes} | {n for bag in plan_bags() for n in bag.classes}
    drawn = [task for task in TASKS if not task.is_real]
    assert not seen & {name for task in drawn for name in task.classes}
    versions = [task.version for task in drawn]
    assert len(set(versions)) == len(versions)
    assert min(versions) > max(entry.version for entry in SETS)


def test_no_photo_is_in_two_tasks_by_construction() -> None:
    """Tasks of one source take different classes, halves, shares of the photos or parts of the animal."""
    kinds = [(task.source, task.classes, task.cut) for task in TASKS if task.is_real]
    assert len(set(kinds)) == len(kinds)
    for source in {source for source, _, _ in kinds}:
        own = [(classes, cut) for name, classes, cut in kinds if name == source]
        for number, (classes, cut) in enumerate(own):
            for others, other in own[number + 1 :]:
                apart = [bool(classes and others and not set(classes) & set(others)), bool(cut.half and other.half)]
                apart += [bool(cut.share and other.share and cut.share != other.share)]
                apart += [{cut.labels, other.labels} == {"front", "rear"}]
                assert any(apart), (source, cut, other)


def test_a_half_of_a_photo_keeps_what_lies_in_it() -> None:
    picture = Drawn(
        Image.new("RGB", (100, 40)), "train", instances=(Instance(0, (40, 5, 30, 10)), Instance(0, (0, 0, 8, 8)))
    )
    from training_data_gen.benchmarks.registered import cuts

    left, right = cuts._halved(picture, "left"), cuts._halved(picture, "right")
    assert (left.image.size, right.image.size) == ((50, 40), (50, 40))
    assert [one.bbox for one in left.instances] == [(0, 0, 8, 8)]
    assert [one.bbox for one in right.instances] == [(0, 5, 20, 10)]


def test_extreme_points_are_the_outermost() -> None:
    mask = np.zeros((9, 11), dtype=bool)
    mask[4, 2:9] = mask[1:8, 5] = True
    found = extreme_points(mask)
    assert found.bbox == (2, 1, 7, 7)
    assert [point[:2] for point in found.keypoints] == [(5, 1), (2, 4), (5, 7), (8, 4)]


@pytest.mark.parametrize("kind", [*Task])
def test_drawn_pictures_are_read_as_any_set_and_drawn_alike_again(kind: Task, tmp_path: Path) -> None:
    drawn = [task for task in TASKS if task.task is kind and not task.is_real][-1]
    task = drawn.model_copy(update={"counts": (3, 1, 1)})
    for name in ("one", "two"):
        make_pictures(task, tmp_path / name, tmp_path)
    read = load_dataset(recognise(tmp_path / "one"))
    assert read.spec.task is kind
    assert {name for name in read.classes if name != "background"} == set(task.classes)
    assert len(read.samples) == 5 * len(task.classes)
    digests = picture_digests(pictures_in(tmp_path / "one"))
    assert digests == picture_digests(pictures_in(tmp_path / "two"))
    assert len(digests) == len(read.samples)


def test_a_task_without_its_photos_says_what_is_missing(tmp_path: Path) -> None:
    task = next(task for task in TASKS if task.is_real and task.backbone != "mobilenetv2")
    assert missing(task, tmp_path) == f"the set {task.source} is not in {tmp_path}"
    with pytest.raises(DataError, match=r"signdigits-0-4: the set .* is not in .*: --data-root FOLDER"):
        make_pictures(task, tmp_path / "made", tmp_path)


def problem() -> StudyProblem:
    default = BAG.space.clip({"iterations": 10**6, "batch_size": 10**6, "optimizer": "AdamW", "lr": 1e-3,
                              "weight_decay": 1e-2, "lr_schedule": "CosineAnnealingLR"})  # fmt: skip
    return StudyProblem(BAG.space, StudyContext(), default)


def study_task(trainer: FakeTrainer, folder: Path, seconds: float = 10.0) -> tuple[StudyTask, list[Configuration]]:
    trainings, asked = Trainings(folder / "t.jsonl", trainer), list[Configuration]()

    def train(config: Configuration) -> RecordedTrial:
        asked.append(config)
        return trainings.get(BAG, 0, config).model_copy(update={"train_s": seconds})

    return StudyTask("t", Task.CLASSIFICATION, "accuracy", problem(), train), asked


@pytest.mark.parametrize("arm", [arm for arm in ARMS if not arm.asks_llm], ids=lambda arm: arm.name)
def test_by_trials_iterations_and_batch_are_the_defaults_and_test_is_recorded(arm: Arm, tmp_path: Path) -> None:
    task, asked = study_task(FakeTrainer(), tmp_path)
    study = play(task, arm, 0, track="trials", budget=2, service=None)
    assert len(study.outcomes) == (arm.trials or 2)
    default = problem().default_configuration
    for name in ("iterations", "batch_size"):
        assert {config[name] for config in asked} == {default[name]}
    assert all(one.test == pytest.approx(1 - one.val, abs=1e-4) for one in study.outcomes)
    if arm.searcher.endswith("default"):
        assert asked[1] == default


def test_by_seconds_what_ends_behind_the_budget_is_lost(tmp_path: Path) -> None:
    task, asked = study_task(FakeTrainer(), tmp_path)
    study = play(task, Arm("random", "random"), 0, track="seconds", budget=3, service=None)
    # Thinking takes a little, so that the third training ends just behind three times the default's.
    assert [round(one.progress) for one in study.outcomes] == [1, 2]
    assert len({config["batch_size"] for config in asked}) > 1


@pytest.mark.long
def test_no_picture_is_in_two_tasks_or_in_a_set_that_the_history_learnt_from(tmp_path: Path) -> None:
    """All pictures of all tasks whose photos are here, against all those of the embedded sets' used classes."""
    data, owner = data_folder(), dict[str, str]()
    for task in TASKS:
        if task.is_real and not (data / task.source).is_dir():
            continue
        make_pictures(task, tmp_path / task.id, data)
        for digest in picture_digests(pictures_in(tmp_path / task.id)):
            assert owner.setdefault(digest, task.id) == task.id
    used: dict[str, set[str]] = {}
    for trial in history():
        used.setdefault(trial.bag.dataset, set()).update(set(trial.bag.classes) - {"background"})
    for name, classes in used.items():
        from autommlab.data.registry import find_dataset

        loaded: LoadedDataset = load_dataset(find_dataset(name), classes)
        assert not picture_digests(sample.image for sample in loaded.samples) & owner.keys(), name


def test_all_photos_that_are_here_can_be_cut() -> None:
    data = data_folder()
    tasks: list[RegisteredTask] = [task for task in TASKS if task.is_real and (data / task.source).is_dir()]
    if not tasks:
        pytest.skip(f"no set of photos in {data}")
    task = next(task for task in tasks if task.id == "bees-front")
    loaded = load_dataset(recognise(data / task.source))
    loaded.samples = loaded.samples[:4]
    pictures = list(taken(loaded, task.cut))
    assert len(pictures) == 4
    assert list(taken(loaded, Cut(share=(0, 2)))) != pictures
    for picture in pictures:
        x, y, w, h = picture.instances[0].bbox
        assert x >= 0
        assert y >= 0
        assert x + w <= picture.image.width
        assert y + h <= picture.image.height
