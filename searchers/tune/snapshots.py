"""A study's state on disk that survives kill -9 at any instant.

Ray Tune writes its state (trials, generator, searcher: three files) into a staging
folder and copies that folder into the study's own by a background thread, file by
file and in place. A kill during the copy leaves truncated files or files of two
moments, and `Tuner.restore` then logs an error and silently starts all over.

`StudySnapshots` bundles the three files of one moment into `snapshot.zip`, swapped in
as a whole, whenever a trial starts, saves or ends; `recover` puts them back before `Tuner.restore`.
Tune unpickles what it restores, so the bundle also holds the hashes of its files, signed with a key:
`recover` takes none that was written with another one.
Tune's own pace, a save every 10 s at most, is too slow for that. After `save_often` the
bundle is current a few milliseconds after a trial ends, before any later event is handled;
in a study of so many trials that a save takes 0.1 s, a few seconds later, because each save
writes all trials anew and would take most of the driver's time.

From ray 2.60: tune/execution/{tune_controller,experiment_state}.py, `save_to_dir`,
`sync_up_experiment_state`, `resume`.
"""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
import io
import json
import posixpath
import statistics
import zipfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.tune import Callback
from ray.tune.execution import tune_controller
from ray.tune.execution.experiment_state import _ExperimentCheckpointManager
from ray.tune.execution.tune_controller import TuneController
from ray.tune.search.search_generator import SearchGenerator

from autommlab.common.errors import SearcherError, UntrustedSnapshot
from autommlab.common.storage import open_whole, read_whole
from searchers.base import BaseSearcher

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: Seconds from which a save is dear, and the fraction of the driver's time that dear ones may take (Tune's own).
DEAR_SAVE_S, MOST_OF_TIME = 0.1, 0.05

_BUNDLE, _MANIFEST = "snapshot.zip", "manifest.json"
_TEMPLATES = (TuneController.CKPT_FILE_TMPL, SearchGenerator.CKPT_FILE_TMPL, BaseSearcher.CKPT_FILE_TMPL)


def save_often() -> None:
    """Studies of this process save at every step, from `DEAR_SAVE_S` on for `MOST_OF_TIME` of the time.

    Call it before `Tuner.fit` or `tune.run`. TUNE_GLOBAL_CHECKPOINT_S, if set, still decides.
    """
    tune_controller._ExperimentCheckpointManager = PacedSaves  # type: ignore[misc]  # Tune has no setting for it


class PacedSaves(_ExperimentCheckpointManager):
    """Tune's manager with its "auto" pace, but without the 10 s that it waits at least."""

    def __init__(self, *, checkpoint_period: float | str, **settings: Any) -> None:
        self._paced = checkpoint_period == "auto"
        self._costs: deque[float] = deque(maxlen=5)
        super().__init__(checkpoint_period=0 if self._paced else checkpoint_period, **settings)

    def _update_auto_checkpoint_time(self, time_taken: float) -> None:
        """Tune calls it after each save with the seconds that it took.

        One slow save alone changes nothing: the first is the slowest, and a kill soon after it would lose trials.
        """
        if self._paced:
            self._costs.append(time_taken)
            cost = statistics.median(self._costs) if len(self._costs) == self._costs.maxlen else 0.0
            self._checkpoint_period = cost * (1 / MOST_OF_TIME - 1) if cost > DEAR_SAVE_S else 0.0


class StudySnapshots(Callback):
    """Give one to `tune.RunConfig(callbacks=[...])`, for a searcher derived from `BaseSearcher`.

    Args:
        key: signs the bundle; secret.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._staging: Path | None = None
        self._study: tuple[FileSystem, str] | None = None

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """From now on the trial keeps its id."""
        self._due(trial)

    def on_trial_save(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A restored trial goes on from this checkpoint."""
        self._due(trial)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial ended or was stopped; the searcher has learned from it."""
        _lighten(trial)
        self._due(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial failed for good; the searcher has learned from it."""
        _lighten(trial)
        self._due(trial)

    def _due(self, trial: Any) -> None:
        """The next save is worth keeping. A restored trial knows where its study lies now."""
        self._study = trial.storage.storage_filesystem, trial.storage.experiment_fs_path
        self._staging = Path(trial.storage.experiment_driver_staging_path)

    def get_state(self) -> dict[str, Any] | None:
        """Tune asks for it right after it has written the other files: the moment to bundle them."""
        if self._staging is not None and self._study is not None:
            states = [_newest(self._staging, template) for template in _TEMPLATES]
            contents = {state.name: state.read_bytes() for state in states if state is not None}
            files, study = self._study
            _write(files, posixpath.join(study, _BUNDLE), packed(contents, self._key))
            self._staging = None
        return None


