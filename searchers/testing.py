"""The contract tests of a searcher, to be subclassed: `class TestMine(SearcherContract)`.

A subclass gives one fixture, `make_searcher`, which returns a factory
`(space, seed) -> searcher` for a maximised metric `METRIC`; it must survive
cloudpickle, e.g. a `functools.partial` of an importable function. The tests never
look inside the searcher: they play Ray Tune's part.

Needs pytest and hypothesis, which nothing else in this package imports. One test starts
a second process and carries the marker `slow`; register it in your pytest configuration.
"""
# ruff: noqa: S101 - asserting is what a test module does

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ray import cloudpickle
from ray.tune.search import ConcurrencyLimiter, Searcher
from ray.tune.search.search_generator import SearchGenerator

from autommlab.common.trial_status import SCORE
from searchers.space import ChoiceParameter, Configuration, FloatParameter, IntParameter, Parameter, SearchSpace

MakeSearcher = Callable[[SearchSpace, int], Searcher]

#: The key under which the tests report the objective.
METRIC = SCORE

#: A space like the real one: log integers, log floats, choices.
SPACE = SearchSpace(
    parameters=(
        IntParameter(name="iterations", low=20, high=120),
        IntParameter(name="batch_size", low=1, high=64, log=True),
        ChoiceParameter(name="optimizer", choices=("SGD", "Adam", "AdamW", "RMSprop")),
        FloatParameter(name="lr", low=1e-5, high=1e-1, log=True),
        FloatParameter(name="weight_decay", low=1e-6, high=1e-2, log=True),
    )
)

_CHILD = """
import json, sys
from pathlib import Path
from ray import cloudpickle
from searchers.testing import play
make, space, seed, trials = cloudpickle.loads(Path(sys.argv[1]).read_bytes())
print("proposals:" + json.dumps(play(make(space, seed), trials)))
"""


def quadratic(config: Configuration) -> float:
    """A score in 0..1 with its best at lr = 1e-3 and AdamW."""
    distance = (math.log10(float(config.get("lr", 1e-3))) + 3) / 2
    return 0.9 - 0.6 * distance**2 + (0.1 if config.get("optimizer") == "AdamW" else 0.0)


def report(score: Any, iteration: int = 3) -> dict[str, Any]:
    """A result as Tune hands it on."""
    return {METRIC: score, "training_iteration": iteration, "trial_id": "x", "done": True}


def propose(searcher: Searcher, trial_id: str) -> Configuration:
    """A configuration, or an assertion error if the searcher declines."""
    config: Any = searcher.suggest(trial_id)
    assert isinstance(config, dict), f"trial {trial_id}: expected a configuration, got {config!r}"
    return config


def ask_and_tell(
    searcher: Searcher, trials: int, *, start: int = 0, pending: Sequence[tuple[str, Configuration]] = ()
) -> list[Configuration]:
    """Run trials one after the other, every fifth one failing; those `pending` finish midway."""
    configs = []
    for number in range(start, start + trials):
        trial_id = f"trial{number}"
        configs.append(propose(searcher, trial_id))
        if number == start + trials // 2:
            for open_id, config in pending:
                searcher.on_trial_complete(open_id, report(quadratic(config)))
        if number % 5 == 4:
            searcher.on_trial_complete(trial_id, error=True)
        else:
            searcher.on_trial_result(trial_id, report(quadratic(configs[-1]) / 2, iteration=1))
            searcher.on_trial_complete(trial_id, report(quadratic(configs[-1])))
    return configs


