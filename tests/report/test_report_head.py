"""The head of the report: tiles that hold their words, the kind of pictures, next steps, and empty rows in one."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from autommlab.data import embedded
from autommlab.deployment.engines import ENGINE_PACKAGES
from autommlab.report import ReportContent
from autommlab.report.render import render
from autommlab.report.rows import data_kind, next_steps, parse_rows, tiles
from autommlab.settings import PROFILES
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest
from tests.helpers.report_records import bag, choice, deployment, request, study, trials

#: Characters of a tile's value that fit into the narrowest tile of a wide page.
_TILE_CHARACTERS = 20


def _finished(folder: Path, **changes: Any) -> ReportContent:
    content = ReportContent(
        text="x",
        request=request(),
        bag=bag(folder),
        choice=choice(),
        study=study(folder),
        deployment=deployment(folder),
        budget=PROFILES["laptop"],
        stage_seconds={"training": 3723.0},
        run_folder=folder,
    )
    return dataclasses.replace(content, **changes)


@pytest.mark.parametrize("engine", list(ENGINE_PACKAGES))
def test_no_word_of_a_tile_is_wider_than_the_tile(tmp_path: Path, engine: str) -> None:
    delivered = deployment(tmp_path).model_copy(update={"engine": engine})
    shown = tiles(_finished(tmp_path, deployment=delivered))
    assert len(shown) == 8, "two full rows of four"
    assert [tile.value for tile in shown if len(tile.value) > _TILE_CHARACTERS] == []
    assert [tile.value for tile in shown for word in tile.value.split() if len(word) > 10] == []


@pytest.mark.parametrize("name", [spec.name for spec in embedded.specs()])
def test_embedded_pictures_are_called_so(tmp_path: Path, name: str) -> None:
    one = bag(tmp_path).model_copy(update={"datasets": (name,)})
    assert data_kind(one) == ("scanned, embedded" if name == "digits" else "drawn, embedded")
    both = one.model_copy(update={"datasets": (name, "helmets")})
    assert data_kind(both) == "yours and embedded"


def test_own_pictures_are_called_so_and_ask_for_no_others(tmp_path: Path) -> None:
    own = bag(tmp_path).model_copy(update={"datasets": ("helmets",)})
    assert data_kind(own) == "yours"
    assert not any("data add" in step.command for step in next_steps(_finished(tmp_path, bag=own)))


def test_next_steps_stand_in_the_head(tmp_path: Path) -> None:
    head = render(_finished(tmp_path)).partition("</header>")[0]
    assert "Try the model on a picture of yours." in head
    assert f"autommlab predict {tmp_path}/bundle photo.jpg" in head
    assert "This model has seen embedded pictures, not yours." in head
    assert "--trials 24" in head
    assert "640 pixels instead of 192, up to 7,000 steps a trial instead of 160" in head


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "laptop"])
def test_larger_profiles_are_not_sent_to_the_larger_profile(tmp_path: Path, profile: str) -> None:
    (*_, last) = next_steps(_finished(tmp_path, budget=PROFILES[profile]))
    assert last.text == "For better figures take more trials (--trials 24)."


def test_unfinished_run_says_how_to_go_on_in_its_head(tmp_path: Path) -> None:
    content = ReportContent(text="x", request=request(), trials=trials()[:2], run_folder=tmp_path / "my run")
    head = re.sub(r"&#39;", "'", render(content).partition("</header>")[0])
    assert f"autommlab run --resume '{tmp_path}/my run'" in head
    assert next_steps(ReportContent(text="x")) == []


@pytest.mark.parametrize("task", list(Task))
def test_fields_of_which_nothing_was_said_share_a_row(task: Task) -> None:
    rows = parse_rows(ModelRequest.parse({"data": {"object": ["cat"]}, "model": {"task": task.value}, "deploy": {}}))
    assert all(value for _, value in rows)
    name, silent = rows[-1]
    assert name == "Nothing asked about"
    assert {"scene", "quality", "parameters", "speed", "inference engine"} <= set(silent.split(", "))
