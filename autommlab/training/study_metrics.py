"""What a study tells Prometheus, through the endpoint that Ray has on every node; Ray puts `ray_` before the names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from autommlab.training.records import TrialRecord

if TYPE_CHECKING:
    from ray.util.metrics import Counter, Gauge, Histogram

TRIALS, TRIAL_SECONDS, BEST = "autommlab_trials", "autommlab_trial_seconds", "autommlab_best_score"
LLM_SECONDS, LLM_TOKENS, LLM_FALLBACKS = "autommlab_llm_seconds", "autommlab_llm_tokens", "autommlab_llm_fallbacks"
#: Upper bounds in seconds. Ray sums a histogram up by its bounds, so a mean of it is rough; quantiles are as usual.
_LLM_BOUNDS = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]


class StudyMetrics:
    """Counts the finished trials of one study; silent where Ray is not connected, and after its first failure.

    Args:
        run: name of the run, the tag of every figure.
        tell: told, once, why figures are missing: no failure here may reach the study.
    """

    def __init__(self, run: str, tell: Callable[[str], None] = lambda words: None) -> None:
        import ray

        self._run, self._tell = {"run": tag(run)}, tell
        self._metrics = _make() if ray.is_initialized() else None

    def add(self, record: TrialRecord, best: float | None) -> None:
        """A trial has ended.

        Args:
            record: of the trial.
            best: best score on val so far.
        """
        if self._metrics is None:
            return
        try:
            self._count(self._metrics, record, best)
        except Exception as error:
            self._metrics = None
            self._tell(f"the study's figures for Prometheus end here: {type(error).__name__}: {error}")

    def _count(self, m: _Metrics, record: TrialRecord, best: float | None) -> None:
        run, proposal = self._run, record.proposal
        m.trials.inc(1, {**run, "status": record.status, "proposed_by": tag(record.proposed_by)})
        if seconds := record.train_s + record.val_s + record.setup_s:
            m.trial_seconds.inc(seconds, run)
        if best is not None:
            m.best.set(best, run)
        if proposal.get("seconds"):
            m.llm_seconds.observe(proposal["seconds"], run)
        for kind, name in (("prompt", "prompt_tokens"), ("generated", "tokens")):
            if proposal.get(name):
                m.llm_tokens.inc(proposal[name], {**run, "kind": kind})
        if reason := proposal.get("fallback"):
            # The first words are the kind of failure; the rest would make a time series of its own each time.
            m.llm_fallbacks.inc(1, {**run, "reason": tag(str(reason).partition(":")[0])})


def tag(text: str) -> str:
    """A text as the value of a tag: Ray takes ASCII only."""
    return text.encode("ascii", "backslashreplace").decode("ascii")


@functools.cache
def _make() -> _Metrics:
    return _Metrics()


class _Metrics:
    """Ray's objects, one per name; several studies of a process share them."""

    def __init__(self) -> None:
        from ray.util.metrics import Counter, Gauge, Histogram

        self.trials: Counter = Counter(TRIALS, "Finished trials.", ("run", "status", "proposed_by"))
        self.trial_seconds: Counter = Counter(TRIAL_SECONDS, "Seconds of finished trials.", ("run",))
        self.best: Gauge = Gauge(BEST, "Best score on val so far.", ("run",))
        self.llm_seconds: Histogram = Histogram(
            LLM_SECONDS, "Seconds that a question to the LLM took.", _LLM_BOUNDS, ("run",)
        )
        self.llm_tokens: Counter = Counter(LLM_TOKENS, "Tokens read and generated.", ("run", "kind"))
        self.llm_fallbacks: Counter = Counter(
            LLM_FALLBACKS, "Trials that the LLM could not propose.", ("run", "reason")
        )
