"""Hybrids and the bandit: whose turn it is, and that everybody sees everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from searchers import SearcherError, create
from searchers.ensembles.bandit import probabilities
from searchers.space import Configuration
from searchers.testing import METRIC, SPACE, ask_and_tell, propose, quadratic, report
from tests.helpers.llm_fault_server import FaultServer
from tests.helpers.llm_making import CONTEXT, past_trial, write_history

RECIPE: Configuration = {"iterations": 60, "batch_size": 8, "optimizer": "SGD", "lr": 0.01, "weight_decay": 1e-4}


def origins(searcher: Any) -> list[str]:
    return [attempt.origin for attempt in searcher.attempts().values()]


def test_the_llm_opens_and_comes_back_every_few_trials() -> None:
    with FaultServer() as server:
        searcher: Any = create(
            "llm+tpe+default", SPACE, metric=METRIC, seed=0, service=server.url, first_configs=[RECIPE],
            context=CONTEXT, llm_first=2, llm_every=3,
        )  # fmt: skip
        ask_and_tell(searcher, 9)
    kinds = [origin.split(":")[0] for origin in origins(searcher)]
    assert kinds == [
        "first configuration",
        *["hpo-llama"] * 2,
        *["tpe-ranked"] * 2,
        "hpo-llama",
        *["tpe-ranked"] * 2,
        "hpo-llama",
    ]
    assert origins(searcher)[3] == "tpe-ranked", "TPE has learned from the LLM's trials and the default configuration"
    assert searcher.proposal_details("trial1")["member"] == "llm"
    assert searcher.usage()["llm"]["calls"] == 4


@pytest.mark.parametrize("name", ["llm+tpe", "bandit"])
def test_every_member_sees_every_config_and_result(name: str) -> None:
    with FaultServer() as server:
        searcher: Any = create(
            f"{name}+default", SPACE, metric=METRIC, seed=0, service=server.url, first_configs=[RECIPE]
        )
        ask_and_tell(searcher, 7)
        last = server.requests[-1]["messages"][1]["content"]
    mine = searcher.attempts()
    for member in searcher._members.values():
        theirs = member.attempts()
        assert [a.config for a in theirs.values()] == [a.config for a in mine.values()]
        assert [(a.score, a.failed) for a in theirs.values()] == [(a.score, a.failed) for a in mine.values()]
    assert "60, 8, SGD, 0.01, 1e-4" in last, "the prompt tells the others' trials too"
    optuna = next(m for m in searcher._members.values() if hasattr(m, "_delegate"))
    assert [t.state.name for t in optuna._delegate._ot_study.trials] == ["COMPLETE"] * 7


def test_the_llm_is_asked_ahead_for_its_own_turns_only() -> None:
    with FaultServer() as server:
        searcher: Any = create(
            "llm+tpe", SPACE, metric=METRIC, seed=0, service=server.url, llm_first=1, llm_every=4, samples=1
        )
        running: list[tuple[str, Configuration]] = []
        for number in range(9):
            if len(running) == 2:
                trial_id, config = running.pop(0)
                searcher.on_trial_complete(trial_id, report(quadratic(config)))
            running.append((f"t{number}", propose(searcher, f"t{number}")))
        assert searcher.usage()["by_origin"]["hpo-llama"] == 3
        assert len(server.requests) == 3


def test_wrong_turns_are_named() -> None:
    with pytest.raises(SearcherError, match=r"llm_every at least 1, got llm_first=10, llm_every=0"):
        create("llm+gp", SPACE, metric=METRIC, seed=0, service="http://127.0.0.1:1", llm_every=0)
    with pytest.raises(SearcherError, match=r"option of searcher 'llm\+tpe' 'llm_evry'. Did you mean 'llm_every'"):
        create("llm+tpe", SPACE, metric=METRIC, seed=0, service="http://127.0.0.1:1", llm_evry=2)


def test_credit_goes_to_those_who_raised_the_best() -> None:
    finished = [("a", 0.2), ("b", 0.3), ("a", 0.25), ("b", 0.8), ("c", None), ("first configuration", 0.7)]
    dealt = probabilities("abc", finished, mode="max")
    assert sum(dealt.values()) == pytest.approx(1)
    assert dealt == pytest.approx({"a": 0.4 / 3, "b": 0.4 / 3 + 0.6, "c": 0.4 / 3})
    even = dict.fromkeys("abc", 1 / 3)
    assert probabilities("abc", [], mode="max") == pytest.approx(even)
    assert probabilities("abc", [("a", 0.5), ("b", 0.5)], mode="max") == pytest.approx(even)
    losses = [(member, None if score is None else 1 - score) for member, score in finished]
    assert probabilities("abc", losses, mode="min") == pytest.approx(dealt)


def test_old_merits_fade() -> None:
    finished = [("a", 0.1), ("a", 0.9), *[("a", 0.2)] * 5, ("b", 0.1), ("b", 0.95)]
    assert probabilities("ab", finished, mode="max")["b"] == pytest.approx(0.8)


def test_the_default_members_are_those_that_can_take_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTOMMLAB_LLM_URL", "AUTOMMLAB_TRIAL_HISTORY"):
        monkeypatch.delenv(name, raising=False)
    plain: Any = create("bandit", SPACE, metric=METRIC, seed=0)
    assert list(plain._members) == ["zero-shot", "tpe-few", "random"]
    assert len(ask_and_tell(plain, 8)) == 8
    file = write_history(tmp_path / "past.jsonl", [past_trial(RECIPE, 0.5)])
    everybody: Any = create(
        "bandit", SPACE, metric=METRIC, seed=0, service="http://127.0.0.1:1", trial_history=str(file)
    )
    assert list(everybody._members) == ["hpo-llama", "zero-shot", "tpe-few", "random"]
    with pytest.raises(SearcherError, match=r"'bandit' asks an LLM service and was given none"):
        create("bandit", SPACE, metric=METRIC, seed=0, members=["hpo-llama"])
    with pytest.raises(SearcherError, match=r"member of searcher 'bandit' 'tpee'. Did you mean 'tpe'"):
        create("bandit", SPACE, metric=METRIC, seed=0, members=["tpee"])


def test_a_bandit_tells_who_proposed_what() -> None:
    searcher: Any = create("bandit", SPACE, metric=METRIC, seed=0, members=["tpe-few", "cmaes", "random"])
    ask_and_tell(searcher, 10)
    members = [searcher.proposal_details(f"trial{number}")["member"] for number in range(10)]
    assert members[:3] == ["tpe-few", "cmaes", "random"]
    assert sum(searcher.usage()["by_origin"].values()) == 10
