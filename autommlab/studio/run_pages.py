"""The list of runs and a run's page, its report and its bundle."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import FileResponse, RedirectResponse, StreamingResponse

from autommlab.data.readers.files import is_writable_name
from autommlab.report import rows
from autommlab.report.verdict import verdict
from autommlab.storage.run_folder import RunFolder
from autommlab.studio.background import Work
from autommlab.studio.gate import REPORT_POLICY
from autommlab.studio.pages import machine_in_words, page, settings_of
from autommlab.studio.runs import (
    BUNDLE_FILE,
    REPORT_FILE,
    ShownRun,
    drawn,
    folder_named,
    is_comparison,
    listed_runs,
    part_of,
    shown_run,
)
from autommlab.studio.starting import has_ended, job_of, resume_run, sent_to, stop_run, work_of

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
    if waiting := _not_there_yet(request, name):
        return page(request, f"{template}_starting", name=name, work=waiting)
    run = shown_run(settings_of(request).runs, require_run(request, name))
    content = run.content
    return page(
        request,
        template,
        run=run,
        plots=drawn(run),
        verdict=_verdict(run),
        machine=machine_in_words() if run.listed.state == "running" else "",
        job=job_of(run.folder.path) if sent_to(run.folder.path) else "",
        tiles=rows.tiles(content),
        trials=rows.trial_rows(content.all_trials, content.best_trial),
        finals=rows.trial_rows(content.all_finals, content.best),
        llm_note=rows.llm_note(content),
    )


def _not_there_yet(request: Request, name: str) -> Work | None:
    """The program of a run that the studio has started and that has no folder yet, or that ended without one."""
    root = settings_of(request).runs
    run = root / name
    if folder_named(root, name) is not None or Path(name).name != name or not is_writable_name(name):
        return None
    work = work_of(run)
    return None if work.state == "none" else work


@router.post("/stop/{name:path}")
def stop(request: Request, name: str) -> Response:
    """Interrupt a run that the studio has started."""
    root = settings_of(request).runs
    run = folder_named(root, name) or (root / name if _not_there_yet(request, name) else require_run(request, name))
    if not stop_run(run):
        raise HTTPException(409, "The studio has not started this run, or it has ended. Stop it where it was started.")
    return RedirectResponse(f"/runs/{quote(name)}", 303)


@router.post("/resume/{name:path}")
def resume(
    request: Request,
    name: str,
    time: Annotated[str, Form(max_length=20)] = "",
    trials: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Go on with a run, for longer if that is asked."""
    folder = require_run(request, name)
    if RunFolder(folder).is_held or not has_ended(folder):
        raise HTTPException(409, "This run goes on already.")
    given = {"time": time.strip(), "trials": trials.strip()}
    words = [f"--{option}={value}" for option, value in given.items() if value]
    resume_run(folder, words, settings_of(request).address if sent_to(folder) else None)
    return RedirectResponse(f"/runs/{quote(name)}", 303)


def _verdict(run: ShownRun) -> object:
    return verdict(run.content) if run.listed.state in ("finished", "stopped") else None


@router.get("/report/{name:path}")
def report(request: Request, name: str) -> Response:
    """The report of a run, without scripts and in an origin of its own."""
    file = part_of(require_run(request, name), REPORT_FILE)
    if file is None:
        raise HTTPException(404, "This run has no report yet.")
    headers = {"content-security-policy": REPORT_POLICY}
    return FileResponse(file, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/bundle/{name:path}")
def bundle(request: Request, name: str) -> Response:
    """The bundle as one zip."""
    folder = require_bundle(request, name)
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed when it is sent
    try:
        _zipped(folder, file)
    except BaseException:
        file.close()
        raise
    stem = Path(name).name
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(stem, safe='')}-bundle.zip"}
    return StreamingResponse(_sent(file), media_type="application/zip", headers=headers)


def _zipped(folder: Path, file: IO[bytes]) -> None:
    """Regular files only: a link in a bundle of somebody else would take other files along."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.resolve().is_relative_to(folder.resolve())
            if path.is_file() and not path.is_symlink() and inside:
                archive.write(path, Path("bundle") / path.relative_to(folder))
    file.seek(0)


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def require_bundle(request: Request, name: str) -> Path:
    """The folder of the bundle of the run of that name.

    Raises:
        HTTPException: there is none.
    """
    file = part_of(require_run(request, name), BUNDLE_FILE)
    if file is None:
        raise HTTPException(404, "This run has no model yet.")
    return file.parent


def require_run(request: Request, name: str) -> Path:
    """The folder of the run of that name.

    Raises:
        HTTPException: there is none.
    """
    folder = folder_named(settings_of(request).runs, name)
    if folder is None or is_comparison(folder):
        raise HTTPException(404, f"There is no run {name!r} below {settings_of(request).runs}.")
    return folder
