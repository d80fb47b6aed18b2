"""The contract of a searcher: four methods to write, everything else has a default.

Who calls what: Ray Tune's controller, in the driver process, in one thread.

`suggest(trial_id)`: before each trial, inside the controller's loop, so a slow
    answer stalls every running trial. At most `max_concurrent_trials` proposals
    are open at a time. Return a configuration; None means "ask me later" (Tune sleeps a
    second when nothing else runs); `FINISHED` ends the study early.
`on_trial_result(trial_id, result)`: after each report but the last; does nothing here.
`on_trial_complete(trial_id, result, error)`: once a trial, after its last report.
    `error=True` comes without a result; a trial stopped by a scheduler comes with
    its last one. The metric may be missing, NaN or infinite: all of that is a
    failed trial, as is a result whose "status" is there and neither "ok" nor "stopped"
    ("reason" may say more); it counts as worse than every score that a trial reached,
    whatever the scale and sign. It must never raise: an exception
    here ends the whole study. It may come for a trial that was never suggested
    (restarted after a crash) or twice: both are to be ignored.
`get_state()` / `set_state(state)`: after each change of the study's snapshot
    (about every 10 s unless TUNE_GLOBAL_CHECKPOINT_S says otherwise) and once on
    restore, into a fresh instance made with the same arguments. Plain JSON
    values; afterwards the next suggestions equal those of the uninterrupted run.

Every random number comes from a generator made from `seed`.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher
from ray.tune.search.variant_generator import _has_unresolved_values

from autommlab.common.errors import SearcherError
from autommlab.common.files import replacing
from searchers.context import StudySettings
from searchers.space import Configuration, SearchSpace

_FORMAT = "autommlab.searcher/2"
#: Of files without a digest, which studies begun with version 1 hold.
_OLD_FORMAT = "autommlab.searcher"


class BaseSearcher(Searcher, ABC):
    """A Ray Tune searcher over one `SearchSpace`, made anew for each study.

    Args:
        space: what may be proposed.
        study: metric, mode, seed and what a failed trial counts as.
        name: how the searcher is called in records; part of the saved state.
    """

    #: Raise it when the meaning of the state changes; older files are then refused by name.
    STATE_VERSION = 1
    CKPT_FILE_TMPL = "searcher-state-{}.json"

    def __init__(self, space: SearchSpace, study: StudySettings, *, name: str) -> None:
        super().__init__(metric=study.metric, mode=study.mode)
        self.space = space
        self.seed = study.seed
        self.name = name
        self.worst_score = study.worst_score

    @abstractmethod
    def suggest(self, trial_id: str) -> Configuration | str | None:  # type: ignore[override] # Ray forgot FINISHED
        """A configuration inside the space, None (later) or `FINISHED`; the same configuration if asked twice."""

    @abstractmethod
    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Learn from a finished or failed trial; never raise."""

    @abstractmethod
    def get_state(self) -> dict[str, Any]:
        """Everything that decides the next suggestions, as plain JSON values."""

    @abstractmethod
    def set_state(self, state: dict[str, Any]) -> None:
        """Take over what `get_state` gave, whatever this instance has done before."""

    def proposed_by(self, trial_id: str) -> str:
        """Who chose this trial's configuration: the searcher's name, unless it has several sources."""
        return self.name

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Tune's late settings: called once before the first trial if `param_space` is not empty.

        Returns:
            False if `config` holds a search space, which this searcher has already.

        Raises:
            SearcherError: `metric` or `mode` contradicts the constructor's.
        """
        if metric and self._metric and metric != self._metric:
            raise SearcherError(f"the searcher optimises {self._metric!r}, Tune was given metric={metric!r}")
        if mode and mode != self._mode:
            raise SearcherError(f"the searcher has mode={self._mode!r}, Tune was given mode={mode!r}")
        self._metric = metric or self._metric
        return not _has_unresolved_values(config)

    def save(self, checkpoint_path: str) -> None:
        """Write settings and state as JSON; a crash leaves the previous file whole."""
        _write_state(Path(checkpoint_path), self.settings(), self.get_state())

    def restore(self, checkpoint_path: str) -> None:
        """Go on from a file of `save`, made by a searcher with the same settings.

        Raises:
            SearcherError: the file is no such state, is damaged, or was made with other settings.
        """
        source = Path(checkpoint_path)
        state = _read_state(source, self.settings())
        try:
            self.set_state(state)
        except Exception as error:  # a searcher of somebody else may fail in any way on what it did not write
            raise _no_state(source, error) from error

    def settings(self) -> dict[str, Any]:
        """What must be equal between the searcher that saves and the one that restores (JSON values)."""
        return {
            "searcher": self.name,
            "version": self.STATE_VERSION,
            "mode": self._mode,
            "seed": self.seed,
            "worst_score": self.worst_score,
            "space": self.space.model_dump(mode="json"),
        }


def _write_state(target: Path, settings: dict[str, Any], state: dict[str, Any]) -> None:
    """Write `settings` and `state`, swapped in as a whole."""
    content = {"format": _FORMAT, "digest": _digest(settings, state), "settings": settings, "state": state}
    with replacing(target) as draft:
        draft.write_text(json.dumps(content, allow_nan=False))


def _read_state(source: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The state in `source`, if it was written with equal `settings`.

    Raises:
        SearcherError: the file is no searcher state, or its settings differ (each with both values).
    """
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
        if content["format"] not in (_FORMAT, _OLD_FORMAT):
            raise ValueError(f"format {str(content['format'])[:40]!r} instead of {_FORMAT!r}")
        saved, state = dict(content["settings"]), dict(content["state"])
        if content["format"] == _FORMAT and content["digest"] != _digest(saved, state):
            raise ValueError("it was changed after it was written")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_state(source, error) from error
    mine = json.loads(json.dumps(settings))
    changed = [key for key in sorted({*mine, *saved}) if mine.get(key) != saved.get(key)]
    if changed:
        diff = "; ".join(f"{key}: saved {saved.get(key)!r}, now {mine.get(key)!r}" for key in changed)
        raise SearcherError(f"{source} belongs to other settings ({diff}); resume with the saved ones")
    return state


def _digest(settings: dict[str, Any], state: dict[str, Any]) -> str:
    """Of what was saved: a state that is damaged in a single value would misguide the study in silence."""
    return hashlib.sha256(json.dumps([settings, state], sort_keys=True).encode()).hexdigest()


def _no_state(source: Path, error: Exception) -> SearcherError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return SearcherError(f"{source} is not a searcher state ({reason}); restore an older one or start the study anew")
