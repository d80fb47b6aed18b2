"""Data sets: the known ones, new ones from a folder, a zip or an upload, and what is in them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse

from autommlab.common.errors import AutoMMLabError
from autommlab.data.recognise import check_name
from autommlab.data.registry import all_specs
from autommlab.studio.pages import page, settings_of
from autommlab.studio.sets import SetFolder, Upload, add_set, adding, new_adding
from autommlab.tasks import Task

router = APIRouter()
#: Of problems, on the page of a set.
_MOST_SHOWN = 50


@router.get("/data")
def list_page(request: Request) -> Response:
    """The known sets, and how one is added."""
    settings = settings_of(request)
    return page(request, "data", specs=all_specs(), tasks=list(Task), most=settings.most_upload_mb)


@router.post("/data/add")
def add(
    path: Annotated[str, Form(max_length=4000)],
    name: Annotated[str, Form(max_length=200)],
    task: Annotated[str, Form()] = "",
) -> Response:
    """Register a folder or zip of the studio's machine, or of a storage."""
    check_name(name.strip())
    folder = new_adding()
    add_set(folder, path.strip(), name.strip(), task)
    return RedirectResponse(f"/data/adding/{folder.name}?name={quote(name.strip(), safe='')}", 303)


@router.post("/data/upload/new")
def upload_new(name: str) -> Response:
    """A place for files that are going to be sent one by one."""
    try:
        check_name(name.strip())
        return JSONResponse({"id": Upload.create().path.name})
    except AutoMMLabError as error:
        return JSONResponse({"problem": str(error)}, 400)


@router.put("/data/upload/{upload}/file")
async def upload_file(request: Request, upload: str, path: str) -> Response:
    """One file of it."""
    try:
        await _upload(upload).take(path, request.stream(), settings_of(request).most_upload_bytes)
    except AutoMMLabError as error:
        return JSONResponse({"problem": str(error)}, 400)
    return JSONResponse({})


@router.post("/data/upload/{upload}/done")
def upload_done(upload: str, name: str, task: str = "") -> Response:
    """All files came: register them."""
    found = _upload(upload)
    try:
        check_name(name.strip())
        add_set(found.path, str(found.source()), name.strip(), task)
    except AutoMMLabError as error:
        return JSONResponse({"problem": str(error)}, 400)
    return JSONResponse({"next": f"/data/adding/{upload}?name={quote(name.strip(), safe='')}"})


@router.get("/data/adding/{upload}")
def adding_page(request: Request, upload: str, name: str) -> Response:
    """How far adding is; then the page of the set, with its check."""
    work = adding(_upload(upload).path)
    if work.state == "done" and (found := SetFolder.named(name)):
        if found.check[0].state == "none":
            found.look()
        return RedirectResponse(f"/data/set/{quote(name, safe='')}", 303)
    if work.state == "failed":
        _upload(upload).discard()
    return page(request, "adding", work=work, upload=upload, name=name)


@router.get("/live/adding/{upload}")
def adding_part(request: Request, upload: str) -> Response:
    """How far adding is."""
    return page(request, "_adding", work=adding(_upload(upload).path))


@router.get("/data/set/{name}")
def set_page(request: Request, name: str) -> Response:
    """What is in a set."""
    return _set_page(request, "set", name)


@router.get("/live/set/{name}")
def set_part(request: Request, name: str) -> Response:
    """Its check and samples, as far as they are."""
    return _set_page(request, "_set", name)


@router.post("/data/look/{name}")
def look(name: str) -> Response:
    """Begin to check it and to draw samples."""
    _set(name).look()
    return RedirectResponse(f"/data/set/{quote(name, safe='')}", 303)


@router.get("/data/samples/{name}")
def samples(name: str) -> Response:
    """The sheet of samples."""
    _, sheet = _set(name).preview
    if sheet is None:
        raise HTTPException(404, "No samples are drawn yet.")
    return FileResponse(sheet, media_type="image/png")


def _set_page(request: Request, template: str, name: str) -> Response:
    found = _set(name)
    check, problems = found.check
    preview, sheet = found.preview
    busy = check.is_running or preview.is_running
    return page(
        request,
        template,
        spec=found.spec,
        check=check,
        problems=problems,
        shown=(problems or [])[:_MOST_SHOWN],
        errors=sum(problem.severity == "error" for problem in problems or ()),
        preview=preview,
        sheet=sheet,
        state="looking" if busy else "none" if check.state == "none" else "looked",
    )


def _set(name: str) -> SetFolder:
    found = SetFolder.named(name)
    if found is None:
        raise HTTPException(404, f"There is no data set {name!r}.")
    return found


def _upload(name: str) -> Upload:
    found = Upload.named(name)
    if found is None:
        raise HTTPException(404, "There is no such upload; begin it anew.")
    return found
