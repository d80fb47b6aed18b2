"""What fuzz runs have found, each as one small example."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from autommlab.common.errors import (
    AutoMMLabError,
    DataError,
    RequestError,
    ResumeError,
    SearcherError,
    StorageError,
)
from autommlab.common.private_folder import make_private_folder, token_of
from autommlab.common.wording import duration
from autommlab.data.embedded.blocks import INDEX, Block, read_block
from autommlab.data.remote import fetch_dataset
from autommlab.jobs.entrypoint import SUBMITTED_FILE, require_shared
from autommlab.progress.events import read_event
from autommlab.understanding.answer import parse_answer
from autommlab.understanding.batch import done_ids, read_requests
from autommlab.understanding.request import ModelRequest
from searchers.transfer.trial_history import load_history
from serve.state import STATE_FILE, read_state
from tests.helpers.program import EXAMPLES, autommlab_here
from tests.helpers.trial_making import made_up
from training_data_gen.adapters.state import read_start
from training_data_gen.adapters.tune_on_gpu import FACTS_FILE, HELD_OUT_FILE, TRAIN_FILE, read_examples
from training_data_gen.benchmarks.response_cache import read_answers
from training_data_gen.trials.jobs import DONE_FILE, TrialsOptions, done, jobs
from training_data_gen.trials.plan import plan_bags
from training_data_gen.trials.prepare import MODEL_FILE, PLANNED_FILE, prepare_trials
from training_data_gen.trials.store import read_trials

HUGE = "9" * 5000
NO_JSON = [b"", b"[" * 100_000, b"\xff\xfe\x00", b"{", b"null", b"[]", HUGE.encode()]


@pytest.mark.parametrize("cut", [0.5, 0.9])
@pytest.mark.parametrize("broken", ["cut", "flipped"])
@pytest.mark.parametrize("read", [read_trials, load_history, read_answers])
def test_broken_compression_is_told(read: Callable[[Path], object], broken: str, cut: float, tmp_path: Path) -> None:
    lines = b"".join(row.model_dump_json().encode() + b"\n" for row in made_up(plan_bags()[0], 4))
    whole = gzip.compress(lines)
    place = int(cut * len(whole))
    content = whole[:place] if broken == "cut" else whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
    file = tmp_path / "lines.jsonl.gz"
    file.write_bytes(content)
    with pytest.raises((DataError, SearcherError), match="cannot be read"):
        read(file)


@pytest.mark.parametrize("content", [*NO_JSON, f'{{"data": {{}}, "model": {{"task": {HUGE}}}}}'.encode()])
def test_a_parse_of_any_content_is_refused_with_its_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "parse.json"
    file.write_bytes(content)
    with pytest.raises(RequestError, match=r"parse\.json"):
        ModelRequest.read(file)


def test_a_number_of_thousands_of_digits_is_not_printed() -> None:
    sound = json.loads((EXAMPLES / "classify_animals.json").read_text())
    sound["model"]["parameters"] = {"value": 10**5000, "unit": "M"}
    with pytest.raises(RequestError, match="a value of type int, too large to be shown"):
        ModelRequest.parse(sound)


def test_an_id_of_thousands_of_digits_is_no_id(tmp_path: Path) -> None:
    source, target = tmp_path / "requests.jsonl", tmp_path / "parses.jsonl"
    source.write_text(f'{{"id": {HUGE}, "request": "cats"}}\n{{"id": 7, "request": "dogs"}}\n')
    assert [(line.id, bool(line.problem)) for line in read_requests(source)] == [("line-1", True), (7, False)]
    target.write_text(f'{{"id": {HUGE}, "error": "x"}}\n')
    with pytest.raises(RequestError, match="is not a file of parses"):
        done_ids(target)


@pytest.mark.parametrize("entry", [{"pid": -1}, {"pid": 2**70}, {"pid": 0}, {"started": float("nan")}])
def test_a_process_number_that_no_system_gives_is_no_service(entry: dict[str, float], tmp_path: Path) -> None:
    state = {
        "pid": 1, "started": 1.0, "boot": None, "ray_address": None, "url": "http://127.0.0.1:9", "api_key": None,
        "base_model": "x", "phase": "ready",
    }  # fmt: skip
    (tmp_path / STATE_FILE).write_text(json.dumps(state | entry))
    assert read_state(tmp_path) is None


def test_a_damaged_record_of_a_private_ray_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    mine = tmp_path / "mine"
    mine.mkdir()
    sound = {"pid": 2**22, "started": 1.0, "boot": None, "temporary": str(mine / "ray-1" / "r"), "address": "x:1"}
    # What is above the temporary folder of a Ray that ended is deleted.
    elsewhere = (str(mine / "file"), str(mine / "ray-1" / ".." / "r"), "ray-1/r", "/", ".", "")
    damaged = [sound | {"pid": pid} for pid in (-1, 0, 2**70)] + [sound | {"temporary": path} for path in elsewhere]
    for number, record in enumerate(damaged):
        folder = tmp_path / "ray" / str(number)
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps(record))
    with mock.patch("autommlab.common.private_folder.PrivateFolder.remove") as removed:
        assert token_of("x:1") is None
        make_private_folder()
    removed.assert_not_called()
    assert mine.is_dir()


@pytest.mark.parametrize("content", NO_JSON)
def test_damaged_records_of_a_set_of_trials_are_named(content: bytes, tmp_path: Path) -> None:
    planned = plan_bags()[0]
    job = jobs([planned], TrialsOptions())[0]
    stored = job.folder(tmp_path) / DONE_FILE
    stored.parent.mkdir(parents=True)
    stored.write_bytes(content)
    with pytest.raises(ResumeError, match=DONE_FILE):
        done(job, tmp_path)
    (tmp_path / "bag").mkdir()
    (tmp_path / PLANNED_FILE).write_bytes(content)
    with pytest.raises(ResumeError, match=PLANNED_FILE):
        prepare_trials(planned, tmp_path)
    (tmp_path / PLANNED_FILE).unlink()
    (tmp_path / MODEL_FILE).write_bytes(content)
    (tmp_path / "bag" / "bag.json").write_bytes(content)
    with pytest.raises(AutoMMLabError, match=r"bag\.json"):
        prepare_trials(planned, tmp_path)


@pytest.mark.parametrize("name", [TRAIN_FILE, HELD_OUT_FILE, FACTS_FILE])
@pytest.mark.parametrize("content", NO_JSON[1:])
def test_damaged_examples_of_a_fine_tuning_are_told(content: bytes, name: str, tmp_path: Path) -> None:
    line = b'{"messages": [{"role": "user", "content": "x"}], "group": "g"}\n'
    for file in (TRAIN_FILE, HELD_OUT_FILE):
        (tmp_path / file).write_bytes(line)
    (tmp_path / FACTS_FILE).write_text("{}")
    read_examples(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="holds no examples that can be read"):
        read_examples(tmp_path)


@pytest.mark.parametrize("content", [*NO_JSON, b'{"peft_type": "LORA", "r": true, "lora_alpha": 1}'])
def test_a_damaged_adapter_is_no_start(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_bytes(content)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="holds no adapter to go on from"):
        read_start(tmp_path, "base")


@pytest.mark.parametrize(
    "data", [{"eta_s": "soon"}, {"total": [2]}, {"metric": 7}, {"score": "high"}, {"number": True}, {"limit_s": 1e30}]
)
def test_an_event_of_other_data_than_ours_is_damage(data: dict[str, object]) -> None:
    line = {"kind": "trial", "stage": "training", "message": "", "data": data, "time": 1.0}
    with pytest.raises(ValueError):
        read_event(json.dumps(line).encode())


def test_no_duration_is_no_number() -> None:
    assert [duration(value) for value in (float("nan"), float("inf"))] == ["?", "?"]


def test_a_list_of_what_was_fetched_deletes_nothing_outside(tmp_path: Path) -> None:
    source, kept = tmp_path / "source", tmp_path / "kept.txt"
    for file in (source / "a.txt", kept):
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    here = fetch_dataset(source.as_uri(), tmp_path / "fetched" / "set")
    stored = here.with_name("set.fetched.json")
    listed = json.loads(stored.read_text())
    for name in ("../../kept.txt", str(kept), "a.txt/../../../kept.txt"):
        stored.write_text(json.dumps(listed | {"files": {**listed["files"], name: {"size": 1}}}))
        fetch_dataset(source.as_uri(), here)
        assert kept.exists()


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_sums_in_another_encoding_are_no_sums(encoding: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("x")
    (source / "SHA256SUMS").write_bytes(("0" * 64 + "  b\u00e9.txt\n").encode(encoding))
    assert fetch_dataset(source.as_uri(), tmp_path / "set").is_dir()


def test_a_mark_of_another_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / SUBMITTED_FILE).write_bytes(b"\xff")
    with pytest.raises(StorageError, match="is not the folder of the machine that submitted the job"):
        require_shared(tmp_path, "job")


@pytest.mark.parametrize("content", NO_JSON)
def test_an_answer_that_cannot_be_read_is_told(content: bytes) -> None:
    with pytest.raises(RequestError, match=r"the answer (is not valid JSON|must be an object)"):
        parse_answer(content.decode("utf-8", "replace"))


@pytest.mark.parametrize("content", [*NO_JSON[:4], b'[{"task": "detection"}]', b"{}"])
@pytest.mark.parametrize("command", ["zoo", "data"])
def test_lines_of_a_benchmark_are_not_added_to_another_file(command: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "lines.json"
    file.write_bytes(content)
    done = autommlab_here("bench", command, "--task", "detection", "--out", file)
    assert done.code == DataError.exit_code, done.err
    assert f"holds no lines of bench {command}" in done.err
    assert file.read_bytes() == content


@pytest.mark.parametrize("content", NO_JSON)
def test_a_damaged_list_of_drawings_is_drawn_anew(content: bytes, tmp_path: Path) -> None:
    block = Block(tmp_path, "cat", ("cat",), ".png")
    block.folder.mkdir()
    (block.folder / INDEX).write_bytes(content)
    assert read_block(block) is None


@pytest.mark.parametrize("count", ["9" * 30, "9" * 5000, "5,9999999", "0", "\u00b2"])
def test_a_benchmark_that_never_ends_is_not_begun(count: str) -> None:
    done = autommlab_here("bench", "growth", "--searchers", "random", "--trials", count)
    assert done.code == RequestError.exit_code
    assert "is no list of counts" in done.err
