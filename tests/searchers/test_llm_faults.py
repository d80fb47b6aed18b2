"""LLM searchers against a service that is down, slow or talks nonsense: the study goes on and says so."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ray import cloudpickle

from searchers import SearcherError, StudyContext, create, needs_service, takes_context, takes_service
from searchers.space import Configuration, FloatParameter, SearchSpace
from searchers.testing import METRIC, SPACE, ask_and_tell, propose, quadratic, report
from tests.helpers.llm_fault_server import FaultServer

CONTEXT = StudyContext(facts={"task": "classification", "classes": 4})


def make(server: FaultServer | str, name: str = "hpo-llama", **options: Any) -> Any:
    service = server if isinstance(server, str) else server.url
    turns = {"llm_first": 3} if name.startswith("llm+") else {}  # both have their say within the trials of a test
    options = {"context": CONTEXT, "timeout_s": 5.0, "patience_s": 8.0, **turns, **options}
    space = options.pop("space", SPACE)
    return create(name, space, metric=METRIC, seed=0, service=service, **options)


def own(searcher: Any) -> int:
    """Proposals that are the model's."""
    return int(searcher.usage()["by_origin"].get("hpo-llama", 0))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("rubbish", r"service talks nonsense: .*does not speak the OpenAI API|instead of a list of models"),
        ("error", r"service refused: .*refused \(500\)"),
        ("refuses", r"service refused: .*refused \(404\): .*adapter does not exist"),
        ("empty", r"no usable answer: not JSON"),
        ("cut", r"no usable answer: cut off after 3 tokens"),
        ("outside", r"no usable answer: .*lr=9000.0 is outside"),
        ("stall", r"service too slow: .*no answer in time"),
    ],
)
def test_the_study_finishes_and_counts_its_fallbacks(fault: str, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    with FaultServer(fault) as server, caplog.at_level(logging.WARNING):
        searcher = make(server, timeout_s=0.3, patience_s=1.0)
        configs = ask_and_tell(searcher, 6)
    if reason.startswith("service"):
        assert server.calls <= 4, "every suggestion asked a service that is down"
    assert len({json.dumps(config) for config in configs}) == 6
    usage = searcher.usage()
    assert usage["by_origin"] == {"hpo-llama:fallback": 6}
    assert (usage["proposals"], usage["fallbacks"]) == (6, 6)
    details = searcher.proposal_details("trial0")
    assert re.search(reason, details["fallback"]), details
    assert usage["fallback_reasons"] == {details["fallback"].partition(": ")[0]: 6}
    assert "hpo-llama has no proposal for trial trial0" in caplog.text
    assert (details["proposed_by"], details["source"]) == ("hpo-llama:fallback", "random")
    json.dumps(details, allow_nan=False)


def test_a_port_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    with FaultServer() as server:
        url = server.url
    searcher = make(url)
    ask_and_tell(searcher, 3)
    assert searcher.usage()["fallbacks"] == 3
    assert "cannot be reached" in searcher.proposal_details("trial2")["fallback"]
    assert caplog.text.count("Proposals come from elsewhere until it is back") == 1


def test_a_service_that_comes_back_is_used_again(caplog: pytest.LogCaptureFixture) -> None:
    with FaultServer("error") as server, caplog.at_level(logging.WARNING):
        searcher = make(server, probe_every_s=0)
        ask_and_tell(searcher, 2)
        server.fault = "works"
        ask_and_tell(searcher, 3, start=2)
        assert (own(searcher), searcher.usage()["fallbacks"]) == (3, 2)
    assert "is back" in caplog.text


def test_a_service_that_is_down_is_asked_now_and_then_only() -> None:
    with FaultServer("refuses") as server:
        searcher = make(server, probe_every_s=1000)
        ask_and_tell(searcher, 5)
        assert len(server.requests) == 3, "one proposal with its retries, then nobody asks"


def test_a_study_survives_a_fault_in_its_middle() -> None:
    with FaultServer() as server:
        searcher = make(server, timeout_s=0.5)
        ask_and_tell(searcher, 3)
        server.fault = "stall"
        ask_and_tell(searcher, 2, start=3)
    assert (own(searcher), searcher.usage()["fallbacks"]) == (3, 2)


def test_retries_take_another_seed_and_a_higher_temperature() -> None:
    with FaultServer("cut") as server:
        ask_and_tell(make(server, temperatures=(0.5, 0.9)), 1)
        first, second = server.requests
    assert (first["temperature"], second["temperature"]) == (0.5, 0.9)
    assert first["seed"] != second["seed"]
    assert first["messages"] == second["messages"]


def test_duplicates_are_asked_for_again_and_then_replaced() -> None:
    with FaultServer("same") as server:
        searcher = make(server)
        configs = ask_and_tell(searcher, 4)
        requests = len(server.requests)
    assert len({json.dumps(config) for config in configs}) == 4
    assert (own(searcher), searcher.usage()["fallbacks"]) == (1, 3)
    assert requests == 1 + 3 * 3
    assert searcher.usage()["fallback_reasons"] == {"no new configuration among the answers": 3}


def test_a_proposal_tells_how_it_came_about() -> None:
    with FaultServer() as server:
        searcher = make(server)
        ask_and_tell(searcher, 2)
        details = searcher.proposal_details("trial1")
        assert details["proposed_by"] == "hpo-llama"
        assert (details["adapter"], details["calls"], details["tokens"], details["prompt_tokens"]) == (
            "hpo",
            1,
            36,
            100,
        )
        assert len(details["prompt_hash"]) == 16
        assert (details["request"], details["history"]) == (1, 1)
        assert details["seconds"] > 0
        assert details["logprob"] < 0
        json.dumps(details, allow_nan=False)
        assert "task: classification" in server.requests[0]["messages"][1]["content"]
        assert "1. " in server.requests[1]["messages"][1]["content"]
        assert searcher.usage()["llm"]["calls"] == 2


def test_the_prompt_tells_why_a_trial_failed() -> None:
    with FaultServer() as server:
        searcher = make(server)
        propose(searcher, "a")
        result = {**report(0.0), "status": "out-of-memory", "reason": "CUDA out of memory"}
        searcher.on_trial_complete("a", result)
        propose(searcher, "b")
        assert "failed: CUDA out of memory" in server.requests[1]["messages"][1]["content"]
    assert searcher.attempts()["a"].failed


def test_a_fallback_takes_the_zero_shot_where_there_is_history(tmp_path: Any) -> None:
    config: Configuration = {"iterations": 60, "batch_size": 8, "optimizer": "AdamW", "lr": 0.001, "weight_decay": 1e-4}
    parameters = SPACE.model_dump(mode="json")["parameters"]
    line = {"context": CONTEXT.facts, "parameters": parameters, "config": config, "score": 0.9, "status": "ok"}
    (tmp_path / "past.jsonl").write_text(json.dumps(line))
    with FaultServer("error") as server:
        searcher = make(server, trial_history=str(tmp_path / "past.jsonl"))
        first, second = ask_and_tell(searcher, 2)
    assert first == config != second
    assert [searcher.proposal_details(f"trial{n}")["source"] for n in range(2)] == ["zero-shot", "random"]


def test_a_space_without_new_configs_costs_no_call() -> None:
    space = SearchSpace(parameters=(FloatParameter(name="lr", low=0.5, high=0.5),))
    with FaultServer() as server:
        searcher = make(server, space=space)
        ask_and_tell(searcher, 3)
        assert len(server.requests) == 1
    assert searcher.usage()["fallback_reasons"] == {"every configuration that the model can name has been tried": 2}


def test_trials_side_by_side_are_asked_ahead_for() -> None:
    with FaultServer() as server:
        searcher = make(server, samples=2)
        configs = [propose(searcher, trial_id) for trial_id in "ab"]
        assert len(server.requests) == 1, "two candidates of one batch, nothing was learned between them"
        trials_run()
        assert len(server.requests) == 2
        with no_answers(server):
            for ended, begun in ("ac", "bd"):
                searcher.on_trial_complete(ended, report(quadratic(configs["ab".index(ended)])))
                propose(searcher, begun)
        assert own(searcher) == 4, "the answer was not ready"
        trials_run()
    assert len(server.requests) == 3
    assert "2 finished, 0 failed, 2 running" in server.requests[2]["messages"][1]["content"]


def test_a_fresh_answer_is_waited_for_where_it_is_asked_for() -> None:
    with FaultServer() as server:
        searcher = make(server, samples=2, fresh=True)
        configs = [propose(searcher, trial_id) for trial_id in "ab"]
        for ended, begun in ("ac", "bd", "ce"):
            searcher.on_trial_complete(ended, report(quadratic(configs["abc".index(ended)])))
            configs.append(propose(searcher, begun))
        asked = [request["messages"][1]["content"] for request in server.requests]
    for text in ("Nothing has been tried yet", "1 finished, 0 failed, 2 running", "2 finished, 0 failed, 2 running"):
        assert any(text in one for one in asked)


@pytest.mark.parametrize("name", ["hpo-llama", "llm+tpe", "bandit"])
def test_slots_that_end_together_wait_for_no_answer_after_the_first_round(name: str) -> None:
    with FaultServer() as server:
        searcher = make(server, name)
        running = {f"0.{slot}": propose(searcher, f"0.{slot}") for slot in range(4)}
        for turn in range(1, 5):
            trials_run()
            with no_answers(server):
                for slot in range(4):  # Ray Tune fills each slot as soon as it is free
                    searcher.on_trial_complete(f"{turn - 1}.{slot}", report(quadratic(running[f"{turn - 1}.{slot}"])))
                    running[f"{turn}.{slot}"] = propose(searcher, f"{turn}.{slot}")
        asked = len(server.requests)
    assert searcher.usage()["fallbacks"] == 0, "a slot waited for an answer and got none"
    assert asked <= 8


def test_a_study_of_one_trial_at_a_time_wastes_no_call_and_knows_every_result() -> None:
    with FaultServer() as server:
        ask_and_tell(make(server), 5)
        asked = [request["messages"][1]["content"] for request in server.requests]
    assert len(asked) == 5
    assert ["-> running" in text for text in asked] == [False] * 5


def trials_run(patience_s: float = 5.0) -> None:
    """The trials take as long as the answers that were asked for ahead."""
    asking = [thread for thread in threading.enumerate() if thread.name == "ask-ahead"]
    for thread in asking:
        thread.join(patience_s)
        assert not thread.is_alive()


@contextmanager
def no_answers(server: FaultServer) -> Iterator[None]:
    """Who waits for an answer in here gets none."""
    server.answering.clear()
    yield
    server.answering.set()


def side_by_side(searcher: Any, events: str) -> list[Configuration]:
    """A lower-case letter starts a trial, its capital ends it."""
    configs = {}
    for event in events:
        if event.islower():
            configs[event] = propose(searcher, event)
        else:
            searcher.on_trial_complete(event.lower(), report(quadratic(configs[event.lower()])))
    return list(configs.values())


@pytest.mark.parametrize("name", ["hpo-llama", "llm+tpe", "bandit"])
def test_proposals_do_not_depend_on_who_is_faster(name: str) -> None:
    events = "abcAdBCefDEg"
    with FaultServer() as server:
        fast = side_by_side(make(server, name), events)
        server.delay_s = 0.15
        assert side_by_side(make(server, name), events) == fast


@pytest.mark.parametrize("name", ["hpo-llama", "llm+tpe", "bandit"])
def test_an_open_request_is_asked_again_after_a_restore(name: str, tmp_path: Any) -> None:
    with FaultServer(delay_s=0.1) as server:
        original, restored = make(server, name), make(server, name)
        configs = side_by_side(original, "abcAd")
        original.save(str(tmp_path / "state"))
        copied = cloudpickle.loads(cloudpickle.dumps(original))
        restored.restore(str(tmp_path / "state"))
        expected = None
        for searcher in (original, restored, copied):
            searcher.on_trial_complete("b", report(quadratic(configs[1])))
            following = [propose(searcher, trial_id) for trial_id in "xy"]
            expected = expected or following
            assert following == expected


def test_who_needs_what() -> None:
    assert [n for n in ("random", "zero-shot", "hpo-llama", "llm+tpe+default", "bandit") if needs_service(n)] == [
        "hpo-llama",
        "llm+tpe+default",
    ]
    assert [n for n in ("tpe", "zero-shot", "llm+gp", "bandit") if takes_context(n)] == [
        "zero-shot",
        "llm+gp",
        "bandit",
    ]
    assert [n for n in ("tpe", "zero-shot", "llm+gp", "bandit") if takes_service(n)] == ["llm+gp", "bandit"]


def test_a_missing_service_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOMMLAB_LLM_URL", raising=False)
    with pytest.raises(SearcherError, match=r"'llm\+tpe' asks an LLM service and was given none.*serve up.*LLM_URL"):
        create("llm+tpe", SPACE, metric=METRIC, seed=0)
    monkeypatch.setenv("AUTOMMLAB_LLM_URL", "http://127.0.0.1:1")
    create("hpo-llama", SPACE, metric=METRIC, seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample": 3}, r"option of searcher 'hpo-llama' 'sample'. Did you mean 'samples'"),
        ({"samples": 0}, r"options of searcher 'hpo-llama': samples = 0: input should be greater"),
        ({"prompt_chars": 10}, r"prompt_chars = 10: input should be greater than or equal to 800"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SearcherError, match=message):
        make("http://127.0.0.1:1", **options)
