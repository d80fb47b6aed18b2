"""The card of an adapter: what it was made from, how, where, and what came of it; with a plot of the loss."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CARD_FILE, PLOT_FILE = "README.md", "loss.png"
#: Files in which a base model tells its terms, which hold for its adapters as well.
_TERMS = ("LICENSE*", "NOTICE*", "USE_POLICY*")
_LOG_FILE = "training-log.jsonl"
_PACKAGES = ("torch", "transformers", "peft")


def write_adapter_card(
    folder: Path,
    facts: dict[str, Any],
    settings: dict[str, Any],
    result: dict[str, Any],
    base_name: str,
    terms: Sequence[str] = (),
) -> Path:
    """Write README.md into an adapter's folder, and the plot where matplotlib is at hand.

    Args:
        folder: of the adapter.
        facts: about the data.
        settings: of the training.
        result: fields of `LoraResult`.
        base_name: of the model that the adapter belongs to.
        terms: names of files in the folder that tell the terms of that model.

    Returns:
        The card.
    """
    plot = draw_loss(folder)
    lines = [
        f"# LoRA adapter for {base_name}",
        "",
        f"Made on {datetime.datetime.now(datetime.UTC).date()} by `autommlab tune`. Loss: mean over answer tokens.",
        "",
        *_terms(base_name, terms),
        *_table("outcome", _outcome(result)),
        *_table("data", facts),
        *_table("settings", settings),
        *_table("machine", _machine(str(result["device"]))),
    ]
    if plot is not None:
        lines += [f"![loss]({plot.name})", ""]
    card = folder / CARD_FILE
    card.write_text("\n".join(lines), encoding="utf-8")
    return card


def draw_loss(folder: Path) -> Path | None:
    """Plot the log of a training; None without matplotlib, which a lent machine may lack."""
    if importlib.util.find_spec("matplotlib") is None:
        return None
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = _logged(folder / _LOG_FILE)
    figure, axes = pyplot.subplots(figsize=(6, 3.5))
    steps = [row["step"] for row in rows]
    axes.plot(steps, [row["loss"] for row in rows], label="training")
    axes.plot(steps, [row["held_out"] for row in rows], label="held out")
    axes.set(xlabel="step", ylabel="loss per answer token", yscale="log")
    axes.legend()
    figure.tight_layout()
    figure.savefig(folder / PLOT_FILE, dpi=120)
    pyplot.close(figure)
    return folder / PLOT_FILE


def carry_terms(base: Path, folder: Path) -> list[str]:
    """Copy the files in which a base model tells its terms into the folder of its adapter; their names."""
    files = sorted({file for pattern in _TERMS for file in base.glob(pattern) if file.is_file()})
    for file in files:
        shutil.copyfile(file, folder / file.name)
    return [file.name for file in files]


def _terms(base_name: str, files: Sequence[str]) -> list[str]:
    if not files:
        return []
    linked = ", ".join(f"[{name}]({name})" for name in files)
    return [f"The terms of {base_name} hold for this adapter too: {linked}.", ""]


def _logged(log: Path) -> list[dict[str, float]]:
    """The evaluations in a log, without lines that a crash has torn."""
    rows = []
    for line in log.read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError, RecursionError, KeyError, TypeError):
            row = json.loads(line)
            rows.append({name: float(row[name]) for name in ("step", "loss", "held_out")})
    return rows


def _outcome(result: dict[str, Any]) -> dict[str, Any]:
    return {
        "held-out loss before": f"{result['first_loss']:.4f}",
        "held-out loss after": f"{result['best_loss']:.4f}",
        "best step": f"{result['best_step']} of {result['steps']}",
        "tokens": f"{result['tokens']:,}",
        "seconds": f"{result['seconds']:,.0f}",
        "matrix products": "bfloat16" if result["mixed"] else "float32",
    }


def _machine(device: str) -> dict[str, Any]:
    """Kind of machine and versions, no names."""
    told = {
        "device": device, "processor": platform.machine(), "CPU cores": os.cpu_count(),
        "Python": platform.python_version(),
    }  # fmt: skip
    if device == "cuda":
        import torch

        told["GPU"] = torch.cuda.get_device_name()
    return told | {name: importlib.metadata.version(name) for name in _PACKAGES}


def _table(title: str, rows: dict[str, Any]) -> list[str]:
    cells = [f"| {name} | {_cell(value)} |" for name, value in rows.items()]
    return [f"| {title} | |", "|---|---|", *cells, ""]


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
