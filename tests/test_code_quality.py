"""Lint, format and types, with the configuration of pyproject.toml; and what must stay out of the repository."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]])
def test_checkers_find_nothing(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_point_one_way_and_no_files_form_a_circle() -> None:
    """The layers of pyproject.toml: ground, service, searchers, the system by stages, commands."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


def test_every_direct_dependency_is_pinned() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()]
    grouped = [entry for group in groups for entry in group if not isinstance(entry, dict)]  # a dict includes a group
    listed = [*project["project"]["dependencies"], *grouped]
    assert len(listed) > 30
    assert [entry for entry in listed if "==" not in entry] == []


def test_no_machine_path_and_no_unsafe_call_in_the_packages() -> None:
    forbidden = re.compile(r"(?<![\w.])/(work|root|farm)/|(?<![\w.])eval\(|shell=True|except:\s*$", re.MULTILINE)
    sources = [
        path
        for package in ("autommlab", "searchers", "serve", "training_data_gen")
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".yaml", ".yml", ".sh") or path.name.startswith("Dockerfile")
    ]
    assert len(sources) > 100
    found = [
        f"{path.relative_to(ROOT)}: {hit.group()}" for path in sources for hit in forbidden.finditer(path.read_text())
    ]
    # `model.eval()` and the like are method calls of torch, not the builtin
    assert found == []


def test_no_test_module_imports_another() -> None:
    imported = re.compile(r"^(?:from|import) tests(?:\.\w+)*\.test_\w+", re.MULTILINE)
    files = list((ROOT / "tests").rglob("*.py"))
    assert len(files) > 100
    assert {str(path.relative_to(ROOT)): hits for path in files if (hits := imported.findall(path.read_text()))} == {}


def test_readme_has_the_two_commands_and_the_ci_runs_the_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for line in readme.splitlines() if line.startswith("pip install uv &&")]
    main, tests = commands
    assert main.startswith('pip install uv && uv run --extra cpu autommlab run "')
    assert "--parse" not in main
    assert tests == "pip install uv && uv run --extra cpu pytest"
    assert readme.partition("<!-- test command -->")[2].startswith(f"\n```bash\n{tests}\n```\n")
    assert "README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
