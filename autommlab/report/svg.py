"""A matplotlib figure as inline SVG that follows the page's colours and font.

Marks are drawn in marker colours (`Ink`), which become CSS variables in the
SVG, so that one figure serves the light and the dark page.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure


class Ink:
    """Marker colours; no reader ever sees these values."""

    TEXT = "#010301"
    MUTED = "#010302"
    LINE = "#010303"
    ACCENT = "#010304"
    GOOD = "#010305"
    BAD = "#010306"
    CARD = "#010307"


_VARIABLES = {
    Ink.TEXT: "var(--ink)",
    Ink.MUTED: "var(--muted)",
    Ink.LINE: "var(--line)",
    Ink.ACCENT: "var(--accent)",
    Ink.GOOD: "var(--good)",
    Ink.BAD: "var(--bad)",
    Ink.CARD: "var(--card)",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 11,
    "axes.edgecolor": Ink.LINE,
    "axes.labelcolor": Ink.MUTED,
    "axes.titlecolor": Ink.TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": Ink.LINE,
    "grid.linewidth": 0.8,
    "text.color": Ink.TEXT,
    "xtick.color": Ink.LINE,
    "ytick.color": Ink.LINE,
    "xtick.labelcolor": Ink.MUTED,
    "ytick.labelcolor": Ink.MUTED,
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


class Plot:
    """One figure being drawn; `svg` is there once the `with plot(...)` block ends.

    Attributes:
        axes: to draw on.
        tips: id given with `set_gid` -> text that a mouse pointer on that mark shows.
    """

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.tips: dict[str, str] = {}
        self.svg = ""


@contextmanager
def plot(name: str, description: str, width: float = 5.4, height: float = 3.0) -> Iterator[Plot]:
    """Draw a figure with the page's look.

    Args:
        name: unique on the page; keeps the ids of several SVGs apart.
        description: what a screen reader says.
        width, height: inches at 72 dots; the page scales the figure to its column.

    Yields:
        The `Plot` to draw on.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.patch.set_visible(False)
        drawing = Plot(figure.subplots())
        drawing.axes.patch.set_visible(False)
        yield drawing
        text = io.StringIO()
        FigureCanvasSVG(figure).print_svg(text, metadata=_NO_METADATA)
    drawing.svg = _for_page(text.getvalue(), name, description, drawing.tips)


def _for_page(svg: str, name: str, description: str, tips: Mapping[str, str]) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>", "", svg, count=1, flags=re.DOTALL)  # would reach the whole page
    svg = re.sub(r' xmlns(?::xlink)?="[^"]*"', "", svg)
    svg = re.sub(r" font-family: [^;]*;", "", svg)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r'id="((?:figure|axes|patch|text|matplotlib|xtick|ytick|line2d)[\w.]*)"', rf'id="{name}-\1"', svg)
    for marker, variable in _VARIABLES.items():
        svg = svg.replace(marker, variable)
    for mark, tip in tips.items():
        svg = svg.replace(f'<g id="{mark}">', f'<g id="{name}-{mark}"><title>{html.escape(tip)}</title>')
    label = html.escape(description, quote=True)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}" class="plot"', 1)
