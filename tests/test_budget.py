"""A run's own budget: read and checked in whole, put together in one place, and kept when a run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import searchers
from autommlab.budget import read_batch, read_budget, read_images, read_iterations, read_size, yaml_text
from autommlab.cli.main import app
from autommlab.common.errors import RequestError, ResumeError
from autommlab.data.bag import select_bag
from autommlab.models.packaged import PACKAGED_ENTRIES
from autommlab.models.recipe import default_configuration
from autommlab.options import RunOptions
from autommlab.pipeline.records import RunPlan
from autommlab.pipeline.selection import study_inputs
from autommlab.report.run_report import run_command
from autommlab.settings import PROFILES, Profile, TaskBudget
from autommlab.storage.run_folder import RunFolder
from autommlab.tasks import Task
from autommlab.training.search_space import search_space, study_context
from searchers.llm.answer_schema import format_answer, parse_proposal, proposal_schema, snap
from searchers.space import Configuration, SearchSpace
from searchers.testing import METRIC, ask_and_tell
from searchers.tracking import TrackingSearcher
from tests.helpers.bag_sets import classified, only_these, request
from tests.helpers.program import EXAMPLES
from tests.helpers.report_records import bag, choice
from tests.helpers.report_records import request as finding_trains

PARSE = EXAMPLES / "classify_animals.json"


def file_of(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("read", "given", "expected"),
    [
        (read_size, 224, (224, 224)),
        (read_size, "224", (224, 224)),
        (read_size, " 192 x 256 ", (192, 256)),
        (read_size, "192X256", (192, 256)),
        (read_size, [96, 128], (96, 128)),
        (read_iterations, 80, (80, 80)),
        (read_iterations, "40..2000", (40, 2000)),
        (read_batch, [1, 64], (1, 64)),
        (read_images, "all", (None, None, None)),
        (read_images, ["ALL"], (None, None, None)),
        (read_images, 500, (500,)),
        (read_images, "500,100,all", (500, 100, None)),
        (read_images, [500, 100, None], (500, 100, None)),
    ],
)
def test_all_spellings_are_read(read: Any, given: object, expected: object) -> None:
    assert read(given) == expected


@pytest.mark.parametrize(
    ("read", "given", "message"),
    [
        (read_size, "300", "multiple of 32 from 32 to 2048, as in 224 or 192x256; next to 300 are 288 and 320"),
        (read_size, "192x250", "next to 250 are 224 and 256"),
        (read_size, "0", "from 32 to 2048"),
        (read_size, 4096, "from 32 to 2048"),
        (read_size, "224x224x3", "N or WxH"),
        (read_size, "wide", "N or WxH"),
        (read_size, [], "N or WxH"),
        (read_size, True, "N or WxH"),
        (read_size, -224, "N or WxH"),
        (read_size, 224.0, "N or WxH"),
        (read_iterations, "80..20", "LOW not above HIGH"),
        (read_iterations, "0..20", "whole numbers from 1 to 1,000,000"),
        (read_iterations, "20-80", "LOW..HIGH"),
        (read_iterations, "1..2..3", "LOW..HIGH"),
        (read_iterations, {"low": 1}, "LOW..HIGH"),
        (read_iterations, None, "LOW..HIGH"),
        (read_iterations, "9" * 5000, "from 1 to 1,000,000"),
        (read_batch, "1..9999", "from 1 to 4,096"),
        (read_images, "0", "or 'all'"),
        (read_images, "few", "or 'all'"),
        (read_images, [500, 100], "three such values"),
        (read_images, "all,all", "three such values"),
        (read_images, [], "three such values"),
    ],
)
def test_what_is_allowed_is_told(read: Any, given: object, message: str) -> None:
    with pytest.raises(ValueError, match=r"^it takes ") as caught:
        read(given)
    assert message in str(caught.value)


def test_an_option_wins_over_the_file_and_the_file_over_the_profile(tmp_path: Path) -> None:
    text = "trials: 9\ncpus_per_trial: 2\ntasks:\n  detection: {input_size: 320, iterations: 50..90, reports: 5}\n"
    file = read_budget(file_of(tmp_path, text))
    options = RunOptions(text="x", profile="gpu", budget_file=file, input_size="256", trials=4)
    budget, gpu = options.budget, PROFILES["gpu"]
    detection = budget.tasks[Task.DETECTION]
    assert (budget.name, budget.trials, budget.cpus_per_trial, budget.gpus_per_trial) == ("mine", 4, 2, 1)
    assert (detection.input_size, detection.iterations, detection.reports) == ((256, 256), (50, 90), 5)
    assert (detection.batch_size, detection.images) == ((1, 64), (50_000, 2_000, 2_000))
    assert budget.tasks[Task.KEYPOINT] == gpu.tasks[Task.KEYPOINT].model_copy(update={"input_size": (256, 256)})
    fixed = options.fixed(Task.DETECTION)
    assert (fixed.input_size, fixed.iterations, fixed.batch_size) == ((256, 256), (50, 90), None)
    assert RunOptions(text="x").budget == PROFILES["laptop"]


@pytest.mark.parametrize(
    ("profile", "images", "expected"),
    [
        ("laptop", "all", (None, None, None)),
        ("laptop", "320", (320, 100, 100)),
        ("laptop", "1", (1, 1, 1)),
        ("gpu", "5000", (5000, 250, 250)),
        ("gpu", "70,9,all", (70, 9, None)),
    ],
)
def test_validation_and_test_pictures_follow_the_training_ones(
    profile: str, images: str, expected: tuple[int | None, ...]
) -> None:
    assert RunOptions(text="x", profile=profile, images=images).budget.tasks[Task.CLASSIFICATION].images == expected


def test_a_cap_over_a_file_without_one_takes_the_shares_of_a_split(tmp_path: Path) -> None:
    file = read_budget(file_of(tmp_path, "tasks: {classification: {images: all}}"))
    budget = RunOptions(text="x", budget_file=file, images="700").budget
    assert budget.tasks[Task.CLASSIFICATION].images == (700, 150, 150)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_a_profile_written_as_a_file_is_the_profile(profile: Profile, tmp_path: Path) -> None:
    assert read_budget(file_of(tmp_path, yaml_text(profile))).over(PROFILES["laptop"]) == profile


def test_all_that_is_wrong_in_a_file_is_told(tmp_path: Path) -> None:
    text = (
        "file: x\ntrails: 3\ntrials: 0\ncpus_per_trial: .inf\nprefer_light: 1\nmax_params_m: true\n"
        "tasks:\n  detektion: {}\n  keypoint: {input_size: 100, batchsize: 3, reports: 0}\n"
    )
    with pytest.raises(RequestError, match=r"the budget .*mine\.yaml cannot be used:") as caught:
        read_budget(file_of(tmp_path, text))
    for part in (
        "unknown name 'file'",
        "unknown name 'trails'. Did you mean 'trials'", "trials is 0", "cpus_per_trial is inf", "prefer_light is 1",
        "max_params_m is True", "unknown task 'detektion'. Did you mean 'detection'",
        "tasks.keypoint.input_size is 100; it takes", "next to 100 are 96 and 128",
        "tasks.keypoint: unknown name 'batchsize'. Did you mean 'batch_size'", "tasks.keypoint.reports is 0",
    ):  # fmt: skip
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"- 1", b"a: [", b"\xff\xfe\x00", b"{" * 3000, b"x: " + b"y" * 99_999, b"trials: 2024-99-99"]
)
def test_a_file_that_is_no_budget_says_how_to_start_one(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(RequestError, match=r"the budget .*mine\.yaml"):
        read_budget(tmp_path / "mine.yaml")
    with pytest.raises(RequestError, match=r"cannot be read: .*autommlab profiles laptop --yaml"):
        read_budget(tmp_path / "none.yaml")


def test_a_run_that_goes_on_keeps_its_budget_whatever_became_of_the_file(tmp_path: Path) -> None:
    path = file_of(tmp_path, "trials: 3\ntasks: {detection: {iterations: 50}}")
    asked = RunOptions(text="x", budget_file=read_budget(path), input_size="224x224")
    folder = RunFolder(tmp_path / "run")
    folder.open(asked)
    folder.close()
    path.write_text("trials: 99")
    stored = folder.options()
    assert stored == asked
    assert stored.budget == asked.budget
    moved = stored.model_copy(update={"budget_file": stored.budget_file.model_copy(update={"file": tmp_path})})  # type: ignore[union-attr]
    assert stored.differences(moved) == ([], [])
    assert stored.differences(RunOptions(text="x", budget_file=asked.budget_file, input_size="224")) == ([], [])
    edited = asked.model_copy(update={"budget_file": read_budget(path)})
    with pytest.raises(ResumeError, match=r"budget_file: stored .*'iterations': \[50, 50\]"):
        folder.open(edited, may_extend=True)
    done = CliRunner().invoke(app, ["run", "--resume", str(folder.path), "--input-size", "320"])
    assert isinstance(done.exception, ResumeError)
    assert "input_size: stored '224x224', now '320x320'" in str(done.exception)


def test_the_command_of_a_report_repeats_the_budget(tmp_path: Path) -> None:
    path = file_of(tmp_path, "trials: 3")
    options = RunOptions(text="x", budget_file=read_budget(path), batch_size="4..8", images="all")
    assert run_command(options) == f"autommlab run x --budget {path} --images all --batch 4..8"


def test_problems_of_file_and_options_are_told_together(tmp_path: Path) -> None:
    line = ["--budget", str(file_of(tmp_path, "trials: -1")), "--input-size", "250", "--batch", "0", "--images", "no"]
    for command in ("run", "compare"):
        done = CliRunner().invoke(app, [command, "--parse", str(PARSE), *line, "--iterations", "9..1"])
        assert isinstance(done.exception, RequestError), done.output
        for part in (
            "the options have 5 problems", "trials is -1", "--input-size is '250'; it takes", "--batch is '0'",
            "--images is 'no'", "--iterations is '9..1'",
        ):  # fmt: skip
            assert part in str(done.exception)


def test_the_study_gets_the_budget(tmp_path: Path) -> None:
    options = RunOptions(text="x", iterations="40..2000", batch_size="6", trials=7, cpus_per_trial=2)
    plan = RunPlan(request=finding_trains(), bag=bag(tmp_path), choice=choice())
    setup, space, study, first = study_inputs(options, plan)
    bounds = {p.name: (p.low, p.high) for p in space.parameters if p.kind == "int"}
    assert bounds == {"iterations": (40, 2000), "batch_size": (6, 6)}
    assert first in space
    assert (study.trials, study.cpus_per_trial, setup.reports) == (7, 2, 3)


def test_a_cap_of_the_budget_bounds_the_data_and_all_takes_every_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [(name, "") for name in ("cat", "dog") for _ in range(40)]
    only_these(monkeypatch)(classified(tmp_path / "set", pictures))
    for images, expected in (("20", [20, 6, 6]), ("all", [56, 12, 12])):
        budget = RunOptions(text="x", images=images).budget.tasks[Task.CLASSIFICATION]
        found = select_bag(
            request(Task.CLASSIFICATION, ["cat", "dog"]), budget=budget, folder=tmp_path / images, seed=0
        )
        assert [found.splits[split].images for split in ("train", "val", "test")] == expected


BOUNDS = {
    "wide": {"iterations": "40..2000", "batch_size": "1..512", "input_size": "224"},
    "one length": {"iterations": "500", "batch_size": "4..32", "input_size": "64"},
    "one value each": {"iterations": "3", "batch_size": "2", "input_size": "320x192"},
}


@pytest.mark.parametrize("asked", BOUNDS.values(), ids=list(BOUNDS))
@pytest.mark.parametrize(
    "name", ["default", "random", "sobol", "tpe", "tpe+default", "cmaes", "zero-shot", "surrogate"]
)
def test_searchers_keep_bounds_that_no_history_has(name: str, asked: dict[str, str], tmp_path: Path) -> None:
    budget: TaskBudget = RunOptions(text="x", **asked).budget.tasks[Task.DETECTION]
    plan = RunPlan(request=finding_trains(), bag=bag(tmp_path), choice=choice())
    setup = study_inputs(RunOptions(text="x", **asked), plan).setup
    space = search_space(budget)
    entry = next(entry for entry in PACKAGED_ENTRIES if entry.task is Task.DETECTION)
    first = default_configuration(entry, space=space)
    assert first in space
    searcher = searchers.create(
        name, space, metric=METRIC, seed=1, first_configs=[first] if searchers.needs_first_configs(name) else [],
        context=study_context(setup),
    )  # fmt: skip
    assert isinstance(searcher, TrackingSearcher)
    for proposal in ask_and_tell(searcher, 5):
        assert proposal in space


@pytest.mark.parametrize("asked", BOUNDS.values(), ids=list(BOUNDS))
def test_answers_of_the_language_model_keep_them_too(asked: dict[str, str]) -> None:
    space = search_space(RunOptions(text="x", **asked).budget.tasks[Task.DETECTION])
    for config in (space.clip(first_of(space, p)) for p in ("low", "high")):
        assert parse_proposal(space, format_answer(space, config)) == snap(space, config)
        assert snap(space, config) in space
    for name, choices in proposal_schema(space)["properties"].items():
        assert 1 <= len(choices["enum"]) <= 64 or name in ("lr", "weight_decay")


def first_of(space: SearchSpace, bound: str) -> Configuration:
    """The configuration at all lower or all upper bounds."""
    return {p.name: p.choices[0] if p.kind == "choice" else getattr(p, bound) for p in space.parameters}


def test_profiles_are_shown_and_written(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["profiles"])
    assert shown.exit_code == 0, shown.output
    for name in PROFILES:
        assert name in shown.output
    written = CliRunner().invoke(app, ["profiles", "gpu", "--yaml"])
    path = file_of(tmp_path, written.output.replace("name: gpu", "name: photos").replace("512x512", "768x512"))
    shown = CliRunner().invoke(app, ["profiles", str(path), "--json"])
    assert '"name":"photos"' in shown.output
    assert '"input_size":[768,512]' in shown.output
    for line, message in (
        (["profiles", "--yaml"], "--yaml takes one profile"),
        (["profiles", "leptop"], "Did you mean 'laptop'"),
        (["profiles", str(tmp_path / "none.yaml")], "cannot be read"),
    ):
        done = CliRunner().invoke(app, line)
        assert isinstance(done.exception, RequestError)
        assert message in str(done.exception)
