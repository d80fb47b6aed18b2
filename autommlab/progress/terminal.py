"""How progress looks on a terminal: the lines that move and the lines that stay. Drawn with rich."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autommlab.common.wording import duration, typed_here
from autommlab.progress.state import STAGES, Watched, products, stage_label

if TYPE_CHECKING:
    from autommlab.progress.events import Event

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BARS = "▁▂▃▄▅▆▇█"


def permanent(event: Event, watched: Watched) -> RenderableType | None:
    """What the event leaves on the terminal for good, None if nothing."""
    if event.kind == "note":
        return Padding(Text(typed_here(event.message), style="dim"), (0, 0, 0, 4))
    if event.kind == "warning":
        return Padding(Text(f"! {typed_here(event.message)}", style="yellow"), (0, 0, 0, 2))
    if event.kind == "stage-finished":
        return _stage_row("✓", "green", event, duration(watched.seconds(event)))
    if event.kind == "stage-skipped":
        return _stage_row("-", "dim", event, "skipped")
    if event.kind == "done":
        mark, style = ("✓", "bold green") if event.data.get("ok", True) else ("✗", "bold red")
        text = Text.assemble((f"{mark} {event.message}", style))
        text.append(f"  {duration(watched.seconds(event))}", style="dim")
        for line in products(event):
            text.append(f"\n  {line}")
        return text
    return None


def _stage_row(mark: str, style: str, event: Event, taken: str) -> RenderableType:
    row = Table.grid(padding=(0, 1), expand=True)
    row.add_column(width=1)
    row.add_column(width=max(map(len, STAGES)))
    row.add_column(ratio=1)
    row.add_column(justify="right", no_wrap=True)
    row.add_row(
        Text(mark, style=style),
        Text(event.stage, style="bold"),
        Text(event.message),
        Text(taken, style="dim"),
    )
    return row


def live_lines(watched: Watched) -> RenderableType:
    """The moving part: a line on the stage at work and, in a study, one on its trials."""
    if not watched.stage:
        return Text("")
    now = time.time()
    line = Text(_SPINNER[int(now * 8) % len(_SPINNER)] + " ", style="cyan")
    line.append(stage_label(watched.stage), style="bold")
    if watched.total:
        counted = f"{watched.unit} {watched.done} of {watched.total}".strip()
        line.append("  ").append_text(_bar(watched.done, watched.total)).append(f"  {counted}")
    elif watched.doing:
        line.append(f"  {watched.doing}")
    if watched.best is not None:
        line.append(f"  best {watched.metric}".rstrip() + " ", style="dim")
        line.append(f"{watched.best:.3f}", style="bold green")
    line.append(f"  {duration(now - watched.stage_began)}", style="dim")
    if watched.eta_s is not None:
        left = max(0.0, watched.eta_s - (now - watched.eta_at))
        line.append(f", about {duration(left)} left" if left >= 1 else ", nearly done", style="dim")
    lines = [line]
    if watched.scores:
        lines.append(Text.assemble("  ", _sparkline(watched.scores), "  ", (watched.last_trial, "dim")))
    for each in lines:
        each.no_wrap, each.overflow = True, "ellipsis"
    return Group(*lines)


def _bar(done: int, total: int, width: int = 18) -> Text:
    filled = min(width, round(width * done / total))
    return Text.assemble(("━" * filled, "cyan"), ("━" * (width - filled), "bright_black"))


def _sparkline(scores: list[float | None], width: int = 24) -> Text:
    """The last scores as small bars, a failed trial as a red cross."""
    shown = scores[-width:]
    real = [score for score in shown if score is not None]
    low, high = (min(real), max(real)) if real else (0.0, 1.0)
    line = Text()
    for score in shown:
        if score is None:
            line.append("✗", style="red")
        else:
            level = 1.0 if high == low else (score - low) / (high - low)
            line.append(_BARS[round(level * (len(_BARS) - 1))], style="green" if score == high else "cyan")
    return line
