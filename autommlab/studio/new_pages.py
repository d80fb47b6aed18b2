"""A new run: the request, what was understood as a form, the plan, the start."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from autommlab.data.registry import all_specs
from autommlab.settings import PROFILES
from autommlab.storage.run_folder import default_folder
from autommlab.studio.drafts import REQUEST, Draft, DraftFolder, Options, filled_in, shown_value
from autommlab.studio.pages import page, settings_of
from autommlab.studio.starting import start_run
from autommlab.tasks import Task
from autommlab.understanding.corrections import FIELDS, TITLES
from autommlab.understanding.outcome import Understood
from autommlab.understanding.request import Device, Engine, ModelRequest
from autommlab.understanding.said_back import said_back
from autommlab.understanding.settle import EXAMPLE_VALUES
from searchers import names

router = APIRouter()
#: Longest request that is taken; understanding has a limit of its own.
_MOST_CHARACTERS = 4000
#: Fields with a few values only.
_CHOICES = {
    "task": [task.value for task in Task],
    "device": ["", *(device.value for device in Device if device is not Device.NONE)],
    "engine": ["", *(engine.value for engine in Engine if engine is not Engine.NONE)],
}
_EXAMPLES = (
    "Tell cats, dogs, horses and elephants apart, accuracy over 0.8, under 10 M parameters, on a CPU",
    "Detect cats and dogs, mAP over 0.4, with ONNX Runtime",
)


@router.get("/new")
def new_page(request: Request, data: str = "") -> Response:
    """Where the request is typed."""
    return page(request, "new", specs=all_specs(), data=data, examples=_EXAMPLES, most=_MOST_CHARACTERS)


@router.post("/new")
def create(
    text: Annotated[str, Form(max_length=_MOST_CHARACTERS)],
    data: Annotated[str, Form()] = "",
    how: Annotated[str, Form()] = "read",
) -> Response:
    """Begin with it: the LLM reads it, or the person fills in the form."""
    if not text.strip():
        raise HTTPException(400, "The request has no words. Go back and say what the model should do.")
    folder = DraftFolder.create(Draft(text=text.strip(), options=Options(data=data)))
    if how == "form":
        folder.by_hand()
    else:
        folder.read_text()
    return _to(folder)


@router.get("/new/{name}")
def draft_page(request: Request, name: str) -> Response:
    """What was understood, or how far that is, or what is asked back."""
    folder = _draft(name)
    understood = folder.understood
    if understood is None:
        return page(request, "reading", draft=folder.draft, name=name, work=folder.reading, unclear=folder.unclear)
    shown = folder.request or understood.request
    return _form(request, folder, understood, shown, {field: shown_value(shown, field) for field in FIELDS}, {})


@router.get("/live/new/{name}")
def reading_part(request: Request, name: str) -> Response:
    """How far the LLM is."""
    folder = _draft(name)
    done = folder.understood is not None or folder.unclear is not None
    return page(request, "_reading", work=folder.reading, done=done)


@router.post("/new/{name}/answer")
def answer(name: str, answer: Annotated[str, Form(max_length=_MOST_CHARACTERS)] = "") -> Response:
    """An answer to what was asked back; the request is read again with it."""
    folder = _draft(name)
    draft = folder.draft
    if not answer.strip():
        raise HTTPException(400, "The answer is empty. Go back and type one.")
    folder.write(draft.model_copy(update={"answers": (*draft.answers, answer.strip())}))
    folder.read_text()
    return _to(folder)


@router.post("/new/{name}/again")
def again(name: str, how: Annotated[str, Form()] = "read") -> Response:
    """Read it once more, or fill in the form by hand."""
    folder = _draft(name)
    if how == "form":
        folder.by_hand()
    else:
        folder.read_text()
    return _to(folder)


@router.post("/new/{name}/form")
async def fill_in(request: Request, name: str) -> Response:
    """The form as the person wants it; leads to the plan."""
    folder = _draft(name)
    understood = folder.understood
    if understood is None:
        return _to(folder)
    form = {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
    fields = {field: form[_key(field)] for field in FIELDS if _key(field) in form}
    changed, problems = filled_in(folder.request or understood.request, fields)
    given = {name: form[name].strip() for name in Options.model_fields if name in form}
    draft = folder.draft
    folder.write(draft.model_copy(update={"options": draft.options.model_copy(update=given)}))
    if problems:
        return _form(request, folder, understood, changed, fields, problems)
    folder.write_record(REQUEST, changed)
    folder.make_plan()
    return RedirectResponse(f"/new/{name}/plan", 303)


@router.get("/new/{name}/plan")
def plan_page(request: Request, name: str) -> Response:
    """What would be trained."""
    return _plan(request, "plan", _draft(name))


@router.get("/live/plan/{name}")
def plan_part(request: Request, name: str) -> Response:
    """The plan as far as it is made."""
    return _plan(request, "_plan", _draft(name))


@router.post("/new/{name}/start")
def start(request: Request, name: str, where: Annotated[str, Form()] = "here") -> Response:
    """Start the run; a second click finds the first one's."""
    folder = _draft(name)
    draft, asked = folder.draft, folder.request
    if asked is None:
        return _to(folder)
    if not draft.run:
        draft = draft.model_copy(update={"run": default_folder(draft.text).name})
        folder.write(draft)
        settings = settings_of(request)
        address = settings.address if where == "cluster" else None
        start_run(settings.runs / draft.run, folder.run_words(), draft.text, address)
    return RedirectResponse(f"/runs/{quote(draft.run)}", 303)


def _draft(name: str) -> DraftFolder:
    folder = DraftFolder.named(name)
    if folder is None:
        raise HTTPException(404, "There is no such request here; start a new one.")
    return folder


def _to(folder: DraftFolder) -> Response:
    return RedirectResponse(f"/new/{folder.name}", 303)


def _key(field: str) -> str:
    """Of a field in the form."""
    return field.replace(" ", "_")


def _form(
    request: Request,
    folder: DraftFolder,
    understood: Understood,
    shown: ModelRequest,
    values: dict[str, str],
    problems: dict[str, str],
) -> Response:
    doubts = {doubt.field: doubt for doubt in understood.open_doubts}
    fields = [
        {
            "key": _key(field), "name": title, "value": values.get(field, shown_value(shown, field)),
            "choices": _CHOICES.get(field), "example": EXAMPLE_VALUES[field], "doubt": doubts.get(field),
            "problem": problems.get(field, ""),
        }
        for field, title in TITLES.items()
    ]  # fmt: skip
    return page(
        request,
        "form",
        400 if problems else 200,
        draft=folder.draft,
        name=folder.name,
        fields=fields,
        problems=problems,
        understood=understood,
        elsewhere=[doubt for doubt in understood.open_doubts if doubt.field not in FIELDS],
        said_back=said_back(shown),
        specs=all_specs(),
        searchers=names(),
        profiles=list(PROFILES),
    )


def _plan(request: Request, template: str, folder: DraftFolder) -> Response:
    planned, warnings, doing = folder.plan()
    work, asked = folder.planning, folder.request
    return page(
        request,
        template,
        draft=folder.draft,
        name=folder.name,
        planned=planned,
        warnings=warnings,
        doing=doing,
        work=work,
        state="planned" if planned else work.state,
        said_back=said_back(asked) if asked else "",
        address=settings_of(request).address,
    )
