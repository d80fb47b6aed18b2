"""All options are looked at first, and all problems are told at once; nothing is left behind."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from autommlab.api.call import _over_stored
from autommlab.api.option_check import check_options
from autommlab.cli.main import app
from autommlab.common.errors import (
    AutoMMLabError,
    DataError,
    JobError,
    ModelError,
    RequestError,
    ResumeError,
    TrainingError,
)
from autommlab.common.ray_address import require_job_server, require_ray
from autommlab.options import RunOptions
from autommlab.report.run_report import run_command
from autommlab.storage.run_folder import RunFolder
from searchers import own_options
from tests.helpers.program import EXAMPLES

PARSE = EXAMPLES / "classify_animals.json"


@pytest.mark.parametrize(
    ("option", "value", "kind", "message"),
    [
        ("seed", -1, RequestError, "--seed is -1; it takes a whole number from 0 to 4294967295"),
        ("seed", 2**32, RequestError, "--seed"),
        ("trials", -1, RequestError, "--trials is -1"),
        ("time_min", 0.0, RequestError, "--time is 0"),
        ("time_min", float("nan"), RequestError, "--time is nan"),
        ("time_min", float("inf"), RequestError, "--time is inf"),
        ("cpus_per_trial", -2, RequestError, "--cpus-per-trial is -2"),
        ("gpus_per_trial", -0.5, RequestError, "--gpus-per-trial is -0.5"),
        ("concurrent", -1, RequestError, "--concurrent"),
        ("workers_per_trial", 0, RequestError, "--workers-per-trial"),
        ("profile", "leptop", RequestError, "Did you mean 'laptop'"),
        ("searcher", "optunna", RequestError, "unknown searcher"),
        ("searcher_options", ("llm_frist=3",), RequestError, "Did you mean 'llm_first'"),
        ("searcher_options", ("llm_first=many",), RequestError, "option llm_first='many' of searcher 'llm+tpe'"),
        ("searcher_options", ("llm_first=-1",), RequestError, "greater than or equal to 0"),
        ("searcher_options", ("samples=0",), RequestError, "samples = 0"),
        ("searcher_options", ("llm_first",), RequestError, "is no NAME=VALUE"),
        ("searcher_options", ("llm_first=1", "llm_first=2"), RequestError, "is given twice"),
        ("scheduler", "ahsa", RequestError, "Did you mean 'asha'"),
        ("task", "pose", RequestError, "unknown task 'pose'"),
        ("engine", "onnx", RequestError, "Did you mean 'onnxruntime'"),
        ("quantize", "allways", RequestError, "Did you mean 'always'"),
        ("refit", "nevr", RequestError, "Did you mean 'never'"),
        ("quantize_loss", float("nan"), RequestError, "--quantize-loss is nan; it takes a fraction from 0 to 1"),
        ("device", "tpu", RequestError, "unknown device"),
        ("weights", Path("/nowhere.pth"), ModelError, "the weights file /nowhere.pth does not exist"),
        ("model", "rezznet 5O", ModelError, "unknown classification model 'rezznet 5O'"),
        ("model", "yolox-s", ModelError, "'yolox-s' is a model for detection, the task is classification"),
        ("data", "no-such-set", DataError, "no data set 'no-such-set'"),
        ("data", "./no/such/folder", DataError, "no data set and no folder"),
        ("parse", Path("/nowhere.json"), RequestError, "cannot read the parse"),
        ("text", "?!", RequestError, "has no words"),
    ],
)
def test_an_option_that_cannot_work_is_named(option: str, value: Any, kind: type[Exception], message: str) -> None:
    good = {"text": "find cats", **({} if option == "text" else {"parse": PARSE})}
    if option == "searcher_options":
        good["searcher"] = "llm+tpe"
    with pytest.raises(kind) as caught:
        check_options(RunOptions(**{**good, option: value}))
    assert message in str(caught.value)


def test_int8_that_an_engine_does_not_have_is_refused() -> None:
    good = RunOptions(text="find cats", engine="ncnn", quantize="auto")
    check_options(good)
    with pytest.raises(RequestError, match="--quantize always does not go with --engine ncnn: ncnn quantises with"):
        check_options(good.model_copy(update={"quantize": "always"}))


def test_good_options_pass() -> None:
    largest = 2**32 - 1
    check_options(RunOptions(text="find cats", seed=largest, trials=1, time_min=0.1, gpus_per_trial=0, data="digits"))
    check_options(RunOptions(parse=PARSE, task="detection", classes=("cat",), engine="ncnn", device="cpu"), "auto")


def test_no_search_needs_a_time() -> None:
    check_options(RunOptions(parse=PARSE, trials=0))  # the laptop profile has one
    check_options(RunOptions(parse=PARSE, trials=0, profile="gpu", time_min=60))
    with pytest.raises(RequestError, match="say --time MINUTES"):
        check_options(RunOptions(parse=PARSE, trials=0, profile="gpu"))
    with pytest.raises(RequestError, match="--trials is 0; it takes a whole number, 1 or more"):
        check_options(RunOptions(parse=PARSE, trials=0), searchers=("random",))


def test_options_of_a_searcher_pass() -> None:
    for searcher, options in (
        ("llm+tpe+default", ("llm_first=3", "temperatures=0.5,1", "fresh=yes", "rank_by=likelihood")),
        ("bandit", ("members=tpe,random",)),
        ("zero-shot", ("size=3", "trial_history=past.jsonl")),
    ):
        check_options(RunOptions(text="find cats", searcher=searcher, searcher_options=options))


def test_a_run_goes_on_with_the_options_of_its_searcher(tmp_path: Path) -> None:
    stored = RunOptions(text="find cats", searcher="llm+tpe", searcher_options=("llm_first=3",))
    folder = RunFolder(tmp_path)
    folder.write("options", stored)
    known: Any = SimpleNamespace(folder=tmp_path, name=str(tmp_path))
    assert _over_stored({"trials": 9}, known).searcher_options == ("llm_first=3",)
    assert _over_stored({"searcher": "llm+tpe"}, known).searcher_options == ("llm_first=3",)
    assert _over_stored({"searcher": "random"}, known).searcher_options == ()
    other = _over_stored({"searcher": "tpe", "searcher_options": ("startup_trials=3",)}, known)
    assert other.searcher_options == ("startup_trials=3",)
    assert stored.differences(other).refused == []
    assert "--searcher-option llm_first=3" in run_command(stored)


def test_in_a_comparison_an_option_is_for_each_searcher_that_has_it() -> None:
    def compared(*options: str) -> None:
        run = RunOptions(text="find cats", searcher_options=options)
        check_options(run, searchers=("random", "tpe", "zero-shot"))

    compared("startup_trials=3", "size=2")
    assert own_options("tpe", ("startup_trials=3", "size=2")) == ("startup_trials=3",)
    assert own_options("random", ("startup_trials=3", "size=2")) == ()
    with pytest.raises(RequestError, match=r"unknown option of random, tpe, zero-shot 'startup'.*mean 'startup_t"):
        compared("startup=3")
    with pytest.raises(RequestError, match=r"option size='x' of searcher 'zero-shot'"):
        compared("size=x")


def test_a_model_of_any_task_passes_while_the_task_is_not_known() -> None:
    for model in ("yolox-s", "resnet 18", "bisenet v2"):
        check_options(RunOptions(text="find cats", model=model))
    with pytest.raises(ModelError, match=r"unknown model 'rezznet 5O'\. Did you mean .*models list` shows all"):
        check_options(RunOptions(text="find cats", model="rezznet 5O"))


def test_the_model_of_a_parse_is_looked_at_as_well(tmp_path: Path) -> None:
    parse = tmp_path / "parse.json"
    parse.write_text(PARSE.read_text().replace('"specific_model": "none"', '"specific_model": "foonet 9000"'))
    with pytest.raises(ModelError, match="unknown classification model 'foonet 9000'"):
        check_options(RunOptions(parse=parse))
    check_options(RunOptions(parse=parse, model="resnet 18"))


def test_all_problems_are_told_together() -> None:
    options = RunOptions(text="", seed=-1, searcher="optunna", data="nixda", weights=Path("/nowhere.pth"))
    with pytest.raises(RequestError, match="the options have 6 problems") as caught:
        check_options(options, "nonsense")
    for part in ("--seed", "optunna", "nixda", "/nowhere.pth", "the request is empty", "no Ray answers at 'nonsense'"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "find cats", "--trials", "-1"], "--trials is -1"),
        (["run", "find cats", "--data", "nixda"], "no data set 'nixda'"),
        (["run", "find cats", "--resume", "runs/x", "--seed", "1"], "leave out --out"),
        (["compare", "find cats", "--trials", "0"], "--trials is 0"),
        (["bench", "workers", "--parse", "/nowhere.json"], "cannot read the parse"),
    ],
)
def test_a_typo_leaves_no_folder(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, AutoMMLabError), done.output
    assert message in str(done.exception)
    assert "Go on with" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_parse_that_names_nothing_known_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "parse.json").write_text(PARSE.read_text().replace('"cat"', '"unicorn"').replace('"dog"', '"zeppelin"'))
    done = CliRunner().invoke(app, ["run", "--parse", str(tmp_path / "parse.json"), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, DataError), done.output
    assert "Go on with" not in done.output
    assert not (tmp_path / "out").exists()


def test_a_comparison_is_not_resumed_as_a_run(tmp_path: Path) -> None:
    (tmp_path / "comparison-options.json").write_text("{}")
    done = CliRunner().invoke(app, ["run", "--resume", str(tmp_path)])
    assert isinstance(done.exception, ResumeError)
    assert "holds a comparison, not a run" in str(done.exception)


NOBODY = ["nonsense", "nowhere.invalid:1", "127.0.0.1:0", "127.0.0.1:99999", "", ":6379", "http://", "[::1"]


@pytest.mark.parametrize("address", [one for one in NOBODY if one])
def test_an_address_where_nobody_is_is_told_at_once(address: str) -> None:
    with pytest.raises(TrainingError, match=r"no Ray answers|address of a job server"):
        require_ray(address)
    with pytest.raises(JobError, match="no Ray job server answers"):
        require_job_server(address)


def test_every_form_of_address_is_understood() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "auto"):
            require_ray(address)
        for address in (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}", "auto"):
            require_job_server(address)
        with pytest.raises(TrainingError, match="autommlab submit"):
            require_ray(f"http://127.0.0.1:{port}")
        with pytest.raises(JobError, match="no scheme of Ray"):
            require_job_server(f"s3://127.0.0.1:{port}")
