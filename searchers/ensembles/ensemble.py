"""Several searchers in one study: one gives the next configuration, all see every configuration and result."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from autommlab.common.trial_status import SCORE
from searchers.context import StudySettings
from searchers.space import Configuration, SearchSpace
from searchers.tracking import TrackingSearcher


def member_settings(study: StudySettings) -> StudySettings:
    """What the members of a study are told: they see clean scores, and first configurations as everybody's."""
    return replace(study, metric=SCORE, first_configs=())


class Ensemble(TrackingSearcher):
    """Its members are searchers of this study alone, with `member_settings`.

    Args:
        space, study: see `TrackingSearcher`.
        members: name -> searcher.
        name: see `BaseSearcher`.
    """

    def __init__(
        self, space: SearchSpace, study: StudySettings, *, members: Mapping[str, TrackingSearcher], name: str
    ) -> None:
        super().__init__(space, study, name=name)
        self._members = dict(members)
        self._why: dict[str, Any] = {}

    @abstractmethod
    def _turn(self) -> str:
        """The member that gives the next configuration: a function of the ledger, asked as often as one likes."""

    def _soon(self) -> Iterable[str]:
        """Members whose turn may come before a trial that begins now has ended."""
        return [self._turn()]

    def _running(self) -> int:
        return sum(attempt.score is None for attempt in self._attempts.values())

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        name = self._turn()
        chosen = self._members[name]
        config: Any = chosen.suggest(trial_id)
        details = chosen.proposal_details(trial_id)
        origin = details.pop("proposed_by")
        self._why = {"member": name, **details}
        self._tell_all(trial_id, config, origin)
        return config, origin

    def _explain(self) -> dict[str, Any]:
        return self._why

    def _adopt(self, trial_id: str, config: Configuration) -> None:
        self._tell_all(trial_id, config, self._first_origin)

    def _adopt_foreign(self, trial_id: str, config: Configuration) -> None:
        self._tell_all(trial_id, config, "elsewhere")

    def _tell_all(self, trial_id: str, config: Configuration, origin: str) -> None:
        for member in self._members.values():
            member.observe(trial_id, config, origin)

    def _entered(self, trial_id: str) -> None:
        if len(self._attempts) >= len(self._first_configs):
            for name in self._soon():
                self._members[name].prepare()

    def _learn(self, trial_id: str, score: float) -> None:
        attempt = self._attempts[trial_id]
        status = {"status": "failed", "reason": attempt.reason} if attempt.failed else {}
        for member in self._members.values():
            member.on_trial_complete(trial_id, {SCORE: score, **status})

    def usage(self) -> dict[str, Any]:
        """Also what a member tells of its costs."""
        mine = super().usage()
        for member in self._members.values():
            mine.update({key: value for key, value in member.usage().items() if key not in mine})
        return mine

    def get_state(self) -> dict[str, Any]:
        """The ledger and the members' states."""
        return {**super().get_state(), "members": {n: member.get_state() for n, member in self._members.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        """See `BaseSearcher.set_state`."""
        super().set_state(state)
        for name, member in self._members.items():
            member.set_state(state["members"][name])

    def settings(self) -> dict[str, Any]:
        """See `BaseSearcher.settings`."""
        return {**super().settings(), "members": {n: member.settings() for n, member in self._members.items()}}
