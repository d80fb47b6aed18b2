"""Comparisons of searchers, and runs side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from autommlab.studio.comparing import (
    MOST_SIDES,
    drawn_comparison,
    drawn_sides,
    shown_comparison,
    shown_comparisons,
    side_rows,
)
from autommlab.studio.pages import page, settings_of
from autommlab.studio.run_pages import require_run
from autommlab.studio.runs import folder_named, is_comparison, listed_runs, shown_run

router = APIRouter()


@router.get("/compare")
def compare_page(request: Request, run: Annotated[tuple[str, ...], Query()] = ()) -> Response:
    """What can be compared; with `run` several times, these side by side."""
    root = settings_of(request).runs
    chosen = tuple(dict.fromkeys(run))
    if len(chosen) > MOST_SIDES:
        raise HTTPException(400, f"{len(chosen)} runs are chosen; at most {MOST_SIDES} are shown side by side.")
    sides = [shown_run(root, require_run(request, name)) for name in chosen]
    return page(
        request,
        "compare",
        runs=listed_runs(root),
        comparisons=shown_comparisons(root),
        chosen=chosen,
        sides=sides,
        rows=side_rows(sides),
        plot=drawn_sides(sides),
        most=MOST_SIDES,
    )


@router.get("/compare/{name:path}")
def comparison_page(request: Request, name: str) -> Response:
    """One comparison of searchers."""
    return _comparison(request, "comparison", name)


@router.get("/live/compare/{name:path}")
def comparison_part(request: Request, name: str) -> Response:
    """Its figures as far as they are."""
    return _comparison(request, "_comparison", name)


def _comparison(request: Request, template: str, name: str) -> Response:
    root = settings_of(request).runs
    folder = folder_named(root, name)
    if folder is None or not is_comparison(folder):
        raise HTTPException(404, f"There is no comparison {name!r} below {root}.")
    shown = shown_comparison(root, folder)
    return page(request, template, shown=shown, plot=drawn_comparison(shown))
