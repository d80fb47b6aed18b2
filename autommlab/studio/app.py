"""The studio as one ASGI app, and how it is served."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from autommlab.common.errors import AutoMMLabError
from autommlab.studio import cluster_pages, compare_pages, data_pages, new_pages, run_pages, try_pages
from autommlab.studio.gate import Gate
from autommlab.studio.pages import page
from autommlab.studio.settings import StudioSettings

_HERE = Path(__file__).parent
#: The look of the report is that of the studio, too.
_REPORT_STYLE = _HERE.parent / "report" / "report.css"


def make_app(settings: StudioSettings) -> Gate:
    """The studio.

    Args:
        settings: of it.
    """
    app = FastAPI(title="AutoMMLab studio", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.settings = settings
    gate = Gate(app, settings, _ask_for_token)

    @app.post("/enter")
    def enter(request: Request, token: Annotated[str, Form()] = "") -> Response:
        return gate.entered(request, token)

    @app.get("/static/report.css")
    def style() -> Response:
        return Response(_REPORT_STYLE.read_bytes(), media_type="text/css; charset=utf-8")

    app.mount("/static", StaticFiles(directory=_HERE / "static"))
    for pages in (cluster_pages, compare_pages, data_pages, new_pages, run_pages, try_pages):
        app.include_router(pages.router)
    app.add_exception_handler(AutoMMLabError, _told)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _misformed)
    return gate


def serve(settings: StudioSettings) -> None:
    """Answer until a signal ends the program."""
    import uvicorn

    uvicorn.run(
        make_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )


def _ask_for_token(request: Request) -> Response:
    if request.url.path.startswith("/live"):
        return Response("The studio asks for its token again; load the page anew.", 401)
    return page(request, "enter", 401, wrong=request.method == "POST")


def _told(request: Request, error: Any) -> Response:
    return page(request, "problem", 400, title="This does not work", words=str(error))


def _refused(request: Request, error: Any) -> Response:
    return page(request, "problem", error.status_code, title="Not here", words=str(error.detail))


def _misformed(request: Request, _error: Any) -> Response:
    return page(request, "problem", 422, title="This does not work", words="The form lacks a field, or one is no text.")
