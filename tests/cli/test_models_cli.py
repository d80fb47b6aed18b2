"""`autommlab models`: tables for people, JSON for programs."""

import json
import subprocess
import sys

from typer.testing import CliRunner

from autommlab.cli.models import models_app
from autommlab.models import zoo
from autommlab.tasks import Task

RUNNER = CliRunner()


def test_list_as_json_is_the_zoo() -> None:
    result = RUNNER.invoke(models_app, ["list", "--task", "segmentation", "--json"])
    assert result.exit_code == 0
    listed = json.loads(result.stdout)
    assert [entry["name"] for entry in listed] == [entry.name for entry in zoo.entries(Task.SEGMENTATION)]
    assert {"params_m", "flops_g", "input_size", "score", "config", "weights_url"} <= set(listed[0])


def test_list_as_table() -> None:
    result = RUNNER.invoke(models_app, ["list", "--task", "keypoint"])
    assert result.exit_code == 0
    assert f"{len(zoo.entries(Task.KEYPOINT))} models" in result.stdout


def test_find_as_json_has_similarities() -> None:
    result = RUNNER.invoke(models_app, ["find", "resnet 50", "--task", "classification", "--json"])
    matches = json.loads(result.stdout)
    assert matches[0]["name"] == "resnet50_8xb32_in1k"
    assert 0.9 < matches[0]["similarity"] <= 1


def test_find_as_table() -> None:
    result = RUNNER.invoke(models_app, ["find", "YOLOX-s", "--task", "detection"])
    assert result.exit_code == 0
    assert "'YOLOX-s' among detection models" in result.stdout


def test_commands_import_no_toolbox() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from autommlab.cli.models import models_app;"
        "r = CliRunner().invoke(models_app, ['find', 'resnet 50', '--task', 'classification', '--json']);"
        "assert r.exit_code == 0, r.output;"
        "heavy = {'torch', 'ray', 'mmengine', 'mmdet', 'mmpretrain'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
