"""Tables of what models and data cost: the zoo, large sets, serving, INT8."""

from __future__ import annotations

import json
from typing import Any

from blocks import RESULTS, escaped, read, table, text_table


def zoo_check() -> str:
    """Popular models of the zoo and how far each came."""
    rows = []
    for line in json.loads((RESULTS / "zoo_check.json").read_text(encoding="utf-8")):
        taken, of = line["loaded"]
        width, height = line["input_size"]
        end = "all" if not line["failed"] else f"not {line['failed']}: {escaped(line['reason'][:140])}"
        rows.append(
            [
                line["task"], f"{line['title']} (`{line['name']}`)", f"{width}x{height}", f"{line['params_m']:.1f}",
                f"{line['flops_g']:.2f}", f"{taken} of {of}" if of else "-", str(line["groups"] or "-"),
                (f"{line['difference']:.0e}" if line["difference"] else "0") if line["allowed"] else "-", end,
            ]
        )  # fmt: skip
    header = ["task", "model", "pixels", "M params", "GFLOPs", "loaded", "groups", "difference", "steps"]
    return text_table(header, rows)


def data_costs() -> str:
    """What large data sets cost, before and after their reading was made cheaper."""

    def stored(name: str) -> dict[tuple[str, int, str], dict[str, Any]]:
        lines = json.loads((RESULTS / name).read_text(encoding="utf-8"))
        return {(line["task"], line["images"], line["step"]): line for line in lines}

    before, now = stored("data_costs_before.json"), stored("data_costs.json")
    rows = []
    for (task, images, step), line in now.items():
        old = before.get((task, images, step))
        pair = [f"{old['cpu_s']:.1f}", f"{old['memory_mb']:.0f}"] if old else ["-", "-"]
        rows.append([task, f"{images:,}", step, pair[0], f"{line['cpu_s']:.1f}", pair[1], f"{line['memory_mb']:.0f}"])
    header = ["task", "pictures", "step", "CPU s before", "CPU s now", "MB before", "MB now"]
    return table(header, rows, words=3)


def serve_model() -> str:
    """Requests a second of the model service."""
    lines, rows = json.loads((RESULTS / "serve_model.json").read_text(encoding="utf-8")), []
    for line in lines:
        width, height = line["input_size"]
        head = [f"{escaped(line['model'])}, {line['task']}, {line['engine']}, {width}x{height}"]
        for rate in (line["alone"], *line["served"]):
            way = ["one process of `predict.py`", "-", "-", "-"]
            if rate["replicas"]:
                way = ["service", *(str(rate[key]) for key in ("replicas", "batch", "clients"))]
            figures = [f"{rate['per_second']:.1f}", f"{rate['ratio']:.2f}", f"{rate['cpu_ms']:.1f}"]
            rows.append([*head, *way, *figures, f"{rate['p50_ms']:.0f}", f"{rate['p95_ms']:.0f}"])
    header = ["model", "way", "replicas", "batch", "clients", "a second", "ratio", "CPU ms", "p50 ms", "p95 ms"]
    drift = ", ".join(f"{line['drift']:.2f} ({line['task']})" for line in lines)
    steady = f"One process after the service over the same before it, 1 on a steady machine: {drift}."
    return f"{table(header, rows, words=2)}\n\n{steady}"


def quantize() -> str:
    """INT8 against float, a line for each model and engine."""
    stored, rows = read("quantize.json"), []
    for line in stored["lines"]:
        width, height = line["input_size"]
        head = [
            f"{line['task']}, {escaped(line['model'])}, {width}x{height}, {line['iterations']} steps",
            f"`{line['engine']}`",
        ]
        found = line["quantization"]
        if found is None:
            rows.append([*head, escaped(line["problem"]), *["-"] * 6])
            continue
        figures = [f"{found[split][side]:.3f}" for split in ("val", "test") for side in ("float32", "int8")]
        val, test = " / ".join(figures[:2]), " / ".join(figures[2:])
        size = " / ".join(f"{found['size_mb'][side]:.1f}" for side in ("float32", "int8"))
        p50 = " / ".join(f"{found['p50_ms'][side]:.2f}" for side in ("float32", "int8"))
        delivered = "INT8" if found["delivered"] else "float"
        scope = f"{found['scope']} ({found['int8_layers']})"
        rows.append([*head, scope, f"{found['metric']} {val}", test, p50, f"{found['speedup']:.2f}", size, delivered])
    header = ["model", "engine", "quantised (layers)", "val", "test", "p50 ms", "times as fast", "MB", "delivered"]
    where = (
        f"`{stored['command']}`, seed {stored['seed']}, {stored['date']}, {stored['machine']['CPU cores']} CPU cores"
    )
    return f"{table(header, rows, words=3)}\n\nFloat / INT8. {where}."
