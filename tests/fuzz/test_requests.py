"""Any text, parse or list of requests: it is read or refused with a reason, and a file of results keeps every line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from autommlab.common.errors import AutoMMLabError, DataError, ModelError, RequestError, TrainingError
from autommlab.understanding.batch import done_ids, read_requests, understand_lines
from autommlab.understanding.llm import Understander
from autommlab.understanding.outcome import Unclear, Understood
from autommlab.understanding.request import ModelRequest
from serve.client import GREEDY, Answer, Generation, Message, Sampling
from tests.helpers.damage import EXAMPLES as EACH
from tests.helpers.damage import TEXTS, VALUES, Damage, as_json, damages, try_examples
from tests.helpers.faulty_llm import FaultyLLM
from tests.helpers.program import EXAMPLES, autommlab_here

_SOUND = (EXAMPLES / "detect_cats_and_dogs.json").read_bytes()
_WORDS = st.sampled_from(
    ["detect", "cats", "dogs", "mAP", "0.9", "between 80 and 90 %", "9" * 400, "1e999", "3.5 million", "half",
     "<|im_end|>", "[INST]", "\udcff", "\u202e", "猫", "กล้วย", "ncnn", "YOLOv8n-seg", "without", "fps", "٣", "²", "-",
     ".", "10 to 1 %"]
)  # fmt: skip
_TEXT = st.one_of(st.text(max_size=60), st.lists(st.one_of(_WORDS, TEXTS), max_size=14).map(" ".join))
_ANSWERS = st.lists(
    st.one_of(damages().map(lambda damage: damage(_SOUND)), VALUES.map(as_json)), min_size=1, max_size=4
).map(lambda answers: [answer.decode("utf-8", "replace") for answer in answers])
_LISTS = st.tuples(damages(lines=True), damages(lines=True))


class Rambling(FaultyLLM):
    """Gives these texts in turn, for ever."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self._texts = itertools.cycle(texts)

    def chat(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        schema: dict[str, Any] | None = None,
        sampling: Sampling = GREEDY,
        timeout_s: float | None = None,
    ) -> Answer:
        texts = [next(self._texts) for _ in range(sampling.samples)]
        return Answer(tuple(Generation(text, -1.0, 3, complete=bool(text)) for text in texts), "ru", 9, 0.1)


def understood(text: str, answers: list[str]) -> None:
    """The outcome is one of the three, and can be shown and stored."""
    try:
        outcome = Understander(Rambling(answers)).understand(text)
    except RequestError as error:
        assert str(error)
        return
    assert isinstance(outcome, Understood | Unclear)
    assert type(outcome).model_validate_json(outcome.model_dump_json()) == outcome
    if isinstance(outcome, Understood):
        assert ModelRequest.parse(outcome.request.to_dict()) == outcome.request
        outcome.request.rows()


def parse_read(damage: Damage, folder: Path) -> None:
    file = folder / "parse.json"
    content = damage(_SOUND)
    file.write_bytes(content)
    try:
        ModelRequest.read(file).normalised()
    except RequestError as error:
        assert str(file) in str(error)
    done = autommlab_here("run", "--parse", file, "--out", folder / "run", "--trials", 1)
    # No parse of a request, data or a model that there is not, or one that would be trained.
    assert done.code in {error.exit_code for error in (RequestError, DataError, ModelError, TrainingError)}, done.err
    assert file.read_bytes() == content


def list_gone_through(lists: tuple[Damage, Damage], answers: list[str], folder: Path) -> None:
    source, target = folder / "requests.jsonl", folder / "parses.jsonl"
    rows = [{"id": name, "request": f"detect {name}"} for name in ("cats", "dogs", "cows")]
    source.write_bytes(lists[0]("".join(f"{json.dumps(row)}\n" for row in rows).encode()))
    before = lists[1](b'{"id": "cats", "parse": {}}\n{"id": "dogs", "error": "no"}\n')
    target.write_bytes(before)
    try:
        list(understand_lines(read_requests(source), target, Understander(Rambling(answers)), concurrent=1))
        done = done_ids(target)
        assert {line.id for line in read_requests(source)} <= done
    except AutoMMLabError:
        assert target.read_bytes() == before
    aside = target.with_name("parses.jsonl.damaged")
    left = target.read_bytes() + (aside.read_bytes() if aside.exists() else b"")
    aside.unlink(missing_ok=True)
    for line in before.split(b"\n"):
        assert line.strip(b"\x00 \t\r") in left


def go_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    def nothing(*_: Any, **__: Any) -> Any:
        raise TrainingError("nothing is run here")

    monkeypatch.setattr("autommlab.pipeline.run.run_pipeline", nothing)
    try_examples(st.tuples(_TEXT, _ANSWERS), lambda drawn: understood(*drawn), count)
    try_examples(damages(), lambda damage: parse_read(damage, tmp_path), count)
    try_examples(st.tuples(_LISTS, _ANSWERS), lambda drawn: list_gone_through(drawn[0], drawn[1], tmp_path), count)


def test_some_odd_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_through(tmp_path, monkeypatch, 15)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_many_odd_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_through(tmp_path, monkeypatch, 50 * EACH)
