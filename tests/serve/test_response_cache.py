"""`bench hpo` asks the real service each question once, and an adapter with other weights anew."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autommlab.common.errors import DataError
from autommlab.common.keyed_lines import write_compressed
from serve.client import Answer, Sampling
from serve.errors import ServiceRefused
from serve.lifecycle import ServiceAddress
from serve.settings import ServiceSettings
from serve.testing import tiny_adapter
from training_data_gen.benchmarks.response_cache import CachingClient, ResponseCache, read_answers

pytestmark = pytest.mark.slow

ASKED = [{"role": "user", "content": "Name a colour."}]
NAME = "remembered-guest"


def draws(seed: int) -> Sampling:
    return Sampling(samples=2, temperature=1.0, seed=seed, max_tokens=16)


def test_a_question_is_asked_once_here_and_elsewhere(service: ServiceAddress, tmp_path: Path) -> None:
    base, file = service.models[0], tmp_path / "answers.jsonl"
    client = CachingClient(service.client(timeout_s=120), ResponseCache(file))
    first = client.chat(ASKED, model=base, sampling=draws(1))
    assert client.chat(ASKED, model=base, sampling=draws(1)) == first, "its seconds tell that it was generated again"
    other = client.chat(ASKED, model=base, sampling=draws(2))
    assert other != first
    assert len(read_answers(file)) == 2
    packed = write_compressed(read_answers(file), tmp_path / "packed.jsonl.gz")
    elsewhere = ResponseCache(tmp_path / "elsewhere.jsonl", read_answers(packed))
    again = CachingClient(service.client(timeout_s=120), elsewhere)
    assert [again.chat(ASKED, model=base, sampling=draws(seed)) for seed in (1, 2)] == [first, other]
    assert not (tmp_path / "elsewhere.jsonl").exists()


def test_an_adapter_with_other_weights_is_asked_anew(
    service: ServiceAddress, tiny: ServiceSettings, tmp_path: Path
) -> None:
    client = service.client(timeout_s=120)
    file = tmp_path / "answers.jsonl"
    texts = []
    for seed in (21, 22, 21):
        client.add_adapter(NAME, tiny_adapter(Path(tiny.base_model), tmp_path / "guest", seed=seed))
        asking = CachingClient(client, ResponseCache(file))
        texts.append([sample.text for sample in asking.chat(ASKED, model=NAME, sampling=draws(1)).samples])
    client.remove_adapter(NAME)
    assert texts[0] != texts[1]
    assert texts[0] == texts[2]
    assert len(read_answers(file)) == 2


def test_a_refusal_is_no_answer(service: ServiceAddress, tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    client = CachingClient(service.client(timeout_s=120), ResponseCache(file))
    with pytest.raises(ServiceRefused, match="404"):
        client.chat(ASKED, model="nobody")
    assert not file.exists()


def test_studies_that_come_with_a_question_at_once_ask_it_once(tmp_path: Path) -> None:
    answers, asked = ResponseCache(tmp_path / "answers.jsonl"), []

    def slowly() -> Answer:
        asked.append(1)
        time.sleep(0.2)
        return Answer(samples=(), model="m", prompt_tokens=1, seconds=0.2)

    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda _: answers.get("key", slowly), range(4)))
    assert len(asked) == 1
    assert given == [given[0]] * 4


def test_a_file_that_holds_no_answers_is_refused_clearly(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl cannot be read.*bench hpo"):
        read_answers(tmp_path / "nowhere.jsonl")
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"key": "a"}\n')
    with pytest.raises(DataError, match="line 1 is no answer: answer"):
        read_answers(wrong)
