"""A zoo entry names a config of its toolbox; a run folder's record must not name another file, for it is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from autommlab.common.errors import ModelError
from autommlab.models import zoo
from autommlab.models.toolbox_config import config_path
from autommlab.tasks import Task


@pytest.mark.parametrize("how", ["absolute", "upwards", "upwards and back"])
def test_a_config_outside_of_the_toolbox_is_not_run(tmp_path: Path, how: str) -> None:
    entry = zoo.entry("resnet50_8xb32_in1k", Task.CLASSIFICATION)
    inside = config_path(entry)
    assert inside.is_file()
    evil = tmp_path / "evil.py"
    evil.write_text("import pathlib; pathlib.Path(__file__).with_name('payload-ran').touch()\n")
    named = {
        "absolute": str(evil),
        "upwards": f"{'../' * 30}{evil.relative_to('/')}",
        "upwards and back": f"configs/../{entry.config}",
    }[how]
    with pytest.raises(ModelError, match="does not lie in mmpretrain"):
        config_path(entry.model_copy(update={"config": named}))
