"""TEST is measured where trials run."""

from __future__ import annotations

from typing import Any

import pytest

from autommlab.cluster import TrialNeed
from autommlab.training.final_test import runs_here

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
