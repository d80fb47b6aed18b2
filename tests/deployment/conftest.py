"""Studies and bundles that are made once for all deployment tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from autommlab.deployment.records import Deployment
from autommlab.tasks import Task
from tests.helpers.tiny_study import Study, make_study, with_engine


@pytest.fixture(scope="session")
def study_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Task], Study]:
    """A small trained study of a task."""
    made: dict[Task, Study] = {}

    def study(task: Task) -> Study:
        if task not in made:
            made[task] = make_study(task, tmp_path_factory.mktemp(task.value))
        return made[task]

    return study


@pytest.fixture(scope="session")
def bundle_of(
    study_of: Callable[[Task], Study], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Task, str], Deployment]:
    """A deployment of the task's study for an engine; tests must not change its bundle."""
    from autommlab.deployment.stage import deploy

    made: dict[tuple[Task, str], Deployment] = {}

    def bundle(task: Task, engine: str) -> Deployment:
        if (task, engine) not in made:
            study = study_of(task)
            folder = tmp_path_factory.mktemp(f"{task.value}-{engine}")
            request = with_engine(study.request, engine)
            made[task, engine] = deploy(request, study.bag, study.choice, study.result, folder=folder)
        return made[task, engine]

    return bundle


@pytest.fixture(scope="session")
def fresh_python(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """The interpreter of an environment that holds nothing but a bundle's requirements.txt."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed: no fresh environment can be made")
    made: dict[str, Path] = {}

    def python(bundle: Path) -> Path:
        requirements = (bundle / "requirements.txt").read_text(encoding="utf-8")
        if requirements not in made:
            folder = tmp_path_factory.mktemp("fresh") / "venv"
            run(uv, "venv", "--python", "3.11", str(folder))
            made[requirements] = folder / "bin" / "python"
            run(uv, "pip", "install", "--python", str(folder), "-r", str(bundle / "requirements.txt"))
        return made[requirements]

    return python


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
