"""From a sentence to a prediction in one session of a browser, over a restart of the studio, a stop and a resume."""

from __future__ import annotations

import shutil
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autommlab.storage.run_folder import RunFolder
from tests.helpers.studio_browser import Studio, browser, entered, picture, studio

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: Of each step: a program starts, and a toolbox is imported on a busy machine.
PATIENCE_MS = 300_000
SENTENCE = "Tell bricks, leaves and sky apart, accuracy over 0.3"


@pytest.fixture
def at(home: Path, tmp_path: Path) -> Iterator[Studio]:
    with studio(home, tmp_path / "runs") as found:
        yield found


def test_from_a_sentence_to_a_prediction(at: Studio, shapes: Path, tmp_path: Path) -> None:
    with browser() as chrome:
        page = entered(chrome, at)
        page.set_default_timeout(PATIENCE_MS)
        _add_data(page, at, shapes, tmp_path)
        _ask(page)
        page.get_by_role("button", name="Start the run").click()
        run = RunFolder(tmp_path / "runs" / page.url.rpartition("/")[2])
        page.get_by_text("running", exact=True).wait_for()

        assert at.end(signal.SIGKILL) == -signal.SIGKILL
        assert run.is_held, "the run goes on without its studio"
        at.start()
        page.reload()
        page.get_by_role("button", name="Stop the run").click()
        page.get_by_text("stopped", exact=True).first.wait_for()
        assert not run.is_held
        assert "interrupted by SIGINT" in page.content()

        page.get_by_role("button", name="Go on").click()
        page.get_by_text("finished", exact=True).wait_for()
        assert page.locator(".steps .done").count() >= 6
        assert page.get_by_role("cell", name="surrogate-grid").first.is_visible()
        page.frame_locator("iframe.report").get_by_text(SENTENCE).first.wait_for()
        picture(page, "run")

        page.get_by_role("link", name="Try the model").click()
        leaf = next((shapes / "test" / "leaf").iterdir())
        page.get_by_label("A picture of yours").set_input_files(leaf)
        page.locator("[data-rows] tbody tr").nth(2).wait_for()
        assert page.locator("[data-drawn]").is_visible()
        picture(page, "try")
        page.get_by_role("link", name="Runs").click()
        page.get_by_role("link", name=SENTENCE).wait_for()
        picture(page, "runs", root=at.runs)


def _add_data(page: Page, at: Studio, shapes: Path, tmp_path: Path) -> None:
    """As a zip from the browser: it is checked, and samples are drawn."""
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", shapes))
    assert zipfile.is_zipfile(archive)
    page.goto(f"{at.url}/data")
    upload = page.locator("form[data-upload]")
    upload.get_by_label("Name").fill("material")
    upload.get_by_label("A zip of the set").set_input_files(archive)
    upload.get_by_role("button", name="Send it").click()
    page.get_by_role("heading", name="material").wait_for()
    page.get_by_text("No problem was found.").wait_for()
    page.get_by_role("img", name="Sheet of sample pictures").wait_for()
    picture(page, "data", root=at.home)
    page.get_by_role("link", name="New run with it").click()


def _ask(page: Page) -> None:
    """The request, and the form in the place of the LLM, which would have to be started."""
    page.get_by_label("Your request").fill(SENTENCE)
    picture(page, "new")
    page.get_by_role("button", name="Fill in a form instead").click()
    page.get_by_role("textbox", name="Objects").fill("brick, leaf, sky")
    page.get_by_role("textbox", name="Quality").fill("accuracy 0.3")
    assert page.get_by_label("Data set", exact=True).input_value() == "material"
    page.get_by_role("textbox", name="Trials").fill("1")
    page.get_by_label("Who proposes hyperparameters").select_option("surrogate-grid")
    page.get_by_text("Budget of a trial").click()
    for name, value in (("Input size", "32"), ("Steps", "10"), ("Pictures a step", "8")):
        page.get_by_role("textbox", name=name).fill(value)
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_role("heading", name="Model: EfficientNet-Lite0").wait_for()
    assert page.get_by_text("accuracy >= 0.3").first.is_visible()
    picture(page, "plan")