def _lighten(trial: Any) -> None:
    """Drop Tune's running averages of a finished trial: nobody asks for them, and they are most of what it weighs."""
    about = trial.run_metadata
    about.metric_analysis, about.metric_n_steps = {}, {}
    trial.invalidate_json_state()


def packed(contents: dict[str, bytes], key: bytes) -> bytes:
    """The bundle of these files (name -> content) with their signed hashes."""
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as pack:
        for name, content in contents.items():
            pack.writestr(name, content)
        pack.writestr(_MANIFEST, _manifest(contents, key))
    return bundle.getvalue()


def _manifest(contents: dict[str, bytes], key: bytes) -> bytes:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}
    signature = hmac.new(key, json.dumps(hashes).encode(), hashlib.sha256).hexdigest()
    return json.dumps({"files": hashes, "signature": signature}).encode()


def recover(study: str | Path, files: FileSystem | None = None, *, key: bytes | None) -> bool:
    """Make `study` ready for `tune.run(resume=True)`, which unpickles nothing there but what is in the bundle.

    Files of Ray's that hold pickles (`*.pkl`) are deleted, in the trials' folders too: our trials write none.
    `tuner.pkl` stays, for `Tuner.restore`; who calls that trusts the folder.

    Args:
        study: `storage_path` / `name` of the run's `tune.RunConfig`.
        files: the storage that it lies on, None = this machine's disk.
        key: that the bundle must be signed with; None takes any, because the person trusts who wrote it.

    Returns:
        False if no trial had started there: start the study anew.

    Raises:
        UntrustedSnapshot: the bundle was signed with another key, or changed.
        SearcherError: the bundle is broken.
        OSError: the storage fails.
    """
    from pyarrow.fs import FileSelector, LocalFileSystem

    files, folder = files or LocalFileSystem(), str(study)
    source = posixpath.join(folder, _BUNDLE)
    stored = read_whole(files, source)
    if stored is None:
        return False
    bundle = _unpacked(stored, source, key)
    for found in files.get_file_info(FileSelector(folder, recursive=True)):
        if found.is_file and _is_unpickled(found.base_name):
            files.delete_file(found.path)
    for name, content in bundle.items():
        _write(files, posixpath.join(folder, name), content)
    return True


def _unpacked(stored: bytes, source: str, key: bytes | None) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(stored)) as pack:  # checks each file's CRC
            bundle = {name: pack.read(name) for name in pack.namelist()}
    except Exception as error:  # damage ends in errors of any type
        raise SearcherError(f"{source} is broken ({error})") from error
    manifest = bundle.pop(_MANIFEST, b"")
    if key is not None and not hmac.compare_digest(manifest, _manifest(bundle, key)):
        raise UntrustedSnapshot(f"{source} was not written by this installation, or was changed since")
    if not all(_is_state(name) and "/" not in name for name in bundle):
        raise SearcherError(f"{source} holds other files than a study's state ({', '.join(bundle)})")
    if len(bundle) != len(_TEMPLATES):
        raise SearcherError(f"{source} holds {len(bundle)} of {len(_TEMPLATES)} files ({', '.join(bundle)})")
    return bundle


def _is_state(name: str) -> bool:
    return any(fnmatch.fnmatch(name, template.format("*")) for template in _TEMPLATES)


def _is_unpickled(name: str) -> bool:
    """Tune unpickles the file, or what its JSON holds, as it restores a study or a trial."""
    return _is_state(name) or (name.endswith(".pkl") and name != "tuner.pkl")


def _write(files: FileSystem, path: str, content: bytes) -> None:
    with open_whole(files, path) as stream:
        stream.write(content)


def _newest(folder: Path, template: str) -> Path | None:
    """The file of the latest session; their names sort by time."""
    return max(folder.glob(template.format("*")), default=None)
