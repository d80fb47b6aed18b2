"""The Dockerfile agrees with the project that it packs; no engine is needed to see that."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "autommlab" / "cluster_files" / "Dockerfile"


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """Instructions with their arguments, a line each."""
    text = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8")))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_all_packages_and_what_their_build_reads_are_copied(
    steps: list[tuple[str, str]], project: dict[str, Any]
) -> None:
    copied = {name for word, rest in steps if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]}
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    needed |= set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert copied == needed
    assert all((ROOT / name).exists() for name in copied)
    let_in = {line[1:] for line in DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
              if line.startswith("!")}  # fmt: skip
    assert let_in == copied, "the rest of a checkout, runs and secrets among it, stays out of the build"


def test_extras_and_command_are_the_projects_own(steps: list[tuple[str, str]], project: dict[str, Any]) -> None:
    syncs = [rest for word, rest in steps if word == "RUN" and "uv sync" in rest]
    assert len(syncs) == 2
    for sync in syncs:
        asked = set(re.findall(r"--extra (\S+)", sync)) - {'"${EXTRA}"'}
        assert asked <= set(project["project"]["optional-dependencies"])
        assert "--no-dev" in sync
    assert {"cpu", "gpu"} <= set(project["project"]["optional-dependencies"])
    (entry,) = (rest for word, rest in steps if word == "ENTRYPOINT")
    assert entry == '["autommlab"]'
    assert "autommlab" in project["project"]["scripts"]


def test_it_runs_as_nobody_special_with_its_home_in_a_volume(steps: list[tuple[str, str]]) -> None:
    last = [word for word, _ in steps]
    assert dict(steps)["USER"] == "${UID}", "Kubernetes' runAsNonRoot asks for a number"
    assert last.index("USER") < last.index("ENTRYPOINT")
    (folder,) = re.findall(r"AUTOMMLAB_HOME=(\S+)", " ".join(rest for word, rest in steps if word == "ENV"))
    assert f'"{folder}"' in dict(steps)["VOLUME"]
    assert any(word == "RUN" and f"-o autommlab -g autommlab {folder}" in rest for word, rest in steps)
