"""The list of runs and a run's page, its report and its bundle."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from autommlab.report import rows
from autommlab.report.verdict import verdict
from autommlab.studio.gate import REPORT_POLICY
from autommlab.studio.pages import page, settings_of
from autommlab.studio.runs import ShownRun, drawn, folder_named, is_comparison, listed_runs, shown_run

router = APIRouter()
_CHUNK_BYTES = 1 << 20
#: A zipped bundle of this size stays in memory.
_IN_MEMORY_BYTES = 64 << 20


@router.get("/")
def list_page(request: Request) -> Response:
    """All runs of the folder."""
    settings = settings_of(request)
    return page(request, "runs", runs=listed_runs(settings.runs), folder=settings.runs)


@router.get("/live")
def list_part(request: Request) -> Response:
    """The table of the list."""
    return page(request, "_runs", runs=listed_runs(settings_of(request).runs))


@router.get("/runs/{name:path}")
def run_page(request: Request, name: str) -> Response:
    """One run."""
    return _run_page(request, "run", name)


@router.get("/live/{name:path}")
def run_part(request: Request, name: str) -> Response:
    """What changes of a run while it goes on."""
    return _run_page(request, "_run", name)


def _run_page(request: Request, template: str, name: str) -> Response:
    run = shown_run(settings_of(request).runs, require_run(request, name))
    content = run.content
    return page(
        request,
        template,
        run=run,
        plots=drawn(run),
        verdict=_verdict(run),
        tiles=rows.tiles(content),
        trials=rows.trial_rows(content.all_trials, content.best_trial),
        finals=rows.trial_rows(content.all_finals, content.best),
        llm_note=rows.llm_note(content),
    )


def _verdict(run: ShownRun) -> object:
    return verdict(run.content) if run.listed.state in ("finished", "stopped") else None


@router.get("/report/{name:path}")
def report(request: Request, name: str) -> Response:
    """The report of a run, without scripts and in an origin of its own."""
    file = require_run(request, name) / "report.html"
    if not file.is_file():
        raise HTTPException(404, "This run has no report yet.")
    headers = {"content-security-policy": REPORT_POLICY}
    return FileResponse(file, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/bundle/{name:path}")
def bundle(request: Request, name: str) -> Response:
    """The bundle as one zip."""
    folder = require_run(request, name) / "bundle"
    if not (folder / "bundle.json").is_file():
        raise HTTPException(404, "This run has no bundle yet.")
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed when it is sent
    try:
        _zipped(folder, file)
    except BaseException:
        file.close()
        raise
    stem = Path(name).name
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(stem, safe='')}-bundle.zip"}
    return StreamingResponse(_sent(file), media_type="application/zip", headers=headers)


def _zipped(folder: Path, file: BinaryIO) -> None:
    """Regular files only: a link in a bundle of somebody else would take other files along."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.resolve().is_relative_to(folder.resolve())
            if path.is_file() and not path.is_symlink() and inside:
                archive.write(path, Path("bundle") / path.relative_to(folder))
    file.seek(0)


def _sent(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def require_run(request: Request, name: str) -> Path:
    """The folder of the run of that name.

    Raises:
        HTTPException: there is none.
    """
    folder = folder_named(settings_of(request).runs, name)
    if folder is None or is_comparison(folder):
        raise HTTPException(404, f"There is no run {name!r} below {settings_of(request).runs}.")
    return folder
