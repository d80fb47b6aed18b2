"""The page on which a finished model is tried on pictures of the person's own."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from autommlab.common.errors import AutoMMLabError
from autommlab.deployment.predicting import DEFAULT_THRESHOLD
from autommlab.studio.pages import page, settings_of
from autommlab.studio.run_pages import require_bundle
from autommlab.studio.trying import Models
from autommlab.tasks import Task

router = APIRouter()
_MODELS = Models()
#: Tasks whose answers a threshold thins out.
_WITH_THRESHOLD = (Task.DETECTION,)


@router.get("/try/{name:path}")
def try_page(request: Request, name: str) -> Response:
    """Where pictures are dropped, pasted or taken."""
    bundle = require_bundle(request, name)
    return page(
        request,
        "try",
        name=name,
        slider=_MODELS.task(bundle) in _WITH_THRESHOLD,
        threshold=DEFAULT_THRESHOLD,
        most=settings_of(request).most_picture_mb,
    )


@router.post("/try/{name:path}")
async def predict(request: Request, name: str, threshold: float = DEFAULT_THRESHOLD) -> Response:
    """One picture, as the body; the answer as JSON."""
    bundle = require_bundle(request, name)
    content = await request.body()  # the gate has looked at its length
    if not 0 <= threshold <= 1:
        return JSONResponse({"problem": f"the threshold is {threshold}; it takes 0 to 1"}, 400)
    try:
        return JSONResponse(await run_in_threadpool(_MODELS.predict, bundle, content, threshold))
    except AutoMMLabError as error:
        return JSONResponse({"problem": str(error)}, 400)
