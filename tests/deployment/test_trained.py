"""The test images that a bundle is verified with."""

import json
from pathlib import Path

import pytest

from autommlab.common.errors import DeploymentError
from autommlab.deployment.trained import _subset
from autommlab.tasks import Task
from tests.helpers.tiny_study import make_bag


def named(file: Path) -> list[str]:
    text = file.read_text()
    if file.suffix == ".json":
        return [image["file_name"] for image in json.loads(text)["images"]]
    separator = "\t" if "\t" in text else " "
    return [line.rpartition(separator)[0] for line in text.splitlines()]


@pytest.mark.parametrize("task", list(Task))
def test_images_that_broke_since_are_left_out(task: Task, tmp_path: Path) -> None:
    bag = make_bag(task, tmp_path / "bag")
    listed = named(bag.annotation_file("test"))
    Path(listed[0]).write_bytes(b"no picture")
    Path(listed[3]).unlink()
    kept = [path for number, path in enumerate(listed) if number not in (0, 3)]
    assert named(_subset(bag, "test", 100, tmp_path)) == kept
    for path in kept:
        Path(path).unlink()
    with pytest.raises(DeploymentError, match=r"no test image is left to verify the bundle with: .*does not exist"):
        _subset(bag, "test", 100, tmp_path)
