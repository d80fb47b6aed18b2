"""Writes what the documentation tells of the program from the program itself: commands, profiles, layouts ...

`python docs/render_reference.py` writes the blocks, `--check` only says whether one is stale.
"""

from __future__ import annotations

import functools
import inspect
import tomllib
from typing import Any

import python_reference
import registered_tables
import typer
from blocks import ROOT, escaped, main, text_table

import autommlab
import searchers
from autommlab.cli.main import app
from autommlab.data import embedded, readers
from autommlab.settings import PROFILES
from autommlab.tasks import TASK_METRICS
from searchers.settings import LlmOptions


def section(path: str, command: Any) -> str:
    """One command: what it does, how it is called, its options."""
    context = command.make_context(path, [], resilient_parsing=True)
    usage = f"autommlab {path} {' '.join(command.collect_usage_pieces(context))}".replace("autommlab  ", "autommlab ")
    lines = [f"## {path}", "", *_help(command), "", f"```text\n{usage}\n```"]
    groups: dict[str, list[list[str]]] = {}
    for parameter in command.params:
        if cells := _cells(parameter, context):
            groups.setdefault(getattr(parameter, "rich_help_panel", None) or "", []).append(cells)
    for heading, rows in groups.items():
        lines += ["", *([f"**{heading}**", ""] if heading else []), text_table(["option", "meaning"], rows)]
    return "\n".join(lines)


def _help(command: Any) -> list[str]:
    return [escaped(inspect.cleandoc(command.help or ""))]


def _cells(parameter: Any, context: Any) -> list[str] | None:
    """Name and meaning; None for what users do not see."""
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return None
    record = parameter.get_help_record(context)
    if record is None:
        return None
    name, meaning = (" ".join(part.split()) for part in record)
    return [f"`{name}`".replace("|", "\\|"), escaped(meaning)]


def commands(group: Any, path: str = "") -> list[str]:
    """Sections of a group's commands, in the order of `--help`."""
    found = []
    for name, command in group.commands.items():
        if command.hidden:
            continue
        full = f"{path} {name}".strip()
        found += commands(command, full) if hasattr(command, "commands") else [section(full, command)]
    return found


def every_command() -> str:
    """All commands."""
    return "\n\n".join(commands(typer.main.get_command(app)))


def profiles() -> str:
    """What each budget profile trains."""
    rows = []
    for profile in PROFILES.values():
        for task, budget in profile.tasks.items():
            sizes = ["all" if most is None else f"{most:,}" for most in budget.images]
            rows.append(
                [
                    f"`{profile.name}`", task.value, str(profile.trials), "x".join(map(str, budget.input_size)),
                    " / ".join(sizes), "{:,} to {:,}".format(*budget.iterations), "{} to {}".format(*budget.batch_size),
                ]
            )  # fmt: skip
    header = ["profile", "task", "trials", "pixels", "most pictures (train / val / test)", "steps", "batch size"]
    return text_table(header, rows)


def metrics() -> str:
    """The objective of each task, and what is measured beside it."""
    rows = [
        [task.value, found[0].name, ", ".join(each.name for each in found[1:])] for task, found in TASK_METRICS.items()
    ]
    return text_table(["task", "objective", "also measured"], rows)


def layouts() -> str:
    """Folders that `data add` recognises."""
    rows = [
        [f"`{reader.layout}`", ", ".join(task.value for task in reader.tasks), escaped(reader.summary)]
        for reader in readers.READERS.values()
    ]
    return text_table(["layout", "tasks", "what lies in the folder"], rows)


def embedded_sets() -> str:
    """The sets that come with the program."""
    rows = [[f"`{s.name}`", s.task.value, str(len(s.classes)), s.description] for s in embedded.specs()]
    return text_table(["set", "task", "classes", "what it is"], rows)


def layers() -> str:
    """The layers that import-linter checks, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (found,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return "\n".join(f"{number}. `{layer.replace(' | ', '`, `')}`" for number, layer in enumerate(found, start=1))


def example(name: str, package: str = "searchers") -> str:
    """A script of a package's `examples/`."""
    content = (ROOT / package / "examples" / f"{name}.py").read_text(encoding="utf-8")
    return f"```python\n{content}```"


def searcher_options() -> str:
    """Each searcher's own options; those of the LLM once."""
    rows, of_llm = [], LlmOptions.model_fields
    for name in searchers.summaries():
        known = searchers.options_of(name) or {}
        asks_llm = of_llm.keys() <= known.keys()
        own = [f"`{option}`" for key, option in known.items() if not (asks_llm and key in of_llm)]
        if known:
            rows.append([f"`{name}`", ", ".join([*own, *(["those of the LLM"] if asks_llm else [])])])
    shared = ", ".join(f"`{name}`" for name in of_llm)
    return text_table(["searcher", "options and defaults"], rows) + f"\n\nThose of the LLM: {shared}."


WRITERS = {
    "layers": layers,
    "commands": every_command,
    "profiles": profiles,
    "metrics": metrics,
    "layouts": layouts,
    "embedded-sets": embedded_sets,
    "searcher-options": searcher_options,
    "registered-tasks": registered_tables.tasks,
    "registered-arms": registered_tables.arms,
    "registered-questions": registered_tables.questions,
    "python-functions": python_reference.functions,
    "python-arguments": python_reference.arguments,
    "python-run": functools.partial(python_reference.members, autommlab.Run),
    "python-study": functools.partial(python_reference.members, autommlab.Study),
    "example-train-and-predict": functools.partial(example, "train_and_predict", "autommlab"),
    "example-plain-loop": functools.partial(example, "plain_loop"),
    "example-ray-tune": functools.partial(example, "ray_tune"),
    "example-optuna-study": functools.partial(example, "optuna_study"),
}

if __name__ == "__main__":
    main(WRITERS)
