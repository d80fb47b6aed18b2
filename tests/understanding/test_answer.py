"""The answer format: nothing but descriptions is lost, what the grammar allows is read, nonsense is explained."""

import json
import string

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autommlab.common.errors import RequestError
from autommlab.tasks import Task
from autommlab.understanding.answer import NoTask, answer_schema, no_task_answer
from autommlab.understanding.prompt import answer_text, messages, parse_answer, retry
from autommlab.understanding.request import DataPart, Metric, ModelPart, ModelRequest, Speed
from tests.helpers.grammar import grammar_takes
from tests.helpers.request_strategies import requests

any_text = st.text(max_size=30)
any_name = st.text(min_size=1, max_size=30)
#: What people write in names, and what the grammar generates.
name_letters = string.ascii_letters + string.digits + " -+.@äß猫"
plain_name = st.text(name_letters, min_size=1, max_size=30).filter(str.strip)


any_metric = st.builds(Metric, name=any_name.filter(str.strip), value=st.floats(0, 1))
any_request = requests(any_name, any_text, st.floats(min_value=1e-300, max_value=1e300), any_metric)

usual_amount = st.one_of(st.integers(1, 10**9), st.integers(1, 10**6).map(lambda n: n / 100))
metric_name = st.sampled_from(["accuracy", "top-5 accuracy", "F1", "mAP", "AP50", "mIoU", "Dice coefficient", "PCK"])
usual_metric = st.builds(Metric, name=metric_name, value=st.integers(0, 1000).map(lambda n: n / 1000))
usual_request = requests(plain_name, st.text(name_letters, max_size=30), usual_amount, usual_metric)


def without_descriptions(request: ModelRequest) -> ModelRequest:
    """What of a request its answer holds."""
    return request.model_copy(
        update={
            name: part.model_copy(update={"description": ""})
            for name, part in (("data", request.data), ("model", request.model), ("deploy", request.deploy))
        }
    )


@given(any_request)
def test_only_descriptions_are_lost_on_the_way_there_and_back(request_: ModelRequest) -> None:
    assert parse_answer(answer_text(request_)) == without_descriptions(request_)


@given(usual_request)
def test_what_people_ask_for_can_be_generated(request_: ModelRequest) -> None:
    jsonschema.validate(json.loads(answer_text(request_)), answer_schema())


@settings(deadline=None)  # the first example pays for importing xgrammar
@given(usual_request)
def test_the_grammar_of_vllm_takes_the_answer_as_it_is_written(request_: ModelRequest) -> None:
    assert grammar_takes(answer_text(request_))


@pytest.mark.parametrize(
    ("field", "possible", "impossible"),
    [
        (
            "speed",
            ["12 ms", "0.5 s", "1.25 fps"],
            ["12", "12 kg", "1e3 ms", "-1 ms", ". ms", "1. ms", "9" * 13 + " ms"],
        ),
        ("flops", ["1000000000 FLOPs", "0.00000001 EFLOPs"], ["9" * 19 + " GFLOPs", "1.123456789 GFLOPs"]),
        ("gpu", ["cpu", "gpu"], ["tpu", ""]),
        ("model", ["ResNet-50", "DeepLabV3+"], ["", "x" * 61]),
    ],
)
def test_the_grammar_of_vllm_keeps_to_the_schema(field: str, possible: list[str], impossible: list[str]) -> None:
    for value in possible + impossible:
        answer = no_task_answer().replace(f'"{field}":"none"', f'"{field}":"{value}"')
        assert grammar_takes(answer) == (value in possible), value
        if value in possible:
            jsonschema.validate(json.loads(answer), answer_schema())


@st.composite
def fitting_the_schema(draw: st.DrawFn) -> dict:
    """Any value of `answer_schema`."""
    values = {}
    for name, field in answer_schema()["properties"].items():
        values[name] = draw(_value(field))
    return values


def _value(field: dict) -> st.SearchStrategy:
    if "enum" in field:
        return st.sampled_from(field["enum"])
    if field["type"] == "array":
        return st.lists(_value(field["items"]), max_size=field["maxItems"])
    if "pattern" in field:
        return st.from_regex(field["pattern"], fullmatch=True)
    return st.text(min_size=field.get("minLength", 0), max_size=field["maxLength"])


@given(fitting_the_schema())
def test_every_answer_that_the_grammar_allows_is_read(values: dict) -> None:
    jsonschema.validate(values, answer_schema())
    if values["task"] == "none":
        with pytest.raises(NoTask):
            parse_answer(json.dumps(values))
    else:
        assert parse_answer(json.dumps(values)).model.task == values["task"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{oops", "not valid JSON"),
        ("[1]", "must be an object with task, object, .* not list"),
        ('{"task":"detection"}', "must be an object with task, object"),
        (no_task_answer().replace('"none","object"', '"dancing","object"'), r"model\.task.*dancing"),
        (no_task_answer().replace('"none","object"', '"detection","object"').replace("[]", '["x y"]'), "metric 'x y'"),
        (no_task_answer().replace('"speed":"none"', '"speed":"fast"').replace(":none", ":keypoint"), "vision task"),
    ],
)
def test_what_is_no_answer_is_explained(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse_answer(text)


def test_a_limit_of_zero_is_no_limit() -> None:
    answer = answer_text(ModelRequest(data=DataPart(object=("cat",)), model=ModelPart(task=Task.DETECTION)))
    assert parse_answer(answer.replace('"speed":"none"', '"speed":"0 ms"')).model.speed == Speed()


def test_the_prompt_begins_alike_for_every_text_and_shows_every_task() -> None:
    one, other = messages("detect cats"), messages("outline the lake")
    assert one[:-1] == other[:-1]
    shown = [message["content"] for message in one if message["role"] == "assistant"]
    assert {json.loads(answer)["task"] for answer in shown} == {*Task, "none"}
    for answer in shown:
        jsonschema.validate(json.loads(answer), answer_schema())


def test_an_adapter_gets_neither_explanation_nor_examples() -> None:
    conversation = messages("detect cats", tuned=True)
    assert [message["role"] for message in conversation] == ["system", "user"]
    assert len(conversation[0]["content"]) < 60


def test_a_base_model_asked_zero_shot_gets_the_explanation_alone() -> None:
    shown, bare = messages("detect cats"), messages("detect cats", examples=False)
    assert bare == [shown[0], shown[-1]]


def test_a_retry_holds_the_answer_and_every_problem() -> None:
    conversation = retry(messages("detect cats", tuned=True), "x" * 10_000, ["no dog there", "no 7 there"])
    assert [message["role"] for message in conversation[-2:]] == ["assistant", "user"]
    assert len(conversation[-2]["content"]) < 1000
    assert "no dog there" in conversation[-1]["content"]
    assert "no 7 there" in conversation[-1]["content"]
