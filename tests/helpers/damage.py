"""Ways in which a file of records breaks, drawn by hypothesis: torn, overwritten, edited by hand or by an enemy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

#: Of each record in a long run; other long fuzz tests draw multiples of it, as theirs take milliseconds. The default
#: is meant for about ten minutes a module on one core.
EXAMPLES = int(os.environ.get("AUTOMMLAB_FUZZ_EXAMPLES", "30"))
#: Turns the sound content of a file into a damaged one.
Damage = Callable[[bytes], bytes]

#: Written in the place of these texts, as `json.dumps` has no way to write them.
_RAW = {'"<huge>"': "9" * 5000, '"<beyond>"': "1e999", '"<long>"': '"' + "x" * 70_000 + '"'}
_SIGNS = (
    "", "../no/such", "/no/such", "file:///no/such", "C:\\a\\b.jpg", "a\nb 0", "x\0y", "é" * 300, "\ud800", "1",
    "7.0", "nan", "\u2028", "\x1b[31mred", "[/red]", "{0}", "%s", "<script>", "none", "s3://k:s@b/p",
)  # fmt: skip
_NUMBERS = (
    0, 1, -1, 2, 7, 255, 256, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400, 0.0, -0.0, 0.5, -0.5, 1e-300, 1e300,
    -1e300, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TEXTS = st.one_of(st.sampled_from(_SIGNS), st.text(max_size=8))
NUMBERS = st.one_of(st.sampled_from(_NUMBERS), st.integers(-3, 50), st.floats(width=32))
_LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.sampled_from(["<huge>", "<beyond>", "<long>"]))
VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
_WHOLE = (
    b"", b"\n", b"\0" * 64, b"{", b"[]", b"{}", b"null", b"0", b'"text"', b"\xff\xfe\x00", b"[" * 100_000,
    b'{"a":' * 100_000, b"[" * 2000 + b"]" * 2000, b"NaN", "{}".encode("utf-16"), b"\xef\xbb\xbf{}", b"true\n" * 3,
)  # fmt: skip
_PLACES = st.lists(st.integers(0, 40), min_size=1, max_size=6)


def as_json(value: Any) -> bytes:
    """As JSON, with numbers that Python's own writer refuses, and NaN."""
    text = json.dumps(value)
    for sign, raw in _RAW.items():
        text = text.replace(sign, raw)
    return text.encode()


def damages(*, lines: bool = False) -> st.SearchStrategy[Damage]:
    """Any damage of a JSON file, or of one of JSON lines."""
    edits = _edits().map(_on_a_line) if lines else _edits()
    single = st.one_of(edits, edits, edits, _bytes(), _bytes(), *([_line_orders()] if lines else []))
    return st.lists(single, min_size=1, max_size=3).map(_one_after_the_other)


def byte_damages() -> st.SearchStrategy[Damage]:
    """Any damage of a file that is no JSON."""
    return st.lists(_bytes(), min_size=1, max_size=3).map(_one_after_the_other)


def _one_after_the_other(steps: Sequence[Damage]) -> Damage:
    def damage(content: bytes) -> bytes:
        for step in steps:
            content = step(content)
        return content

    return damage


def _bytes() -> st.SearchStrategy[Damage]:
    at, some = st.floats(0, 1), st.binary(max_size=12)
    return st.one_of(
        st.sampled_from(_WHOLE).map(lambda whole: lambda _: whole),
        at.map(lambda place: lambda content: content[: int(place * len(content))]),
        st.tuples(at, st.integers(1, 40), some).map(lambda cut: lambda content: _spliced(content, *cut)),
        st.tuples(at, st.integers(0, 7)).map(lambda bit: lambda content: _flipped(content, *bit)),
        st.tuples(at, st.integers(1, 4096)).map(
            lambda nuls: lambda content: _spliced(content, nuls[0], 0, b"\0" * nuls[1])
        ),
        st.sampled_from(["utf-16", "latin-1", "utf-8-sig"]).map(lambda to: lambda content: _recoded(content, to)),
        some.map(lambda tail: lambda content: content + tail),
    )


def _spliced(content: bytes, at: float, length: int, fresh: bytes) -> bytes:
    start = int(at * len(content))
    return content[:start] + fresh + content[start + length :]


def _flipped(content: bytes, at: float, bit: int) -> bytes:
    place = min(int(at * len(content)), len(content) - 1)
    return content if place < 0 else content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def _recoded(content: bytes, encoding: str) -> bytes:
    return content.decode("utf-8", "replace").replace("e", "é").encode(encoding, "replace")


def _edits() -> st.SearchStrategy[Damage]:
    kinds = st.sampled_from(["set", "set", "set", "delete", "add", "wrap", "repeat"])
    return st.tuples(kinds, _PLACES, VALUES, TEXTS).map(lambda edit: lambda content: _edited(content, *edit))


def _edited(content: bytes, kind: str, places: list[int], value: Any, name: str) -> bytes:
    """A JSON text with one of its values replaced, deleted, added, wrapped into a list, or its key written twice."""
    try:
        tree: Any = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(tree, dict | list) or not tree:
        return as_json(value)
    at: Any = tree
    for step in places[:-1]:
        inner = [key for key in _keys(at) if isinstance(at[key], dict | list) and at[key]]
        if not inner:
            break
        at = at[inner[step % len(inner)]]
    key = _keys(at)[places[-1] % len(at)]
    if kind == "delete":
        del at[key]
    elif kind == "add" and isinstance(at, dict):
        at[name] = value
    elif kind == "add":
        at.append(value)
    elif kind == "wrap":
        at[key] = [at[key]]
    elif kind == "repeat" and isinstance(at, dict):
        return _with_a_key_twice(tree, at, key, value)
    else:
        at[key] = value
    return as_json(tree)


def _with_a_key_twice(tree: Any, at: dict[str, Any], key: str, value: Any) -> bytes:
    mark = "<here twice>"
    kept, at[key] = at[key], mark
    first, _, second = as_json(tree).partition(json.dumps(mark).encode())
    return first + as_json(kept) + b"," + json.dumps(key).encode() + b":" + as_json(value) + second


def _keys(node: Any) -> list[Any]:
    return list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []


def _on_a_line(edit: Damage) -> Damage:
    def damage(content: bytes) -> bytes:
        lines = content.split(b"\n")
        chosen = len(content) % len(lines)
        lines[chosen] = edit(lines[chosen])
        return b"\n".join(lines)

    return damage


def _line_orders() -> st.SearchStrategy[Damage]:
    def reordered(places: tuple[int, int, bool]) -> Damage:
        def damage(content: bytes) -> bytes:
            lines = content.split(b"\n")
            first, second = places[0] % len(lines), places[1] % len(lines)
            lines[first] = lines[second]
            return b"\n".join(lines if places[2] else lines[:first])

        return damage

    return st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()).map(reordered)


def try_examples(drawn: st.SearchStrategy[Any], one: Callable[[Any], object], count: int) -> None:
    """Hand `one` so many drawn values, the same in each run; the first that it fails for is made simpler and told."""

    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @seed(0)
    @given(drawn)
    def every(value: Any) -> None:
        one(value)

    every()
