"""Writes `report.html`: one file that needs nothing but a browser."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path
from typing import Any

from autommlab.common.files import write_text
from autommlab.common.wording import duration
from autommlab.report import rows
from autommlab.report.analysis_view import view_of
from autommlab.report.content import Picture, ReportContent
from autommlab.report.verdict import verdict

#: Longest side of a picture in the report, pixels; keeps the file small.
_PICTURE_SIDE = 720


def write_report(content: ReportContent, out: Path) -> Path:
    """Render the report of a finished or unfinished run.

    Args:
        content: what the run knows; parts that were not reached are shown as such.
        out: the HTML file, replaced as a whole if it exists.

    Returns:
        `out`.

    Raises:
        StorageError: the file cannot be written.
    """
    return write_text(out, render(content))


def render(content: ReportContent) -> str:
    """The report as HTML text."""
    return filled(
        "report.html.j2",
        content=content,
        verdict=verdict(content),
        title=_title(content),
        tiles=rows.tiles(content),
        next_steps=rows.next_steps(content),
        parse=rows.parse_rows(content.request) if content.request else [],
        counts=rows.class_counts(content.bag) if content.bag else [],
        trials=rows.trial_rows(content.all_trials, content.best_trial),
        folds=content.cross_validation.finalists if content.cross_validation else (),
        finals=rows.trial_rows(content.all_finals, content.best),
        llm_note=rows.llm_note(content),
        skipped=rows.skipped_images(content),
        stages=rows.stage_rows(content),
        plots=_plots(content),
        analysed=view_of(content.analysis, content.mistakes, content.worst) if content.analysis else None,
        deployment=rows.deployment_rows(content.deployment) if content.deployment else [],
        int8_rows=rows.int8_rows(found) if content.deployment and (found := content.deployment.quantization) else [],
        commands=rows.commands(content),
        written=moment(content.written),
    )


def filled(template: str, **values: Any) -> str:
    """A page of this folder, all texts escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("autommlab.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "data_uri": _data_uri,
        "duration": duration,
        "figure": rows.figure_text,
        "percent": rows.percent,
    }
    return environment.get_template(template).render(**values)


def moment(seconds: float) -> str:
    """Date and time of a page."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _title(content: ReportContent) -> str:
    if content.text.strip():
        return content.text.strip()
    return content.request.model.description if content.request else "A run of AutoMMLab"


def _plots(content: ReportContent) -> dict[str, Any]:
    """SVG text by name; matplotlib writes it, so it is safe to go into the page as it is."""
    trials, best, metric = content.all_trials, content.best_trial, content.score_name
    if not trials:
        return {}
    from autommlab.report import plots  # matplotlib: half a second, only where there is something to plot

    return {
        "best": plots.best_so_far_plot(trials, best, metric),
        "curves": plots.learning_curves(trials, best, metric),
        "losses": plots.loss_curves(trials, best, content.losses),
        "against": plots.against_hyperparameters(trials, best, metric),
    }


def _data_uri(picture: Picture) -> str:
    image = picture.image.convert("RGB")
    image.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=84, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
