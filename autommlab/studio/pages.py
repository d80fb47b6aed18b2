"""How pages are made: templates in which every text is escaped, and what all of them show."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates

from autommlab.common.wording import duration
from autommlab.report.rows import figure_text, percent
from autommlab.studio.settings import StudioSettings


@cache
def _templates() -> Jinja2Templates:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("autommlab.studio", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "figure": figure_text, "percent": percent, "clock": clock}
    return Jinja2Templates(env=environment)


def page(request: Request, template: str, status: int = 200, /, **content: Any) -> Response:
    """A page or a part of one.

    Args:
        request: that it answers.
        template: its name without the ending.
        status: of HTTP.
        content: what the template shows.
    """
    app = request.scope.get("app")  # none where the gate answers
    content["has_cluster"] = app is not None and app.state.settings.address is not None
    return _templates().TemplateResponse(request, f"{template}.html.j2", content, status_code=status)


def settings_of(request: Request) -> StudioSettings:
    """Of the studio that answers."""
    settings: StudioSettings = request.app.state.settings
    return settings


def clock(seconds: float | None) -> str:
    """A time of day, with its day; "" for none."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def machine_in_words() -> str:
    """How busy this machine is, since the question before."""
    import psutil

    memory = psutil.virtual_memory()
    used, total = ((size / 2**30) for size in (memory.total - memory.available, memory.total))
    return f"This machine: {psutil.cpu_percent():.0f} % of its CPUs, {used:.1f} of {total:.1f} GiB memory"
