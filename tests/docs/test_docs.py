"""The documentation: it builds, its tables are fresh, and what it names is there."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from autommlab.cli.main import app
from searchers.context import StudySettings
from searchers.testing import METRIC, SPACE, ask_and_tell

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = ("autommlab", "searchers", "serve", "training_data_gen")
#: Code spans that are paths of this repository; a path with a place-holder is none.
_PATH = re.compile(r"`((?:autommlab|searchers|serve|training_data_gen|tests|docs)/[\w./-]+)`")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """The scripts of docs/, by name."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        yield {path.stem: importlib.import_module(path.stem) for path in (ROOT / "docs").glob("*.py")}
    finally:
        sys.path.remove(str(ROOT / "docs"))


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_readme_is_short_and_names_the_paper() -> None:
    readme = _text(ROOT / "README.md")
    assert len(readme.split()) <= 900
    assert "arxiv.org/abs/2402.15351" in readme


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = _text(page)
    missing = [link for link in _LINK.findall(text) if not (page.parent / link).exists()]
    missing += [path for path in _PATH.findall(text) if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("writer", ["render_results", "render_reference"])
def test_rendered_blocks_are_fresh(scripts: dict[str, ModuleType], writer: str) -> None:
    writers = scripts[writer].WRITERS
    stale = [
        _name(page)
        for page in scripts["blocks"].pages()
        if scripts["blocks"].rendered(_text(page), writers) != _text(page)
    ]
    assert stale == [], f"run: python docs/{writer}.py"


def test_every_block_has_a_writer_and_every_writer_a_block(scripts: dict[str, ModuleType]) -> None:
    used = {name for page in PAGES for name in scripts["blocks"].names_in(_text(page))}
    known = {*scripts["render_results"].WRITERS, *scripts["render_reference"].WRITERS}
    assert used == known


def test_stale_block_is_written_anew_and_the_rest_kept(scripts: dict[str, ModuleType]) -> None:
    text = "before\n<!-- rendered: a -->\nold\n<!-- end -->\nafter\n<!-- rendered: b -->\nother\n<!-- end -->\n"
    new = scripts["blocks"].rendered(text, {"a": lambda: "new"})
    assert new.startswith("before\n<!-- rendered: a -->\n\nnew\n\n<!-- end -->\nafter\n")
    assert "other" in new


def test_interval_is_over_tasks_and_seeds(scripts: dict[str, ModuleType]) -> None:
    """Tasks that differ widen the interval, however well the seeds agree."""
    import numpy as np

    interval = scripts["searcher_tables"].interval
    assert interval(np.full((8, 5), 0.5)) == (0.5, 0.5)
    low, high = interval(np.repeat(np.linspace(0, 1, 8)[:, None], 5, axis=1))
    assert high - low > 0.3


def test_control_is_what_its_script_makes(scripts: dict[str, ModuleType]) -> None:
    control, task = scripts["surrogate_grid"], "classification-held-out-1"
    stored = json.loads(_text(control.OUT))["studies"]
    assert {arm: {task: stored[arm][task]} for arm in control.ARMS} == control.studies([task])


def test_site_builds_with_strict_links(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "results.html").is_file()


def test_where_is_what_names_the_five_places() -> None:
    section = _text(ROOT / "CONTRIBUTING.md").partition("## Where is what")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    for thing in ("prompt of HPO-LLaMA", "detection augmentation", "ONNX export", "node loss", "RU test set"):
        (row,) = (row for row in rows if thing in row)
        assert len(_PATH.findall(row)) >= 2, row


def _commands() -> list[tuple[str, str]]:
    """(page, command line) of every `autommlab ...` in a shell block of a page."""
    found = []
    for page in PAGES:
        for kind, body in _FENCE.findall(_text(page)):
            if kind in ("bash", "console"):
                lines = body.replace("\\\n", " ").splitlines()
                words = (line.removeprefix("$ ").rpartition("--extra cpu ")[2] for line in lines)
                found += [(_name(page), line) for line in words if line.startswith("autommlab ")]
    return found


def _options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def test_commands_of_the_pages_exist_with_their_options() -> None:
    wrong = []
    found = _commands()
    assert len(found) > 30
    program: Any = typer.main.get_command(app)
    for page, line in found:
        command, words = program, shlex.split(line, comments=True)[1:]
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        if hasattr(command, "commands") and words and words != ["--help"]:
            wrong.append(f"{page}: {line}: no command {words[0]!r}")
            continue
        allowed = {*_options(command), "--help"}
        if command.name == "submit":
            allowed |= _options(program.commands["run"])
        wrong += [f"{page}: {line}: no option {w}" for w in words if w.startswith("--") and w not in allowed]
    assert wrong == []


def test_searcher_of_the_page_works() -> None:
    page = _text(ROOT / "docs" / "searchers.md")
    (code,) = (body for _, body in _FENCE.findall(page) if "class Halving" in body)
    space: dict[str, Any] = {}
    exec(compile(code, "searchers.md", "exec"), space)  # noqa: S102 - our own page
    points = ask_and_tell(space["Halving"](SPACE, StudySettings(metric=METRIC, seed=1)), 8)
    assert all(point in SPACE for point in points)
    assert len({float(point["lr"]) for point in points}) > 4


def test_packages_are_typed_and_the_changelog_has_an_unreleased_part() -> None:
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()] == []
    assert "## [Unreleased]" in _text(ROOT / "CHANGELOG.md")
