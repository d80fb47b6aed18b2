"""Files of JSON lines after a crash, a full disk or a hostile text: every reader of ours, every kind of damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autommlab.common import jsonl
from autommlab.common.errors import DataError, RequestError
from autommlab.common.keyed_lines import KeyedFile
from autommlab.options import RunOptions
from autommlab.progress.events import Event, EventLog
from autommlab.status.runs import run_status
from autommlab.storage.run_folder import RunFolder
from autommlab.training.ledger import Ledger
from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.understanding.batch import done_ids

#: Texts with every end of line that Python knows and JSON does not, and letters of several bytes.
ODD = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg é 画"
GOOD = b'{"id": "a", "parse": {}}\n'

#: What a crash leaves behind whole lines -> how many bad lines it is.
DAMAGE: dict[str, tuple[bytes, int]] = {
    "half a line": (b'{"id": "b", "pa', 1),
    "half a letter": (b'{"id": "b", "parse": "\xc3', 1),
    "a broken whole line": (b'{"id": "b", "pa\n', 1),
    "bytes that are no text": (b"\xff\xfe\xfd\n", 1),
    "NUL bytes": (b"\x00" * 4096, 0),
    "NUL bytes and an end": (b"\x00" * 4096 + b"\n", 0),
    "half a line and NUL bytes": (b'{"id": "b"' + b"\x00" * 100, 1),
    "a record without its end": (b'{"id": "b", "parse": {}}', 0),
    "nested deeply": (b"[" * 200_000 + b"\n", 1),
    "blank lines": (b"\n\r\n \n", 0),
}


def record(number: int, reason: str = "") -> TrialRecord:
    point = Hyperparameters(
        iterations=number, batch_size=4, optimizer="SGD", lr=0.1, weight_decay=0, lr_schedule="StepLR"
    )
    return TrialRecord(
        number=number, trial_id=f"t{number}", hyperparameters=point, score=0.5, status="ok", reason=reason
    )


class Keyed(TrialRecord):
    """A record with a key."""

    @property
    def key(self) -> str:
        return self.trial_id


class LedgerFile:
    """A ledger as the tests use every growing file."""

    def __init__(self, path: Path) -> None:
        self.file = Ledger(path)

    def add(self, number: int, text: str) -> None:
        self.file.append(record(number, text))

    def texts(self) -> list[str]:
        return [one.reason for one in self.file.records]


class KeyedLines(LedgerFile):
    """The files of `training_data_gen`."""

    def __init__(self, path: Path) -> None:
        self.keyed = KeyedFile(path, Keyed, "record")

    def add(self, number: int, text: str) -> None:
        self.keyed.add([Keyed(**record(number, text).model_dump())])

    def texts(self) -> list[str]:
        return [one.reason for one in self.keyed.records.values()]


class Parses(LedgerFile):
    """The output of `understand --out`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids = done_ids(path)

    def add(self, number: int, text: str) -> None:
        jsonl.append(self.path, [json.dumps({"id": text, "error": "unclear"}, ensure_ascii=False)])
        self.ids.add(text)

    def texts(self) -> list[str]:
        return sorted(map(str, self.ids))


FILES: list[Callable[[Path], Any]] = [LedgerFile, KeyedLines, Parses]


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_whole_is_kept_and_the_next_record_stands_alone(kind: Any, damage: str, tmp_path: Path) -> None:
    path = tmp_path / "growing.jsonl"
    file = kind(path)
    file.add(1, f"1 {ODD}")
    file.add(2, "2")
    left, bad = DAMAGE[damage]
    if damage == "a record without its end":
        left = path.read_bytes().splitlines()[-1].replace(b"t2", b"t3")
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with path.open("ab") as torn:
        torn.write(left)
    file = kind(path)
    assert file.texts()[0] == f"1 {ODD}"
    file.add(4, "4")
    assert kind(path).texts() == file.texts() == [f"1 {ODD}", "2", "4"]
    content = path.read_bytes()
    assert content.endswith(b"\n")
    assert b"\x00" not in content
    assert len(content.split(b"\n")) == 4
    aside = path.with_name("growing.jsonl.damaged")
    assert (len(aside.read_bytes().splitlines()) if aside.exists() else 0) == bad


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_appender_that_mends_nothing_still_ends_a_torn_line(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(GOOD + DAMAGE[damage][0])
    jsonl.append(path, ['{"id": "c", "parse": {}}'])
    values = jsonl.read_records(path, jsonl.json_value).records
    assert values[0]["id"] == "a"
    assert values[-1]["id"] == "c"


@pytest.mark.parametrize("damage", DAMAGE)
def test_status_reads_a_damaged_run_and_changes_nothing(damage: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.open(RunOptions(text=ODD))
    folder.close()
    folder.study.mkdir()
    trials = folder.study / "trials.jsonl"
    Ledger(trials).append(record(1, ODD))
    log = EventLog(folder.events)
    log(Event("stage-started", "training", f"begun {ODD}"))
    log(Event("progress", "training", "odd data", {"done": "many", "best": "good"}))
    for path in (trials, folder.events):
        path.write_bytes(path.read_bytes() + DAMAGE[damage][0])
    before = trials.read_bytes(), folder.events.read_bytes()
    status = run_status(tmp_path)
    assert (status.stage, status.trials_done, status.text) == ("training", 1, ODD)
    assert (trials.read_bytes(), folder.events.read_bytes()) == before


def test_names_that_are_no_utf8_can_be_told(tmp_path: Path) -> None:
    EventLog(tmp_path / "events.jsonl")(Event("note", "data", "leaves out \udcff.png"))
    assert json.loads((tmp_path / "events.jsonl").read_text())["message"] == "leaves out \udcff.png"


@pytest.mark.parametrize(
    "content",
    [
        b'{"id": "a", "request": "find cats"}\n',  # the requests in the place of the parses
        b"buy milk\n",
        b'{"id": "a", "parse": {}}\n{"id": "b", "request": "find dogs"}\n',
        b"[1, 2]\n",
    ],
)
def test_a_file_of_another_kind_is_refused_and_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"mine\.jsonl is not a file of parses: line \d is"):
        done_ids(path)
    with pytest.raises(DataError, match=r"mine\.jsonl, line \d is no record"):
        KeyedFile(path, Keyed, "record")
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.jsonl"]


def test_a_ledger_tells_what_it_set_aside_and_gives_no_number_twice(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    for number in (1, 2, 3):
        Ledger(path).append(record(number))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"number": 2, "trial\n' + lines[2])
    ledger = Ledger(path)
    assert [one.number for one in ledger.records] == [1, 3]
    assert [bad.number for bad in ledger.set_aside] == [2]
    assert ledger.next_number == 4
    assert Ledger(path).set_aside == ()
