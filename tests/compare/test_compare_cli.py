"""A tiny real comparison through the command line: run, extended by a searcher, refused with other settings."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autommlab.cli.main import app
from autommlab.common.errors import AutoMMLabError
from tests.helpers.program import autommlab, autommlab_here

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_comparison_is_paired_resumable_and_draws_its_plot(
    home: Path, shapes: Path, parse: Path, tmp_path: Path
) -> None:
    out = tmp_path / "comparison"
    asked = ("compare", "which material", "--parse", parse, "--data", shapes, "--trials", 1,
             "--iterations", 20, "--batch", 4, "--out", out)  # fmt: skip
    first = autommlab(home, *asked, "--searchers", "random", "--seeds", 1)
    assert first.returncode == 0, first.stderr
    studies = sorted(str(path.parent.relative_to(out / "studies")) for path in out.glob("studies/*/*/study.json"))
    assert studies == ["random/seed-0"]
    before = {path: path.stat().st_mtime_ns for path in out.glob("studies/*/*/trials.jsonl")}

    more = autommlab_here(*asked, "--searchers", "random,tpe", "--seeds", 1, "--json", home=home)
    assert more.code == 0, more.err
    result = json.loads(more.out)
    assert {(study["searcher"], study["seed"]) for study in result["studies"]} == {("random", 0), ("tpe", 0)}
    assert all(len(study["scores"]) == 1 for study in result["studies"])
    assert {path: path.stat().st_mtime_ns for path in before} == before, "a finished study was run again"
    assert [standing["searcher"] for standing in result["standings"]] == ["random", "tpe"]
    assert json.loads((out / "comparison.json").read_text())["studies"] == result["studies"]
    assert (out / "comparison.png").stat().st_size > 10_000

    for other, said in [
        (("random",), "Name at least those"),
        (("random,tpe", "--profile", "gpu"), "profile: stored 'laptop', now 'gpu'"),
    ]:
        refused = CliRunner().invoke(app, [*map(str, asked), "--seeds", "1", "--searchers", *other])
        assert isinstance(refused.exception, AutoMMLabError)
        assert said in str(refused.exception)


def test_an_unknown_searcher_is_named_before_anything_runs(tmp_path: Path) -> None:
    done = autommlab_here("compare", "x", "--searchers", "random,tpo", "--out", tmp_path / "comparison")
    assert done.code == 2
    assert "unknown searcher 'tpo'" in done.err
    assert not (tmp_path / "comparison").exists()
