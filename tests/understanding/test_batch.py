"""Files of requests: order, bad lines, going on after an interruption. Faults stand in the LLM's place."""

import json
from pathlib import Path

import pytest

from autommlab.common.errors import RequestError, StorageError
from autommlab.understanding.answer import answer_text, no_task_answer
from autommlab.understanding.batch import BatchOutcome, done_ids, read_requests, understand_lines
from autommlab.understanding.llm import Understander
from autommlab.understanding.request import ModelRequest
from serve.errors import ServiceUnreachable
from tests.helpers.faulty_llm import FaultyLLM

CAT = answer_text(ModelRequest.parse({"data": {"object": ["cat"]}, "model": {"task": "detection"}}))


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def run(source: Path, target: Path, llm: FaultyLLM) -> BatchOutcome:
    # One at a time, so that the listed answers meet their lines.
    *_, last = understand_lines(read_requests(source), target, Understander(llm), concurrent=1)
    return last


def results(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_line_has_its_result_in_order_and_bad_ones_their_error(tmp_path: Path) -> None:
    source = write(
        tmp_path / "in.jsonl",
        {"id": "a", "request": "find cats"},
        "{oops",
        {"id": 7, "request": "hello there"},
        "",
        {"id": "b"},
        {"request": "find cats"},
        {"id": "a", "request": "find dogs"},
        {"id": "c", "request": "  "},
        {"id": "d", "request": "find a cat with TensorRT"},
    )
    out = tmp_path / "out.jsonl"
    last = run(source, out, FaultyLLM(CAT, no_task_answer(), CAT))
    written = results(out)
    assert [result["id"] for result in written] == ["a", "line-2", 7, "b", "line-6", "line-7", "c", "d"]
    assert [set(result) - {"id"} for result in written] == [{"parse"}, *[{"error"}] * 6, {"parse", "doubts"}]
    assert ModelRequest.parse(written[0]["parse"]).data.object == ("cat",)
    assert "not valid JSON" in written[1]["error"]
    assert "What should the model tell" in written[2]["error"]
    assert "no request that is a text" in written[3]["error"]
    assert "no id" in written[4]["error"]
    assert "is line 1's already" in written[5]["error"]
    assert "is empty" in written[6]["error"]
    assert "TensorRT" in written[7]["doubts"][0]
    assert (last.parsed, last.errors, last.skipped) == (2, 6, 0)


def test_an_interrupted_batch_goes_on_where_it_was(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", *({"id": name, "request": "find cats"} for name in "abc"))
    out = tmp_path / "out.jsonl"
    with pytest.raises(ServiceUnreachable):
        run(source, out, FaultyLLM(CAT, ServiceUnreachable("gone")))
    assert [result["id"] for result in results(out)] == ["a"]
    with out.open("a") as file:
        file.write('{"id": "b", "par')  # killed while writing
    llm = FaultyLLM(CAT, CAT)
    last = run(source, out, llm)
    assert [result["id"] for result in results(out)] == ["a", "b", "c"]
    assert last.skipped == 1
    assert len(llm.asked) == 2
    run(source, out, FaultyLLM())
    assert len(results(out)) == 3


def test_files_that_are_no_requests_or_no_parses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"cannot read the requests .*nothing\.jsonl"):
        read_requests(tmp_path / "nothing.jsonl")
    notes = write(tmp_path / "notes.txt", "buy milk")
    with pytest.raises(RequestError, match="is not a file of parses: line 1 is b'buy milk'"):
        done_ids(notes)
    assert notes.read_text() == "buy milk\n"
    with pytest.raises(StorageError, match="cannot write"):
        list(understand_lines([], Path("/proc/parses.jsonl"), Understander(FaultyLLM()), concurrent=1))


def test_bytes_that_are_no_text_are_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"id": "a", "request": "\xff"}\n')
    (line,) = read_requests(path)
    assert line.id == "line-1"
    assert "not valid JSON" in line.problem
