"""From the words after `submit` to the job's command line."""

import shlex
from pathlib import Path

import pytest
import typer

from autommlab.cli.main import app
from autommlab.common.errors import RequestError, StorageError
from autommlab.jobs.entrypoint import SUBMITTED_FILE, JobPlan, plan_job, require_shared
from tests.helpers.program import EXAMPLES, autommlab_here

RUN = typer.main.get_command(app).get_command(None, "run")  # type: ignore[attr-defined]
PARSE = str(EXAMPLES / "classify_animals.json")


def plan(*words: str) -> JobPlan:
    given = RUN.make_context("submit", list(words)).params
    return plan_job(given, [option for option in RUN.params if option.param_type_name == "option"])


def test_all_options_reach_the_job_and_paths_become_its_own() -> None:
    job = plan("cats", "--trials", "3", "--out", "s3://bucket/run", "--json", "--parse", PARSE)
    words = "autommlab run --parse=request.json --trials=3 --out=s3://bucket/run --json -- cats"
    assert job.entrypoint == words
    assert job.files == {"request.json": Path(PARSE)}


@pytest.mark.parametrize("text", ["cats; rm -rf ~", "$(reboot) `x` 'a' \"b\"", "--help", "two\nlines"])
def test_the_shell_sees_one_word_per_request(text: str) -> None:
    job = plan("--out", "s3://bucket/run", "--", text)
    assert shlex.split(job.entrypoint)[-2:] == ["--", text]


def test_folders_of_this_machine_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    job = plan("x", "--data", "pictures", "--out", "s3://bucket/run")
    assert f"--data={tmp_path}/pictures" in job.command
    assert "--data=coco" in plan("x", "--data", "coco", "--out", "s3://bucket/run").command


def test_trackers_reach_the_job_with_paths_that_it_can_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trackers = ("--track", "tensorboard=logs", "--track", "mlflow=http://host:5000", "--optuna-storage", "study.log")
    job = plan("x", *trackers, "--out", "s3://bucket/run")
    assert [word for word in job.command if word.startswith(("--track", "--optuna"))] == [
        f"--track=tensorboard={tmp_path}/logs", "--track=mlflow=http://host:5000",
        f"--optuna-storage={tmp_path}/study.log",
    ]  # fmt: skip
    given_up = plan("--resume", "s3://bucket/run", "--track", "none", "--optuna-storage", "none")
    assert given_up.command[-2:] == ("--track=none", "--optuna-storage=none")


def test_a_folder_for_results_is_marked_and_the_job_looks_for_the_mark(tmp_path: Path) -> None:
    out = tmp_path / "run"
    job = plan("x", "--out", str(out))
    assert f"--submitted-as={job.job_id}" in job.command
    require_shared(out, job.job_id)
    with pytest.raises(StorageError, match=r"submit with --out URI"):
        require_shared(out, "another")
    (out / SUBMITTED_FILE).unlink()
    with pytest.raises(StorageError, match=r"not the folder of the machine that submitted"):
        require_shared(out, job.job_id)


def test_a_resumed_run_stays_where_it_is() -> None:
    job = plan("--resume", "s3://bucket/run")
    assert job.command == ("autommlab", "run", "--resume=s3://bucket/run")
    assert job.out == "s3://bucket/run"


def test_what_a_job_cannot_do_is_refused_before_it_is_submitted(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="dry run"):
        plan("x", "--dry-run")
    with pytest.raises(RequestError, match="cannot read the parse"):
        plan("x", "--parse", str(tmp_path / "none.json"))


def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    done = autommlab_here("jobs", "--address", "http://127.0.0.1:9", home=tmp_path)
    assert done.code == 10
    assert "no Ray job server answers at 'http://127.0.0.1:9'" in done.err
    assert "Traceback" not in done.err


def test_an_option_that_run_does_not_know_is_refused(tmp_path: Path) -> None:
    done = autommlab_here("submit", "cats", "--trails", 3, home=tmp_path)
    assert done.code == 2
    assert "--trials" in done.err


def test_options_are_checked_before_a_cluster_is_asked(tmp_path: Path) -> None:
    line = ["submit", "cats", "--trials", -1, "--searcher", "optunna", "--out", tmp_path / "run"]
    done = autommlab_here(*line, "--address", "http://127.0.0.1:9", home=tmp_path)
    assert done.code == 2, done.err
    assert "--trials is -1" in done.err
    assert "unknown searcher 'optunna'" in done.err
    assert not (tmp_path / "run").exists()


def test_a_budget_goes_with_the_job_and_is_read_before(tmp_path: Path) -> None:
    budget = tmp_path / "mine.yaml"
    budget.write_text("trials: 3")
    line = ("x", "--budget", str(budget), "--input-size", "224", "--images=all", "--out", "s3://bucket/run")
    job = plan(*line)
    assert job.files == {"budget.yaml": budget}
    for word in ("--budget=budget.yaml", "--input-size=224", "--images=all"):
        assert word in job.command
    budget.write_text("trials: 0")
    with pytest.raises(RequestError, match="trials is 0"):
        plan(*line)
