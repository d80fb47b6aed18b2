"""What may be said of a run: one record for the command line and for Python, read and checked alike."""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import pytest
import typer

import autommlab
from autommlab.acceleration import Acceleration
from autommlab.api.arguments import OF_CALL, ChangeArguments, RunArguments, named_options, options_of
from autommlab.api.call import read_call
from autommlab.cli.main import app
from autommlab.cli.run_options import OF_COMMAND, arguments_of
from autommlab.common.errors import DataError, RequestError, ResumeError
from autommlab.options import MAY_CHANGE, OPTION_OF_FIELD, RunOptions
from autommlab.storage.run_folder import RunFolder
from autommlab.understanding.outcome import Understood
from autommlab.understanding.request import ModelRequest
from tests.helpers.program import EXAMPLES

PARSE = EXAMPLES / "classify_animals.json"


def options(request: Any = "find cats", **arguments: Any) -> RunOptions:
    return options_of(named_options(request, arguments).values)


def test_the_command_line_and_python_have_the_same_arguments() -> None:
    program: Any = typer.main.get_command(app)
    parameters = {parameter.name: None for parameter in program.commands["run"].params}
    assert set(arguments_of(parameters)) - {"help"} == set(RunArguments.__annotations__)
    assert set(parameters) >= OF_COMMAND


def test_a_run_that_goes_on_keeps_what_the_command_line_does_not_name() -> None:
    """Also of options that may be given several times."""
    program: Any = typer.main.get_command(app)
    parameters = program.commands["run"].make_context("run", ["--resume", "runs/cats"]).params
    assert named_options("", arguments_of(parameters)).values == {}
    told = program.commands["run"].make_context("run", ["--resume", "runs/cats", "--track", "none"]).params
    assert named_options("", arguments_of(told)).values == {"track": ()}


def test_each_argument_is_stored_with_the_run_or_is_of_the_call_alone() -> None:
    stored = {OPTION_OF_FIELD.get(field, field) for field in RunOptions.model_fields}
    assert set(RunArguments.__annotations__) | {"request"} == stored | set(OF_CALL)
    changeable = {OPTION_OF_FIELD.get(field, field) for field in MAY_CHANGE}
    assert set(ChangeArguments.__annotations__) == changeable | set(OF_CALL) - {"out"}


@pytest.mark.parametrize(
    ("python", "typed"),
    [
        ({"input_size": 224}, {"input_size": "224"}),
        ({"input_size": (192, 256)}, {"input_size": "192x256"}),
        ({"iterations": (20, 80)}, {"iterations": "20..80"}),
        ({"iterations": 80}, {"iterations": "80"}),
        ({"batch": (4, 8)}, {"batch": "4..8"}),
        ({"images": 500}, {"images": "500"}),
        ({"images": (500, None, 100)}, {"images": "500,all,100"}),
        ({"classes": ["cat", "dog"]}, {"classes": "cat, dog"}),
        ({"data": Path("pets")}, {"data": "pets"}),
        ({"weights": Path("a.pth")}, {"weights": "a.pth"}),
        ({"cfg_options": {"model.head.loss.loss_weight": 0.5}}, {"cfg_options": ["model.head.loss.loss_weight=0.5"]}),
        ({"cfg_options": {"model.a": [1, 2], "model.b": None}}, {"cfg_options": ("model.a=[1, 2]", "model.b=None")}),
        ({"searcher_options": {"llm_first": 3}}, {"searcher_options": ("llm_first=3",)}),
        ({"searcher_options": {"members": ["tpe", "random"]}}, {"searcher_options": ("members=tpe,random",)}),
        ({"acceleration": Acceleration(precision="float32")}, {"acceleration": "precision=float32"}),
        ({"track": ["tensorboard", "wandb"]}, {"track": ("tensorboard", "wandb")}),
        ({"track": "tensorboard", "optuna_storage": "none"}, {"track": ["tensorboard"], "optuna_storage": ""}),
        ({"trials": None, "time": 20}, {"time": 20.0}),
    ],
    ids=str,
)  # fmt: skip
def test_values_of_python_are_those_that_are_typed(python: dict[str, Any], typed: dict[str, Any]) -> None:
    assert options(**python) == options(**typed)


def test_a_request_is_a_sentence_or_what_was_understood_of_it() -> None:
    understood = Understood(text="cats or dogs", request=ModelRequest.read(PARSE))
    given = options(understood)
    assert given.text == "cats or dogs"
    assert given.parse is not None
    assert ModelRequest.read(given.parse) == understood.request
    of_dict = options(json.loads(PARSE.read_text()))
    assert of_dict.parse == given.parse == options(understood.request).parse, "the same request is the same run"
    with pytest.raises(RequestError, match="task"):
        options({"model": {"task": "juggling"}})


def test_what_cannot_be_read_is_told_together_with_what_cannot_work(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"unknown argument of a run 'tme'.*mean 'time'"):
        read_call("find cats", {"tme": 20})
    with pytest.raises(RequestError, match="--priority is 0; it takes a number from 1 to 1000"):
        read_call("find cats", {"priority": 0, "searcher": "random"})
    with pytest.raises(RequestError, match="trials = 'many'"):
        read_call("find cats", {"trials": "many"})
    wrong = {"acceleration": "speed=9", "budget": tmp_path / "none.yaml", "iterations": (9, 3), "trials": -1}
    with pytest.raises(RequestError, match="the options have 4 problems") as caught:
        read_call("find cats", {**wrong, "searcher": "random"})
    for part in ("'speed'", "none.yaml", "--iterations", "--trials is -1"):
        assert part in str(caught.value)


def test_functions_raise_and_print_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="no data set 'nixda'"):
        autommlab.run("find cats", data="nixda", out=tmp_path / "run")
    with pytest.raises(RequestError, match="has no words"):
        autommlab.plan("?!")
    with pytest.raises(ResumeError, match="holds no run"):
        autommlab.resume(tmp_path)
    with pytest.raises(autommlab.AutoMMLabError, match="unknown task 'pose'"):
        autommlab.add_data(tmp_path, task="pose")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_run_that_goes_on_keeps_its_options(tmp_path: Path) -> None:
    stored = RunOptions(text="find cats", searcher="random", trials=2)
    RunFolder(tmp_path).write("options", stored)
    call = read_call("", {"trials": 5, "priority": 3, "strict": True}, resume=str(tmp_path))
    assert call.options == stored.model_copy(update={"trials": 5})
    assert (call.target().folder, call.priority, call.strict) == (tmp_path, 3, True)
    with pytest.raises(ResumeError, match=r"seed: stored 0, now 9"):
        read_call("", {"seed": 9}, resume=str(tmp_path))
    with pytest.raises(RequestError, match="leave out --out"):
        read_call("", {"out": "x"}, resume=str(tmp_path))


def test_types_of_the_arguments_can_be_resolved() -> None:
    assert typing.get_type_hints(RunArguments)["trials"] == int | None
