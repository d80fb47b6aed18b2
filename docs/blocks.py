"""Marked blocks of Markdown files that a script writes: a table between its two comments, and nothing else."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "training_data_gen" / "results"

_BLOCK = re.compile(r"<!-- rendered: (?P<name>[\w-]+) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)


def read(name: str) -> dict[str, Any]:
    """A committed result."""
    content: dict[str, Any] = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    return content


def pages() -> list[Path]:
    """The README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def table(header: list[str], rows: list[list[str]], *, words: int = 1) -> str:
    """A Markdown table; the first `words` columns are text, the others are figures."""
    rule = [*["---"] * words, *["---:"] * (len(header) - words)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *rows])


def text_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table of words."""
    return table(header, rows, words=len(header))


def escaped(text: str) -> str:
    """Words that Markdown would take for markup, made plain."""
    for sign, plain in (("|", "\\|"), ("*", "\\*"), ("<", "&lt;")):
        text = text.replace(sign, plain)
    return text


def rendered(text: str, writers: Mapping[str, Callable[[], str]]) -> str:
    """The text with each block of a known name written anew."""

    def replace(block: re.Match[str]) -> str:
        if block["name"] not in writers:
            return block[0]
        return f"<!-- rendered: {block['name']} -->\n\n{writers[block['name']]()}\n\n<!-- end -->"

    return _BLOCK.sub(replace, text)


def names_in(text: str) -> list[str]:
    """Names of the blocks in a text."""
    return [block["name"] for block in _BLOCK.finditer(text)]


def main(writers: Mapping[str, Callable[[], str]]) -> None:
    """Write all blocks; with `--check` only say which files are stale, and exit 1 if one is."""
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = rendered(text, writers)
        if new != text:
            stale.append(str(page.relative_to(ROOT)))
            if "--check" not in sys.argv[1:]:
                page.write_text(new, encoding="utf-8")
    print("stale: " + ", ".join(stale) if stale else "every block is up to date")
    if stale and "--check" in sys.argv[1:]:
        sys.exit(1)
