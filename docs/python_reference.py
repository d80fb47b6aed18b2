"""What the documentation tells of the Python API, from the API itself; written by `render_reference.py`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

import typer
from blocks import escaped, text_table

import autommlab
from autommlab.api.arguments import ChangeArguments, RunArguments
from autommlab.cli.main import app
from autommlab.cli.run_options import arguments_of

#: Kinds of arguments as a reader knows them.
_KINDS = {
    "AnyPath": "path",
    "Pairs": 'dict, or list of "NAME=VALUE"',
    "Range": "number, pair or text",
    "Sequence[str]": "list",
    "int | tuple[int | None, ...] | str": "number, triple or text",
    "Acceleration": "`Acceleration`",
}


def functions() -> str:
    """What `import autommlab` offers beside its classes."""
    offered = {name: getattr(autommlab, name) for name in autommlab.__all__}
    rows = [[f"`{name}`", _first_line(each)] for name, each in offered.items() if inspect.isfunction(each)]
    return text_table(["function", "what it does"], rows)


def arguments() -> str:
    """Those of a run, with the meaning that `run --help` tells."""
    program: Any = typer.main.get_command(app)
    parameters = {parameter.name: parameter for parameter in program.commands["run"].params}
    kinds: Mapping[str, Any] = RunArguments.__annotations__
    rows = [
        [f"`{name}`", _kind(kinds[name]), _yes(name in ChangeArguments.__annotations__), escaped(parameter.help)]
        for name, parameter in arguments_of(parameters).items()
        if name in kinds
    ]
    return text_table(["argument", "type", "`resume`", "meaning"], rows)


def members(kind: type) -> str:
    """What a class has that is documented."""
    rows = []
    for name, member in vars(kind).items():
        is_function = inspect.isfunction(member)
        if name.startswith("_") or not (is_function or isinstance(member, property | functools.cached_property)):
            continue
        rows.append([f"`{name}{'()' if is_function else ''}`", _first_line(member)])
    return text_table(["member", "what it is"], rows)


def _first_line(documented: Any) -> str:
    return escaped((inspect.getdoc(documented) or "").partition("\n")[0])


def _kind(annotation: Any) -> str:
    """An annotation in a few words; that `None` is the default is said above the table."""
    text = annotation.__forward_arg__.removesuffix(" | None")
    for name, words in _KINDS.items():
        text = text.replace(name, words)
    return escaped(text.replace(" | ", " or "))


def _yes(holds: bool) -> str:
    return "yes" if holds else ""
