"""TEST is measured where trials run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autommlab.cluster import TrialNeed, ray_session
from autommlab.tasks import Task
from autommlab.training.config_file import read_values, write_config
from autommlab.training.final_test import _tested_elsewhere, runs_here
from tests.helpers.tiny_trials import point

LAPTOP = {"CPU": 2.0}
HEAD: dict[str, float] = {"node:__internal_head__": 1.0}
TRAINER = {"CPU": 8.0, "GPU": 1.0, "trainer": 1.0}


@pytest.mark.parametrize(
    ("need", "nodes", "here"),
    [
        (TrialNeed(1), [LAPTOP], True),
        (TrialNeed(1, gpus=0.5), [TRAINER], False),
        (TrialNeed(1), [HEAD, TRAINER], False),
        (TrialNeed(1), [HEAD], False),
        (TrialNeed(1, resource="trainer"), [LAPTOP], False),
    ],
)
def test_only_a_machine_that_is_all_of_ray_measures_in_the_driver(
    need: TrialNeed, nodes: list[dict[str, float]], here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    def alive() -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": resources} for resources in nodes]

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "nodes", alive)
    assert runs_here(need) == here


@pytest.mark.slow
@pytest.mark.long
def test_another_process_of_ray_measures_the_same(tiny_setups: dict, tmp_path: Path) -> None:
    from autommlab.training.trial import Trial, evaluate

    setup = tiny_setups[Task.CLASSIFICATION]
    trial = Trial(setup, point(iterations=2), tmp_path / "work")
    while not trial.finished:
        trial.advance()
    trial.save(tmp_path)
    config, weights = write_config(tmp_path / "config.py", trial.config_text()), tmp_path / "trial.pth"
    trial.close()
    here = evaluate(config, weights, Task.CLASSIFICATION)
    with ray_session():
        far = _tested_elsewhere(setup, TrialNeed(1), read_values(config), weights.read_bytes(), None)
    assert (far.result, far.skipped) == (here, ())
