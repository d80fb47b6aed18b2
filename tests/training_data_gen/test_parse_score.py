"""The scorer of request understanding: what counts as equal, and that every field is counted once."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from autommlab.cli.bench import bench_app
from autommlab.common.errors import AutoMMLabError, RequestError
from autommlab.understanding.request import ModelRequest
from training_data_gen.benchmarks.parse_compare import KEY_FIELDS, same_name, same_things
from training_data_gen.benchmarks.parse_score import Share, judge, judge_all, parse_report, wilson, worst
from training_data_gen.benchmarks.request_sets import LabelledRequest, Prediction, read_predictions, read_set

ASKED: dict[str, Any] = {
    "data": {"object": ["cat", "traffic light"], "modality": "thermal", "specific": ["COCO"]},
    "model": {
        "task": "detection",
        "specific_model": "DeepLabV3+",
        "speed": {"value": 30, "unit": "fps"},
        "flops": {"value": 500, "unit": "MFLOPs"},
        "parameters": {"value": 2500, "unit": "K"},
        "metrics": [{"name": "mAP", "value": 0.5}, {"name": "recall", "value": 0.9}],
    },
    "deploy": {"gpu": "cpu", "inference engine": "ncnn"},
}
BARE: dict[str, Any] = {"data": {"object": ["dog"]}, "model": {"task": "classification"}}


def example(parse: dict[str, Any], id_: str = "a") -> LabelledRequest:
    return LabelledRequest(id=id_, task=parse["model"]["task"], request="a request", parse=ModelRequest.parse(parse))


def prediction(parse: dict[str, Any] | None, id_: str = "a") -> Prediction:
    return Prediction(id=id_, parse=None if parse is None else ModelRequest.parse(parse))


def changed(part: str, **fields: Any) -> dict[str, Any]:
    return {**ASKED, part: {**ASKED[part], **fields}}


def wrong_fields(parse: dict[str, Any]) -> list[str]:
    return [mistake.field for mistake in judge(example(ASKED), prediction(parse)).mistakes]


@pytest.mark.parametrize(
    "same",
    [
        ASKED,
        changed("data", object=["Traffic Lights", "cats"], modality="Thermal", specific=["coco"], scenario="street"),
        changed("model", parameters={"value": 2.5, "unit": "M"}, flops={"value": 0.5, "unit": "GFLOPs"}),
        changed("model", parameters={"value": 0.0025, "unit": "B"}, speed={"value": 1000 / 30, "unit": "ms"}),
        changed("model", specific_model="deeplab v3 plus", description="other words"),
        changed("model", metrics=[{"name": "Sensitivity", "value": 0.9}, {"name": "map", "value": 0.5}]),
    ],
)
def test_the_same_meaning_is_right_however_it_is_written(same: dict[str, Any]) -> None:
    assert wrong_fields(same) == []


@pytest.mark.parametrize(
    ("parse", "field"),
    [
        (changed("model", task="segmentation"), "task"),
        (changed("model", specific_model="DeepLabV3"), "specific model"),
        (changed("model", specific_model="none"), "specific model"),
        (changed("model", speed={"value": 30, "unit": "ms"}), "speed"),
        (changed("model", speed={"value": 0, "unit": "none"}), "speed"),
        (changed("model", flops={"value": 500, "unit": "GFLOPs"}), "flops"),
        (changed("model", parameters={"value": 2.51, "unit": "M"}), "parameters"),
        (changed("deploy", gpu="gpu"), "gpu"),
        (changed("deploy", **{"inference engine": "none"}), "engine"),
        (changed("data", object=["cat"]), "objects"),
        (changed("data", object=["cat", "traffic light", "dog"]), "objects"),
        (changed("model", metrics=[{"name": "mAP", "value": 0.5}]), "metrics"),
        (changed("model", metrics=[{"name": "AP", "value": 0.5}, {"name": "recall", "value": 0.9}]), "metrics"),
        (changed("model", metrics=[{"name": "mAP", "value": 0.51}, {"name": "recall", "value": 0.9}]), "metrics"),
        (changed("data", specific=[]), "data sets"),
        (changed("data", modality="rgb"), "modality"),
    ],
)
def test_another_meaning_is_wrong_in_that_field_only(parse: dict[str, Any], field: str) -> None:
    assert wrong_fields(parse) == [field]


@pytest.mark.parametrize(
    ("one", "other"),
    [("bus", "buses"), ("person", "people"), ("mouse", "mice"), ("hot-air balloon", "Hot air balloons")],
)
def test_objects_in_either_number_are_the_same(one: str, other: str) -> None:
    assert same_things([one], [other])
    assert same_things([other], [one])


@pytest.mark.parametrize(("one", "other"), [("bird", "robin"), ("gas", "gap"), ("van", "vase"), ("ball", "golf ball")])
def test_other_things_are_not(one: str, other: str) -> None:
    assert not same_things([one], [other])


def test_names_are_compared_without_case_and_punctuation_but_a_plus_counts() -> None:
    assert same_name("YOLOX-s", "yolox s")
    assert same_name("Faster R-CNN", "faster rcnn")
    assert not same_name("ResNet-50", "ResNet-5")
    assert not same_name("DeepLabV3+", "DeepLabV3")


def test_levels_count_each_field_of_each_request() -> None:
    examples = [example(ASKED, "a"), example(BARE, "b")]
    given_ = {
        "a": prediction(changed("deploy", gpu="none", **{"inference engine": "openvino"}), "a"),
        "b": prediction({**BARE, "data": {"object": ["cat"], "modality": "x-ray"}}, "b"),
    }
    result = parse_report(judge_all(examples, given_))
    assert result.levels["item"].all == Share(right=12, of=14)
    assert result.levels["list"].all == Share(right=3, of=4)
    assert result.levels["key"].all == Share(right=15, of=18)
    assert result.levels["request"].all == Share(right=0, of=2)
    assert result.fields["gpu"].all == Share(right=1, of=2)
    assert result.fields["gpu"].stated == Share(right=0, of=1)
    assert result.fields["gpu"].tasks == {"detection": Share(right=0, of=1), "classification": Share(right=1, of=1)}
    assert result.beside["modality"].all == Share(right=1, of=2)


def test_a_mistake_outside_the_key_fields_leaves_the_request_right() -> None:
    verdicts = [judge(example(ASKED), prediction(changed("data", modality="rgb", specific=[])))]
    assert parse_report(verdicts).levels["request"].all == Share(right=1, of=1)
    assert worst(verdicts, 10) == ()


@pytest.mark.parametrize("given_", [None, prediction(None), Prediction(id="a", error="no JSON")])
def test_no_parse_is_wrong_in_every_field_even_in_unstated_ones(given_: Prediction | None) -> None:
    verdict = judge(example(BARE), given_)
    assert verdict.wrong() == len(KEY_FIELDS)
    assert verdict.error
    assert parse_report([verdict]).valid.all == Share(right=0, of=1)


def test_worst_comes_first_and_right_ones_not_at_all() -> None:
    examples = [example(ASKED, name) for name in "abcd"]
    one, two = changed("deploy", gpu="gpu"), changed("deploy", gpu="gpu", **{"inference engine": "none"})
    given_ = {name: prediction(parse, name) for name, parse in zip("abcd", (one, ASKED, two, one), strict=True)}
    assert [verdict.id for verdict in worst(judge_all(examples, given_), 2)] == ["c", "a"]


def test_predictions_of_another_set_are_refused() -> None:
    with pytest.raises(RequestError, match=r"1 prediction.*\(dev-cls-01\).*--set"):
        judge_all([example(BARE)], {"dev-cls-01": prediction(BARE, "dev-cls-01")})


def test_wilson_against_published_values() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_interval_holds_the_share(right: int, of: int) -> None:
    right = min(right, of)
    low, high = wilson(right, of)
    assert 0 <= low <= high <= 1
    if of:
        assert low <= right / of <= high


def test_predictions_are_read_with_their_faults(tmp_path: Path) -> None:
    file = tmp_path / "parses.jsonl"
    bad = {**BARE, "model": {"task": "dancing"}}
    lines = [{"id": "a", "parse": BARE}, {"id": "b", "parse": bad}, {"id": "c", "error": "what is it for?"}]
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n", encoding="utf-8")
    read = read_predictions(file)
    assert read["a"].parse == ModelRequest.parse(BARE)
    assert read["b"].parse is None
    assert "dancing" in read["b"].error
    assert read["c"].error == "what is it for?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{oops", "line 1"),
        ("[]", "line 1"),
        ('{"parse": {}}', "line 1"),
        ('{"id": "a"}\n{"id": "a"}', "line 2: the id 'a' comes twice"),
    ],
)
def test_a_broken_file_of_predictions_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "parses.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=message):
        read_predictions(file)


def test_an_unknown_or_empty_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="neither test nor test2 nor dev nor e2e, and no such file"):
        read_set("tset")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(RequestError, match="holds no examples"):
        read_set(str(empty))
    odd = tmp_path / "odd.jsonl"
    odd.write_text(json.dumps({"id": "a", "task": "keypoint", "request": "x", "parse": BARE}), encoding="utf-8")
    with pytest.raises(RequestError, match="that of the parse classification"):
        read_set(str(odd))


def write_labels(path: Path, name: str) -> Path:
    lines = [json.dumps({"id": one.id, "parse": one.parse.to_dict()}) for one in read_set(name)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_command_gives_the_labels_themselves_full_marks(tmp_path: Path) -> None:
    parses = write_labels(tmp_path / "parses.jsonl", "test")
    done = CliRunner().invoke(bench_app, ["ru", "--in", str(parses), "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["requests"] == 140
    assert figures["levels"]["request"]["all"]["share"] == 1
    assert figures["worst"] == []
    assert {"command", "date", "machine"} <= figures.keys()
    stored = tmp_path / "stored.json"
    stored.write_text(done.stdout, encoding="utf-8")
    again = CliRunner().invoke(bench_app, ["ru", "--show", str(stored)])
    assert "140 requests of test" in again.stdout
    assert "request level" in again.stdout
    stored.write_text("{}", encoding="utf-8")
    assert "is no result of" in str(CliRunner().invoke(bench_app, ["ru", "--show", str(stored)]).exception)


def test_the_command_shows_table_and_worst_examples(tmp_path: Path) -> None:
    parses = write_labels(tmp_path / "parses.jsonl", "dev")
    lines = parses.read_text(encoding="utf-8").splitlines()
    lines[0] = lines[0].replace('"panda"', '"polar bear"')
    parses.write_text("\n".join(lines[:-1]), encoding="utf-8")
    done = CliRunner().invoke(bench_app, ["ru", "--set", "dev", "--in", str(parses), "--examples", "2"])
    assert done.exit_code == 0, done.output
    assert "request level" in done.output
    assert "96.7" in done.output
    assert "no parse: no parse was given" in done.output
    assert "objects: polar bear, koala, sloth instead of panda, koala, sloth" in done.output


def test_scoring_a_file_and_asking_a_service_exclude_each_other(tmp_path: Path) -> None:
    done = CliRunner().invoke(bench_app, ["ru", "--in", str(tmp_path / "x"), "--model", "ru"])
    assert isinstance(done.exception, RequestError)
    assert "--in scores parses that exist" in str(done.exception)


def test_a_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    done = CliRunner().invoke(bench_app, ["ru", "--url", url, "--out", str(tmp_path / "parses.jsonl")])
    assert isinstance(done.exception, AutoMMLabError)
    assert url in str(done.exception)


def test_parses_are_not_appended_to_a_file_of_something_else(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("buy milk\n", encoding="utf-8")
    done = CliRunner().invoke(bench_app, ["ru", "--out", str(other)])
    assert isinstance(done.exception, RequestError)
    assert "not a file of parses" in str(done.exception)
    assert other.read_text(encoding="utf-8") == "buy milk\n"
