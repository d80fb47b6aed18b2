"""Proposes given configurations, each once: those of an earlier study that are trained again at full length."""

from __future__ import annotations

from searchers.context import StudySettings
from searchers.space import Configuration, SearchSpace
from searchers.tracking import TrackingSearcher


class FinalistSearch(TrackingSearcher):
    """The study's first configurations in their order, without those that are tried already, then no more.

    Args:
        space: holds them all.
        study: with them as `first_configs`.

    Raises:
        SearcherError: one of them leaves the space.
    """

    def __init__(self, space: SearchSpace, study: StudySettings) -> None:
        super().__init__(space, study, name="finalists")
        self._finalists, self._first_configs = self._first_configs, []

    def suggest(self, trial_id: str) -> Configuration | None:
        """See `BaseSearcher.suggest`."""
        if trial_id not in self._attempts and not self._left():
            return self.FINISHED  # type: ignore[return-value]  # Ray forgot FINISHED
        return super().suggest(trial_id)

    def _propose(self, trial_id: str) -> tuple[Configuration, str]:
        return self._left()[0], "finalist"

    def _left(self) -> list[Configuration]:
        tried = [attempt.config for attempt in self._attempts.values()]
        return [dict(config) for config in self._finalists if config not in tried]
