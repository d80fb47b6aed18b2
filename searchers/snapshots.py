"""A study's state on disk that survives kill -9 at any instant.

Ray Tune writes its state (trials, generator, searcher: three files) into a staging
folder and copies that folder into the study's own by a background thread, file by
file and in place. A kill during the copy leaves truncated files or files of two
moments, and `Tuner.restore` then logs an error and silently starts all over.

`StudySnapshots` bundles the three files of one moment into `snapshot.json`, swapped in
as a whole, after each finished trial; `recover` puts them back before `Tuner.restore`.
Ray saves often enough only with the environment variable `SAVE_EVERY_STEP` in the
driver; then the bundle is current a few milliseconds after a trial ends, before any
later event is handled.

From ray 2.60: tune/execution/{tune_controller,experiment_state}.py, `save_to_dir`,
`sync_up_experiment_state`, `resume`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.execution.tune_controller import TuneController
from ray.tune.search.search_generator import SearchGenerator

from searchers.base import BaseSearcher
from searchers.errors import SearcherError
from searchers.state_file import write_text

#: Set it in `os.environ` before `Tuner.fit`: Tune's default saves every 10 s at most.
SAVE_EVERY_STEP = {"TUNE_GLOBAL_CHECKPOINT_S": "0"}

_BUNDLE = "snapshot.json"
_TEMPLATES = (TuneController.CKPT_FILE_TMPL, SearchGenerator.CKPT_FILE_TMPL, BaseSearcher.CKPT_FILE_TMPL)


class StudySnapshots(Callback):
    """Give one to `tune.RunConfig(callbacks=[...])`, for a searcher derived from `BaseSearcher`."""

    def __init__(self) -> None:
        self._staging: Path | None = None
        self._study: Path | None = None

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended or was stopped: the next save is worth keeping."""
        self._study = Path(trial.storage.experiment_fs_path)
        self._staging = Path(trial.storage.experiment_driver_staging_path)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial failed for good: the next save is worth keeping."""
        self.on_trial_complete(iteration, trials, trial)

    def get_state(self) -> dict[str, Any] | None:
        """Tune asks for it right after it has written the other files: the moment to bundle them."""
        if self._staging is not None and self._study is not None:
            files = [_newest(self._staging, template) for template in _TEMPLATES]
            bundle = {file.name: file.read_text(encoding="utf-8") for file in files if file is not None}
            write_text(self._study / _BUNDLE, json.dumps(bundle))
            self._staging = None
        return None


def recover(study: Path) -> bool:
    """Make `study` ready for `Tuner.restore`.

    Args:
        study: `storage_path` / `name` of the run's `tune.RunConfig`.

    Returns:
        False if no trial had finished there: start the study anew.

    Raises:
        SearcherError: the bundle is not one of ours.
    """
    source = study / _BUNDLE
    if not source.exists():
        return False
    try:
        bundle: dict[str, str] = json.loads(source.read_text(encoding="utf-8"))
        complete = len(bundle) == len(_TEMPLATES)
    except (ValueError, TypeError) as error:
        raise SearcherError(f"{source} cannot be read ({error}); start the study anew") from error
    if not complete:
        raise SearcherError(
            f"{source} holds {len(bundle)} of {len(_TEMPLATES)} files ({', '.join(bundle)}); start the study anew"
        )
    for template in _TEMPLATES:
        for file in study.glob(template.format("*")):
            file.unlink()
    for name, text in bundle.items():
        write_text(study / name, text)
    return True


def _newest(folder: Path, template: str) -> Path | None:
    """The file of the latest session; their names sort by time."""
    return max(folder.glob(template.format("*")), default=None)
