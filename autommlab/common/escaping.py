r"""Text of unknown origin made harmless for the place where it is shown.

Class names, file names, requests and messages come from people and from files. Each kind of output has
its own characters that are instructions instead of text, and one function here that takes their effect away:
`markdown` (and the HTML inside it), `terminal`, `rich_text`, and `one_line` for formats of one item a line.
The text stays readable: nothing is dropped, control characters are shown as their escapes (`\x1b`).
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

#: What a Markdown renderer would take for markup anywhere in a line; "|" ends a cell of a table.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~^$])")
#: Before what starts a list or underlines a heading; a quotation's ">" is HTML's as well.
_MARKDOWN_START = re.compile(r"^\s*(?:(?=[-=])|\d+(?=\.))")
#: Schemes that a renderer turns into links by itself.
_AUTOLINK = re.compile(r"(?i)\b(https?|ftp|www|javascript|data|file)(?=[:.])")
_BREAKS = re.compile(r"\s*[\r\n\v\f\t\x85\u2028\u2029]\s*")
#: Joins emoji and letters of several scripts; harmless.
_JOINERS = frozenset("\u200c\u200d")


def terminal(text: str) -> str:
    """For a terminal: control characters (ESC, carriage return ...) as their escapes; line feeds and tabs stay."""
    return "".join(each if each in "\n\t" or _is_seen(each) else _escaped(each) for each in text)


def one_line(text: str) -> str:
    """For a log or a file of one item a line: as `terminal`, with a blank for each line break and tab."""
    return terminal(_BREAKS.sub(" ", text))


def markdown(text: str) -> str:
    """For a line of Markdown or a cell of its tables: shown literally by a renderer, without HTML or links."""
    escaped = _MARKDOWN_START.sub(r"\g<0>\\", _MARKDOWN.sub(r"\\\1", one_line(text)))
    return html.escape(_AUTOLINK.sub(lambda found: f"{found[0]}\u200b", escaped), quote=False)


def rich_text(text: str, style: str = "") -> Text:
    """For whatever rich prints. Its markup has no escape that is right both alone and before a tag."""
    from rich.text import Text

    return Text(terminal(text), style)


def _is_seen(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
