"""The winner's config as a file: written as OpenMMLab's tools read it, read here without running it.

`mmengine.Config.fromfile` executes a config as the Python program that it is. What a trial writes needs no program:
assignments of plain values. `read_config` takes these and nothing else, and only from a file that this installation
signed (`common.signing`): a registry builds whatever class a config names.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from autommlab.common.errors import ResumeError
from autommlab.common.files import write_text
from autommlab.common.signing import read_signed, signed


def write_config(path: Path, text: str) -> Path:
    """Store a config's text with our signature.

    Raises:
        StorageError: the folder cannot be written.
    """
    return write_text(path, signed(text))


def read_config(path: Path) -> Any:
    """The `mmengine.Config` in a file that `write_config` made.

    Raises:
        ResumeError: missing, not signed here, or more than assignments of plain values.
    """
    from mmengine.config import Config

    return Config(read_values(path), format_python_code=False)


def read_values(path: Path) -> dict[str, Any]:
    """The plain values of such a file; for processes on other nodes, whose key is another.

    Raises:
        ResumeError: as of `read_config`.
    """
    try:
        return parse_config(read_signed(path))
    except ValueError as error:
        raise ResumeError(f"{path} is no config of ours: {error}") from error


def parse_config(text: str) -> dict[str, Any]:
    """The values that a config's text assigns; nothing in it is executed.

    Raises:
        ValueError: the line and what stands there instead of a plain value.
    """
    try:
        return {name: _value(value) for name, value in map(_assignment, ast.parse(text).body)}
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"it cannot be parsed ({error})") from error


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
    raise ValueError(f"line {statement.lineno} is {ast.unparse(statement)[:80]!r}, not an assignment of a value")


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            values = map(_value, items)
            return list(values) if isinstance(node, ast.List) else tuple(values)
        case ast.Dict(keys=keys, values=values):
            return {_key(node, key): _value(value) for key, value in zip(keys, values, strict=True)}
        case ast.Call(func=ast.Name(id="dict"), args=[ast.Dict() as mapping], keywords=[]):
            return _value(mapping)  # so mmengine writes keys that are no names
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            return {_key(node, word.arg): _value(word.value) for word in keywords}
    raise ValueError(f"line {node.lineno} holds {ast.unparse(node)[:80]!r}, which is no plain value")


def _key(node: ast.expr, key: ast.expr | str | None) -> Any:
    if key is None:  # `**something`
        raise ValueError(f"line {node.lineno} unpacks another value")
    return key if isinstance(key, str) else _value(key)
