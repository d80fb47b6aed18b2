"""Several searchers compete for the trials of one study; a bandit deals them out.

The bandit: each member proposes once, in order. From then on a member's credit is the mean, over
its last `WINDOW` finished proposals, of how much each raised the best score of the whole study
(as a fraction of the range of scores seen; failures and no improvement count 0, a first score does
too, because nothing was there to be improved on). The next trial is drawn: every member keeps a
minimum fraction of the probability, the rest is dealt out by credit, evenly while nobody has any.
Draws come from the seed and the number of the trial.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autommlab.common.errors import SearcherError, unknown
from searchers.context import StudyContext, StudySettings
from searchers.ensembles.ensemble import Ensemble, member_settings
from searchers.llm.hpo_llama import HpoLlama, has_service, service_client
from searchers.options import takes_options_of
from searchers.optuna_search import cmaes, gp, tpe, tpe_few
from searchers.random_search import RandomSearch
from searchers.registry import today
from searchers.settings import LlmOptions, llm_options
from searchers.space import SearchSpace
from searchers.tracking import TrackingSearcher
from searchers.transfer.zero_shot import zero_shot
from serve.client import ServiceClient

WINDOW = 5
#: What all members together keep whatever their credit; divided evenly.
_KEPT = 0.4

_LLM, _ZERO_SHOT = "hpo-llama", "zero-shot"
_PLAIN: dict[str, Any] = {"tpe": tpe, "tpe-few": tpe_few, "gp": gp, "cmaes": cmaes, "random": RandomSearch}
_MEMBERS = (_LLM, _ZERO_SHOT, *_PLAIN)
_DEFAULT = (_LLM, _ZERO_SHOT, "tpe-few", "random")


def probabilities(
    members: Sequence[str], finished: Sequence[tuple[str, float | None]], *, mode: str
) -> dict[str, float]:
    """Probability of each member to give the next configuration; see the module's docstring.

    Args:
        members: their names.
        finished: (member, score) in the order in which trials ended; None = failed. Names that are
            no members' (first configurations) set the best score without earning credit.
        mode: "max" or "min".
    """
    sign = 1 if mode == "max" else -1
    scores = [sign * score for _, score in finished if score is not None]
    spread = (max(scores) - min(scores)) if scores else 0.0
    best: float | None = None
    gains: dict[str, list[float]] = {name: [] for name in members}
    for member, score in finished:
        gain = 0.0
        if score is not None:
            if best is not None and spread > 0:
                gain = max(0.0, sign * score - best) / spread
            best = sign * score if best is None else max(best, sign * score)
        if member in gains:
            gains[member].append(gain)
    credit = {name: sum(g[-WINDOW:]) / len(g[-WINDOW:]) if g else 0.0 for name, g in gains.items()}
    total = sum(credit.values())
    even = 1 / len(members)
    return {name: _KEPT * even + (1 - _KEPT) * (value / total if total > 0 else even) for name, value in credit.items()}


class Bandit(Ensemble):
    """See the module's docstring.

    Args:
        space, study: see `TrackingSearcher`.
        members: at least one, see `Ensemble`.

    Raises:
        SearcherError: no members.
    """

    def __init__(self, space: SearchSpace, study: StudySettings, *, members: Mapping[str, TrackingSearcher]) -> None:
        if not members:
            raise SearcherError("a bandit needs at least one member")
        super().__init__(space, study, members=members, name="bandit")
        self._ended: list[str] = []

    def _turn(self) -> str:
        proposed = {attempt.details.get("member") for attempt in self._attempts.values()}
        for name in self._members:
            if name not in proposed:
                return name
        ended = [self._attempts[trial_id] for trial_id in self._ended]
        finished = [(a.details.get("member", ""), None if a.failed else a.score) for a in ended]
        chances = probabilities(list(self._members), finished, mode=str(self._mode))
        # The searcher's first name stays in the seed, which belongs to published figures.
        rng = random.Random(f"{self.seed}/portfolio/{len(self._attempts)}")  # noqa: S311 - draws a name, not secrets
        return rng.choices(list(chances), weights=list(chances.values()))[0]

    def _soon(self) -> Iterable[str]:
        return self._members  # the bandit may choose any

    def _learn(self, trial_id: str, score: float) -> None:
        self._ended.append(trial_id)
        super()._learn(trial_id, score)

    def get_state(self) -> dict[str, Any]:
        """Also the order in which trials ended."""
        return {**super().get_state(), "ended": list(self._ended)}

    def set_state(self, state: dict[str, Any]) -> None:
        """See `BaseSearcher.set_state`."""
        super().set_state(state)
        self._ended = list(state["ended"])


@takes_options_of(LlmOptions)
def bandit(
    space: SearchSpace,
    study: StudySettings,
    *,
    context: StudyContext | None = None,
    service: str | ServiceClient | None = None,
    members: Sequence[str] | None = None,
    **options: Any,
) -> Bandit:
    """The members that can take part: "hpo-llama" with a service, the others always.

    Args:
        space, study: see `TrackingSearcher`.
        context, service: see `hpo_llama`.
        members: names; None = hpo-llama, zero-shot, tpe-few, random.
        **options: those of `hpo_llama`.

    Raises:
        SearcherError: a member that does not exist, one that was asked for and cannot take part, or
            an option that is unknown or not allowed.
    """
    names = [today(name) for name in members or _available(service)]
    checked = llm_options("bandit", options, "members")
    for name in names:
        if name not in _MEMBERS:
            raise SearcherError(unknown("member of searcher 'bandit'", name, _MEMBERS))
    own = member_settings(study)
    made: dict[str, TrackingSearcher] = {}
    for name in names:
        if name == _LLM:
            client = service_client("bandit", service, checked.timeout_s)
            made[name] = HpoLlama(space, own, client=client, context=context, options=checked, asks_ahead=False)
        elif name == _ZERO_SHOT:
            made[name] = zero_shot(space, own, context=context, trial_history=checked.trial_history)
        else:
            made[name] = _PLAIN[name](space, own)
    return Bandit(space, study, members=made)


def _available(service: str | ServiceClient | None) -> list[str]:
    """The default members, the LLM if there is a service to ask."""
    return [name for name in _DEFAULT if name != _LLM or has_service(service)]