@st.composite
def _parameters(draw: st.DrawFn, name: str) -> Parameter:
    kind = draw(st.sampled_from(("int", "float", "choice")))
    if kind == "choice":
        return ChoiceParameter(name=name, choices=tuple("abcde"[: draw(st.integers(1, 5))]))
    log = draw(st.booleans())
    if kind == "int":
        low = draw(st.integers(1 if log else -50, 50))
        return IntParameter(name=name, low=low, high=low + draw(st.integers(0, 1000)), log=log)
    low_float = draw(st.floats(1e-7, 1.0) if log else st.floats(-10, 10))
    width = draw(st.sampled_from((0.0, 1e-6, 1.0, 1e3)))
    return FloatParameter(name=name, low=low_float, high=low_float + width, log=log)


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """One to five parameters of any kind, one-value ranges included."""
    count = draw(st.integers(1, 5))
    return SearchSpace(parameters=tuple(draw(_parameters(f"p{number}")) for number in range(count)))


#: The one test is inherited by every subclass, and that several of them run in one process is meant.
_HYPOTHESIS = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


class SearcherContract:
    """What every searcher promises; see the module's docstring."""

    #: Trials of the long run; a searcher whose proposals take long may say fewer, with the reason.
    many_trials: ClassVar[int] = 200
    #: Trials of the shorter tests: past the start-up phase, so that the model proposes too.
    some_trials: ClassVar[int] = 14

    @pytest.fixture
    def make_searcher(self) -> MakeSearcher:
        """The factory under test; a subclass overrides this."""
        raise NotImplementedError("override the fixture make_searcher")

    @_HYPOTHESIS
    @given(space=spaces(), seed=st.integers(0, 2**40))
    def test_proposals_are_plain_values_inside_the_space(
        self, make_searcher: MakeSearcher, space: SearchSpace, seed: int
    ) -> None:
        """Also where ranges hold one value only, and after the model took over."""
        for config in ask_and_tell(make_searcher(space, seed), self.some_trials):
            assert space.violations(config) == []
            assert {type(value) for value in config.values()} <= {int, float, str}

    def test_works_with_one_trial(self, make_searcher: MakeSearcher) -> None:
        """The shortest study."""
        assert ask_and_tell(make_searcher(SPACE, 0), 1)[0] in SPACE

    def test_works_with_many_trials(self, make_searcher: MakeSearcher) -> None:
        """A long study stays inside the space and does not repeat one configuration."""
        configs = ask_and_tell(make_searcher(SPACE, 0), self.many_trials)
        assert all(config in SPACE for config in configs)
        assert len({json.dumps(config) for config in configs}) > self.many_trials / 2

    def test_asking_twice_gives_the_same_config(self, make_searcher: MakeSearcher) -> None:
        """And leaves the next proposal as it would have been."""
        once, twice = make_searcher(SPACE, 0), make_searcher(SPACE, 0)
        assert propose(twice, "a") == propose(twice, "a") == propose(once, "a")
        assert propose(twice, "b") == propose(once, "b")

    def test_caller_may_change_the_config_it_got(self, make_searcher: MakeSearcher) -> None:
        """What comes back is the caller's own."""
        searcher = make_searcher(SPACE, 0)
        before = dict(propose(searcher, "a"))
        propose(searcher, "a").clear()
        assert propose(searcher, "a") == before

    def test_same_seed_same_proposals(self, make_searcher: MakeSearcher) -> None:
        """Two instances, one history."""
        assert ask_and_tell(make_searcher(SPACE, 7), self.some_trials) == ask_and_tell(
            make_searcher(SPACE, 7), self.some_trials
        )

    def test_another_seed_other_proposals(self, make_searcher: MakeSearcher) -> None:
        """The seed reaches the generator."""
        assert ask_and_tell(make_searcher(SPACE, 7), 4) != ask_and_tell(make_searcher(SPACE, 8), 4)

    @pytest.mark.slow
    @pytest.mark.long
    def test_same_proposals_in_another_process(self, make_searcher: MakeSearcher, tmp_path: Path) -> None:
        """With other string hashes."""
        job = tmp_path / "job.pkl"
        job.write_bytes(cloudpickle.dumps((make_searcher, SPACE, 7, self.some_trials)))
        child = subprocess.run(  # noqa: S603 - this interpreter with our own text
            [sys.executable, "-c", _CHILD, str(job)],
            env={**os.environ, "PYTHONHASHSEED": "random", "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        lines = [line for line in child.stdout.splitlines() if line.startswith("proposals:")]
        assert lines, child.stderr
        assert json.loads(lines[0].removeprefix("proposals:")) == ask_and_tell(
            make_searcher(SPACE, 7), self.some_trials
        )

    def test_survives_failed_trials(self, make_searcher: MakeSearcher) -> None:
        """Errors without a result and endings without a result, from the first trial on."""
        searcher = make_searcher(SPACE, 0)
        for number in range(self.some_trials):
            assert propose(searcher, f"t{number}") in SPACE
            searcher.on_trial_complete(f"t{number}", result=None, error=number % 2 == 0)

    @pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e3, -1e4), (1e-4, 5.0)])
    def test_a_failed_trial_is_worse_than_every_score(
        self, make_searcher: MakeSearcher, scale: float, shift: float
    ) -> None:
        """Whatever their scale and sign, also one that failed before there was a score."""
        searcher: Any = make_searcher(SPACE, 0)
        for number in range(self.some_trials):
            config, failed = propose(searcher, f"t{number}"), number % 4 == 0
            value = scale * quadratic(config) + shift
            searcher.on_trial_complete(f"t{number}", None if failed else report(value), error=failed)
        ledger = searcher.attempts().values() if hasattr(searcher, "attempts") else ()
        reached = [attempt.score for attempt in ledger if not attempt.failed]
        assert all(attempt.score < min(reached) for attempt in ledger if attempt.failed)

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "high"])
    def test_survives_unusable_scores(self, make_searcher: MakeSearcher, value: Any) -> None:
        """In every other trial, in reports and at the end."""
        searcher = make_searcher(SPACE, 0)
        for number in range(self.some_trials):
            config = propose(searcher, f"t{number}")
            assert config in SPACE
            result = report(value if number % 2 else quadratic(config))
            searcher.on_trial_result(f"t{number}", result)
            searcher.on_trial_complete(f"t{number}", result)

    def test_names_a_missing_metric(self, make_searcher: MakeSearcher, caplog: pytest.LogCaptureFixture) -> None:
        """An error in the log that says which key was expected, and the study goes on."""
        searcher = make_searcher(SPACE, 0)
        propose(searcher, "a")
        with caplog.at_level(logging.ERROR):
            searcher.on_trial_result("a", {"other": 0.5, "training_iteration": 1})
            searcher.on_trial_complete("a", {"other": 0.5, "training_iteration": 3})
        assert any(METRIC in r.getMessage() and "other" in r.getMessage() for r in caplog.records)
        assert propose(searcher, "b") in SPACE

    def test_ignores_results_that_come_too_late(self, make_searcher: MakeSearcher) -> None:
        """After completion, a second completion, or for a trial nobody suggested."""
        noisy, quiet = make_searcher(SPACE, 3), make_searcher(SPACE, 3)
        played = ask_and_tell(noisy, self.some_trials)
        assert played == ask_and_tell(quiet, self.some_trials)
        noisy.on_trial_result("trial3", report(0.99))
        noisy.on_trial_complete("trial3", report(0.99))
        noisy.on_trial_complete("trial3", error=True)
        noisy.on_trial_result("stranger", report(0.99))
        noisy.on_trial_complete("stranger", report(0.99))
        assert ask_and_tell(noisy, 4, start=self.some_trials) == ask_and_tell(quiet, 4, start=self.some_trials)

    def test_lives_with_trials_that_never_finish(self, make_searcher: MakeSearcher) -> None:
        """Every third one stays open."""
        searcher = make_searcher(SPACE, 0)
        for number in range(self.some_trials):
            config = propose(searcher, f"t{number}")
            assert config in SPACE
            if number % 3:
                searcher.on_trial_complete(f"t{number}", report(quadratic(config)))

    def test_respects_a_concurrency_limit(self, make_searcher: MakeSearcher) -> None:
        """Wrapped by Ray's limiter, as `max_concurrent_trials` does it."""
        searcher = ConcurrencyLimiter(make_searcher(SPACE, 0), max_concurrent=2)
        configs = [propose(searcher, trial_id) for trial_id in "ab"]
        assert searcher.suggest("c") is None
        searcher.on_trial_complete("a", report(0.5))
        configs.append(propose(searcher, "c"))
        assert searcher.suggest("d") is None
        searcher.on_trial_complete("b", error=True)
        configs.append(propose(searcher, "d"))
        assert all(config in SPACE for config in configs)
        assert len({json.dumps(config) for config in configs}) == 4

    def test_accepts_late_search_properties(self, make_searcher: MakeSearcher) -> None:
        """What Tune hands over before the first trial when `param_space` holds constants."""
        from ray import tune

        late, plain = make_searcher(SPACE, 0), make_searcher(SPACE, 0)
        assert late.set_search_properties(METRIC, "max", {"study": "constant"}, num_samples=3)
        assert ask_and_tell(late, 3) == ask_and_tell(plain, 3)
        assert not late.set_search_properties(METRIC, "max", {"lr": tune.uniform(0, 1)})

    def test_restored_searcher_goes_on_the_same_way(self, make_searcher: MakeSearcher, tmp_path: Path) -> None:
        """In mid-study, with two open trials, into an instance that knows nothing."""
        original = make_searcher(SPACE, 5)
        ask_and_tell(original, self.some_trials)
        pending = [(trial_id, propose(original, trial_id)) for trial_id in ("open1", "open2")]
        original.save(str(tmp_path / "state"))
        restored = make_searcher(SPACE, 5)
        restored.restore(str(tmp_path / "state"))
        expected = ask_and_tell(original, 4, start=self.some_trials, pending=pending)
        assert ask_and_tell(restored, 4, start=self.some_trials, pending=pending) == expected
        assert [propose(restored, trial_id) for trial_id, _ in pending] == [p for _, p in pending]

    def test_restores_before_the_first_trial(self, make_searcher: MakeSearcher, tmp_path: Path) -> None:
        """Tune may save before it asks."""
        original, restored = make_searcher(SPACE, 5), make_searcher(SPACE, 5)
        original.save(str(tmp_path / "state"))
        restored.restore(str(tmp_path / "state"))
        assert ask_and_tell(restored, 4) == ask_and_tell(original, 4)

    def test_restores_layer_by_layer(self, make_searcher: MakeSearcher, tmp_path: Path) -> None:
        """Through Tune's own generator and limiter, as in a study's folder."""
        original, restored = make_searcher(SPACE, 5), make_searcher(SPACE, 5)
        limited = ConcurrencyLimiter(original, max_concurrent=1)
        propose(limited, "open")
        SearchGenerator(limited).save_to_dir(str(tmp_path), "session")
        limited_again = ConcurrencyLimiter(restored, max_concurrent=1)
        SearchGenerator(limited_again).restore_from_dir(str(tmp_path))
        assert limited_again.suggest("next") is None
        for searcher in (limited, limited_again):
            searcher.on_trial_complete("open", report(0.4))
        assert ask_and_tell(restored, 3) == ask_and_tell(original, 3)

    def test_survives_pickling_before_the_study(self, make_searcher: MakeSearcher) -> None:
        """Tune pickles the fresh searcher into `tuner.pkl`, and a restored run starts from that."""
        copied = cloudpickle.loads(cloudpickle.dumps(make_searcher(SPACE, 5)))
        assert ask_and_tell(copied, self.some_trials) == ask_and_tell(make_searcher(SPACE, 5), self.some_trials)

    def test_finds_good_configs(self, make_searcher: MakeSearcher) -> None:
        """At least as well as 20 blind draws nearly always do."""
        configs = ask_and_tell(make_searcher(SPACE, 1), 20)
        assert max(map(quadratic, configs)) > 0.8
