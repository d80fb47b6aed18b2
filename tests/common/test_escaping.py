"""One evil string through every kind of output that shows names, and the helpers one by one."""

from __future__ import annotations

import html
import importlib
import io
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

import autommlab
from autommlab.common.escaping import markdown, one_line, rich_text, terminal

#: Markup of every kind, a terminal's commands (clear, title, clipboard), and what begins a new line or turns it.
EVIL = (
    "<script>alert(1)</script> [/bold][red]x[link=http://evil.example]y[/link]\\[ \x1b[2J\x1b]0;title\x07"
    "\x1b]52;c;ZXZpbA==\x07 a\r\nb\u2028c\x85d | ![i](http://evil.example/i.png) `code` <img src=x onerror=a()> "
    "javascript:alert(1) \u202egnp.exe \x9b31m &lt; # h"
)
#: What no output of one line may hold.
COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]")


def test_a_terminal_gets_no_commands() -> None:
    shown = terminal(EVIL)
    assert not COMMANDS.search(shown)
    assert r"\x1b[2J" in shown
    ordinary = "Katze 猫 \u3000👩\u200d🚀\tx\n"
    assert terminal(ordinary) == ordinary


@given(st.text())
def test_one_line_is_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert all(each.isprintable() or each.isspace() or each in "\u200c\u200d" for each in line)
    assert one_line(line) == line


@pytest.mark.parametrize("text", ["\\", "a\\", "\\[", "[b]\\", "x\\\\[a]\\", "[/red]", "[link=x]y", EVIL])
def test_rich_shows_what_it_was_given(text: str) -> None:
    printed = io.StringIO()
    Console(file=printed, width=10_000, color_system=None).print(rich_text(text), soft_wrap=True)
    assert printed.getvalue() == f"{terminal(text)}\n"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(tag)


def tags(text: str) -> list[str]:
    parser = _Tags()
    parser.feed(text)
    return parser.found


@given(st.one_of(st.text(), st.text(alphabet="<>*_`[]()#|!\\-=1. \n&;")))
def test_markdown_has_no_tag_no_markup_and_keeps_the_text(text: str) -> None:
    escaped = markdown(text)
    assert not tags(escaped)
    assert len(escaped.splitlines()) <= 1
    # Read as CommonMark does: a backslash before ASCII punctuation stands for that, and only that.
    active = re.sub(r"\\[!-/:-@\[-`{-~]", "x", escaped)
    assert not re.search(r"[*_`\[\]|!#<>]|^\s*[-=]|^\s*\d+\.", active)
    read = html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped))
    assert read.replace("\u200b", "") == one_line(text).replace("\u200b", "")


@pytest.fixture
def evil_bag() -> Any:
    from autommlab.data.records import Bag, BagSplit
    from autommlab.tasks import Task

    split = BagSplit(images=1, annotations="train.txt", per_class={EVIL: 1})
    return Bag(
        task=Task.CLASSIFICATION, folder=Path("/x"), classes=(EVIL, "b"), sources={EVIL: (EVIL,)}, datasets=(EVIL,),
        splits={"train": split}, median_size=(1, 1), seed=0, digest="0" * 64, notes=(EVIL,),
    )  # fmt: skip


def test_the_model_card_holds_no_tag_and_no_link(evil_bag: Any) -> None:
    from autommlab.deployment import bundle_readme, model_card
    from autommlab.understanding.request import Engine

    card = "\n".join([model_card._data(evil_bag), bundle_readme.usage(evil_bag, Engine.ONNXRUNTIME)])
    assert not tags(card)
    assert "](http" not in card
    assert card.count("alert") >= 5


def test_tables_lines_and_errors_hold_no_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from autommlab.cli.shared import print_table, say
    from autommlab.common.errors import DataError

    table = Table("name", title="jobs")
    table.add_row(EVIL)
    print_table(table)
    say(EVIL)

    def fail() -> None:
        raise DataError(EVIL)

    program: Any = importlib.import_module("autommlab.cli.main")
    monkeypatch.setattr(program, "app", fail)
    monkeypatch.setattr(sys, "argv", ["autommlab"])
    with pytest.raises(SystemExit):
        program.main()
    for text in capsys.readouterr():
        assert "alert(1)" in text
        assert not COMMANDS.search(text)


@pytest.mark.parametrize("on_a_terminal", [True, False])
def test_the_progress_display_holds_no_commands_but_its_own(on_a_terminal: bool) -> None:
    from autommlab.progress.display import Display
    from autommlab.progress.events import Event

    stream = io.StringIO()
    with Display(Console(file=stream, force_terminal=on_a_terminal, highlight=False, width=400)) as display:
        for kind in ("stage-started", "progress", "note", "warning", "stage-finished", "done"):
            told = {"reason": EVIL, "metric": EVIL, "bundle": EVIL, "unit": EVIL}
            display(Event(kind, "data", EVIL, told))
    text = stream.getvalue()
    assert "alert(1)" in text
    if on_a_terminal:  # rich's own: colours, the cursor, an erased line, the line's begin
        text = re.sub(r"\x1b\[[0-9;?]*[mhlAK]|\r", "", text)
    assert not COMMANDS.search(text)


def test_a_class_stays_one_line_of_the_labels() -> None:
    names = (EVIL, "b\nc", "d")
    assert len("\n".join(map(one_line, names)).splitlines()) == len(names)


def test_the_bundles_own_program_prints_no_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(autommlab.__file__).parent))  # a bundle has its runtime beside the program
    from autommlab.deployment import predict_template as program

    assert program._printable(f"x: {program._in_words({'label': EVIL, 'score': 0.5})}").isprintable()
