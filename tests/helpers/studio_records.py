"""What the studio stores of a request, and its pages that read it."""

from __future__ import annotations

from pathlib import Path

from autommlab.studio.drafts import REQUEST, Draft, Options

NAME = "20261130-223102-69cc03fd"
DRAFT = f"home/studio/requests/{NAME}"


def worked_out(folder: Path) -> None:
    """A request with its form."""
    from autommlab.studio.drafts import DraftFolder
    from tests.helpers.report_records import request

    draft = DraftFolder(folder / DRAFT)
    draft.write(Draft(text="find trains", answers=("task: detection",), options=Options(trials="3")))
    draft.by_hand()
    draft.write_record(REQUEST, request())


def pages_of_request(folder: Path) -> None:
    """Its pages; a fault of one is raised."""
    for page in (f"/new/{NAME}", f"/new/{NAME}/plan", f"/live/new/{NAME}", f"/live/plan/{NAME}"):
        _get(folder, page)


def _get(folder: Path, page: str) -> None:
    from starlette.testclient import TestClient

    from autommlab.studio.app import make_app
    from autommlab.studio.settings import StudioSettings

    studio = TestClient(make_app(StudioSettings(runs=folder / "runs")), base_url="http://127.0.0.1")
    assert studio.get(page).status_code in (200, 400, 404)
