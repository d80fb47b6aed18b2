"""Names, options and plug-ins of the registry; what our searchers promise beyond the contract."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import searchers
from autommlab.common.errors import tell_renamed
from searchers import SearcherError, StudySettings, create, names, needs_first_configs, register, registry
from searchers.base import BaseSearcher
from searchers.random_search import RandomSearch
from searchers.space import ChoiceParameter, Configuration, FloatParameter, SearchSpace
from searchers.testing import METRIC, SPACE, propose, quadratic, report
from tests.helpers.llm_making import past_trial, write_history

DEFAULT: Configuration = {"iterations": 60, "batch_size": 8, "optimizer": "SGD", "lr": 0.01, "weight_decay": 1e-4}


def make(name: str, **options: Any) -> Any:
    return create(name, SPACE, metric=METRIC, seed=0, **options)


def test_names_are_those_the_command_line_offers() -> None:
    assert names()[:6] == ("default", "random", "tpe", "tpe-few", "gp", "cmaes")
    assert "tpe+default" in names()
    assert "default+default" not in names()
    assert names()[6:10] == ("zero-shot", "surrogate", "surrogate-grid", "hpo-llama")
    assert names()[10:14] == ("llm+grid", "llm+tpe", "llm+gp", "bandit")
    assert names()[14:17] == ("fixed-portfolio", "tpe-warm", "sobol")
    assert [n for n in names() if needs_first_configs(n)] == ["default", *(n for n in names() if "+default" in n)]


def test_every_searcher_is_explained_in_one_line() -> None:
    explained = searchers.summaries()
    assert list(explained) == [name for name in names() if "+default" not in name]
    assert all(0 < len(line) < 80 for line in explained.values()), explained


@pytest.mark.parametrize(
    ("old", "new"), [("portfolio", "bandit"), ("prior", "zero-shot"), ("forest+default", "surrogate+default")]
)
def test_an_old_name_works_with_one_notice(old: str, new: str, caplog: pytest.LogCaptureFixture) -> None:
    tell_renamed.cache_clear()
    first = [DEFAULT] if needs_first_configs(old) else []
    with caplog.at_level(logging.WARNING):
        made = [make(name, first_configs=first) for name in (old, old, new)]
    assert len({one.name for one in made}) == 1
    notices = [record.getMessage() for record in caplog.records if "is now called" in record.getMessage()]
    plain_old, plain_new = old.removesuffix("+default"), new.removesuffix("+default")
    assert notices == [f"searcher {plain_old!r} is now called {plain_new!r}; the old name goes with the next release"]
    assert old not in names()
    with pytest.raises(SearcherError, match="is already there"):
        register(plain_old, RandomSearch)


def test_an_old_option_works(tmp_path: Path) -> None:
    file = write_history(
        tmp_path / "history.jsonl", [past_trial(DEFAULT, 0.9), past_trial({**DEFAULT, "lr": 1e-5}, 0.1)]
    )
    made = [make("zero-shot", **{name: str(file)}) for name in ("experience", "trial_history")]
    assert propose(made[0], "a") == propose(made[1], "a") == DEFAULT


def test_importing_the_package_imports_no_heavy_library() -> None:
    code = (
        "import sys, searchers; searchers.names(); "
        "print(sorted({'ray', 'torch', 'optuna', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_name_lists_the_known_and_the_nearest() -> None:
    with pytest.raises(SearcherError, match=r"unknown searcher 'tpee'.*Did you mean 'tpe'.*Known: default, random"):
        make("tpee")


def test_unknown_option_lists_the_allowed_ones() -> None:
    with pytest.raises(SearcherError, match=r"'tpe' 'startup_trial'.*'startup_trials'.*Known: startup_trials"):
        make("tpe", startup_trial=3)
    with pytest.raises(SearcherError, match=r"option of searcher 'random' 'x'.*Known: none"):
        make("random", x=3)


@pytest.mark.parametrize("name", ["default", "tpe+default"])
def test_default_needs_a_default(name: str) -> None:
    with pytest.raises(SearcherError, match=rf"'{name.replace('+', '.')}' needs first_configs"):
        make(name)


def test_illegal_values_are_named() -> None:
    with pytest.raises(SearcherError, match=r"outside the search space: lr=7 is outside"):
        make("random", first_configs=[{**DEFAULT, "lr": 7}])
    with pytest.raises(SearcherError, match=r"startup_trials must be at least 1, got 0"):
        make("gp", startup_trials=0)
    with pytest.raises(SearcherError, match=r"mode must be 'max' or 'min', got 'best'"):
        create("random", SPACE, metric=METRIC, mode="best", seed=0)
    with pytest.raises(SearcherError, match=r"random has no metric"):
        create("random", SPACE, metric=None, seed=0).suggest("a")


@pytest.fixture
def clean_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


@pytest.mark.usefixtures("clean_registry")
def test_outsiders_register_a_factory() -> None:
    register("mine", RandomSearch)
    assert "mine" in names()
    assert "mine+default" in names()
    searcher: Any = make("mine+default", first_configs=[DEFAULT])
    assert propose(searcher, "a") == DEFAULT
    with pytest.raises(SearcherError, match=r"'mine' is already there \(searchers.random_search\)"):
        register("mine", RandomSearch)
    with pytest.raises(SearcherError, match=r"'tpe' is already there"):
        register("tpe", RandomSearch)
    with pytest.raises(SearcherError, match=r"default. cannot be registered"):
        register("other+default", RandomSearch)


@pytest.mark.usefixtures("clean_registry")
def test_a_factory_must_return_a_searcher() -> None:
    def broken(space: SearchSpace, study: StudySettings) -> Any:
        return "no searcher"

    register("broken", broken)
    with pytest.raises(SearcherError, match=r"'broken' returned str, not a ray.tune.search.Searcher"):
        make("broken")


def test_other_packages_join_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("theirs", "searchers.random_search:RandomSearch", registry.ENTRY_POINT_GROUP),
        EntryPoint("gone", "no_such_package:Searcher", registry.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    assert propose(make("theirs"), "a") == propose(make("random"), "a")
    with pytest.raises(SearcherError, match=r"'gone' \(no_such_package:Searcher\) cannot be imported"):
        make("gone")


def test_the_base_is_truly_abstract() -> None:
    compulsory = {"suggest", "on_trial_complete", "get_state", "set_state"}
    assert set(BaseSearcher.__abstractmethods__) == compulsory


def origins(searcher: Any, trials: int) -> list[str]:
    for number in range(trials):
        config = propose(searcher, f"t{number}")
        searcher.on_trial_complete(f"t{number}", report(quadratic(config)))
    return [searcher.proposed_by(f"t{number}") for number in range(trials)]


def test_every_proposal_tells_its_origin() -> None:
    assert origins(make("default", first_configs=[DEFAULT]), 3) == ["default", "random", "random"]
    assert origins(make("tpe-few", startup_trials=2), 4) == ["tpe-few:start-up"] * 2 + ["tpe-few"] * 2
    with_default = origins(make("tpe-few+default", startup_trials=2, first_configs=[DEFAULT]), 4)
    assert with_default == ["first configuration", "tpe-few:start-up", "tpe-few", "tpe-few"]
    with pytest.raises(SearcherError, match=r"trial 'x' was not suggested by random"):
        make("random").proposed_by("x")


@pytest.mark.parametrize("name", ["default", "tpe+default", "cmaes+default", "gp+default"])
def test_first_configs_come_first_and_unchanged(name: str) -> None:
    other = {**DEFAULT, "optimizer": "AdamW", "lr": 0.001}
    searcher = make(name, first_configs=[DEFAULT, other])
    assert [propose(searcher, "a"), propose(searcher, "b")] == [DEFAULT, other]
    assert propose(searcher, "c") not in (DEFAULT, other)


def test_default_draws_what_random_draws() -> None:
    default, blind = make("default", first_configs=[DEFAULT]), make("random")
    propose(default, "default")
    assert [propose(default, i) for i in "abc"] == [propose(blind, i) for i in "abc"]


def test_a_failure_is_learned_as_the_worst_score() -> None:
    """Half of the space fails: the model-based searcher must come to avoid it."""
    space = SearchSpace(
        parameters=(
            FloatParameter(name="lr", low=1e-4, high=1.0, log=True),
            ChoiceParameter(name="o", choices=("a", "b")),
        )
    )
    searcher: Any = create("tpe", space, metric=METRIC, seed=0)
    failures = []
    for number in range(60):
        failed = float(propose(searcher, f"t{number}")["lr"]) > 1e-2
        searcher.on_trial_complete(f"t{number}", None if failed else report(0.5), error=failed)
        failures.append(failed)
    assert sum(failures[:10]) >= 3
    assert sum(failures[-20:]) <= 3
    assert {a.score for a in searcher.attempts().values() if a.failed} == {0.0}


def test_a_failure_never_beats_a_real_score_whatever_was_given_as_worst() -> None:
    searcher: Any = create("random", SPACE, metric="loss", mode="min", worst_score=1.0)
    for trial_id, loss in (("a", math.nan), ("b", 7.5), ("c", math.nan)):
        propose(searcher, trial_id)
        searcher.on_trial_complete(trial_id, {"loss": loss})
    assert [attempt.score for attempt in searcher.attempts().values()] == [7.5, 7.5, 7.5]
    with pytest.raises(SearcherError, match=r"worst_score must be a finite number, got nan"):
        make("random", worst_score=math.nan)


def test_ignored_results_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        make("random").on_trial_complete("stranger", report(0.5))
    assert "trial stranger, which was never suggested here" in caplog.text


def test_late_settings_must_agree() -> None:
    searcher = make("random")
    with pytest.raises(SearcherError, match=r"optimises 'score', Tune was given metric='loss'"):
        searcher.set_search_properties("loss", "max", {})
    with pytest.raises(SearcherError, match=r"mode='max', Tune was given mode='min'"):
        searcher.set_search_properties("score", "min", {})
    unset = create("random", SPACE, metric=None, seed=0)
    assert unset.set_search_properties("late", "max", {})
    assert unset.metric == "late"


def test_state_is_versioned_json_with_plain_values(tmp_path: Path) -> None:
    searcher = make("tpe")
    propose(searcher, "a")
    searcher.save(str(tmp_path / "state.json"))
    saved = json.loads((tmp_path / "state.json").read_text())
    assert saved["format"] == "autommlab.searcher/2"
    assert saved["settings"]["version"] == 1
    assert list(saved["state"]["attempts"]) == ["a"]


def test_a_state_in_which_one_value_was_changed_is_refused(tmp_path: Path) -> None:
    searcher, state = make("random"), tmp_path / "state.json"
    propose(searcher, "a")
    searcher.save(str(state))
    state.write_text(state.read_text().replace('"a"', '"b"', 1))
    with pytest.raises(SearcherError, match=r"is not a searcher state \(it was changed after it was written\)"):
        make("random").restore(str(state))


def test_a_state_of_before_the_digest_is_read(tmp_path: Path) -> None:
    searcher, state = make("random"), tmp_path / "state.json"
    configuration = propose(searcher, "a")
    searcher.save(str(state))
    saved = json.loads(state.read_text())
    del saved["digest"]
    state.write_text(json.dumps(saved | {"format": "autommlab.searcher"}))
    restored = make("random")
    restored.restore(str(state))
    assert propose(restored, "a") == configuration
    state.write_text(json.dumps(saved | {"format": "autommlab.searcher", "state": {"attempts": [1]}}))
    with pytest.raises(SearcherError, match="is not a searcher state"):
        make("random").restore(str(state))


def test_a_failed_save_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searcher = make("random")
    target = tmp_path / "state.json"
    searcher.save(str(target))
    before = target.read_text()

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    propose(searcher, "a")
    with pytest.raises(OSError, match="No space left"):
        searcher.save(str(target))
    assert target.read_text() == before
    assert list(tmp_path.iterdir()) == [target]


def test_other_settings_are_refused_with_a_diff(tmp_path: Path) -> None:
    make("tpe").save(str(tmp_path / "state"))
    other: Any = create("tpe", SPACE, metric=METRIC, seed=1, startup_trials=5)
    with pytest.raises(SearcherError, match=r"seed: saved 0, now 1; startup_trials: saved 10, now 5"):
        other.restore(str(tmp_path / "state"))
    with pytest.raises(SearcherError, match=r"searcher: saved 'tpe', now 'random'"):
        make("random").restore(str(tmp_path / "state"))


@pytest.mark.parametrize("content", ["", '{"format": "autommlab.sear', "[1, 2]", '{"format": "other"}'])
def test_a_broken_state_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "state").write_text(content)
    with pytest.raises(SearcherError, match=r"state is not a searcher state"):
        make("random").restore(str(tmp_path / "state"))


def test_docstring_says_how_to_join() -> None:
    assert "HPO-LLaMA" in str(searchers.__doc__)
