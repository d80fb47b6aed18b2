"""The Ray Tune Trainable of a study whose trials run over several workers each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.training.records import Hyperparameters, TrialRecord
from autommlab.training.trainable import PROGRESS_FILE, AnyTrial, TrialTrainable

if TYPE_CHECKING:
    from autommlab.common.storage import Place
    from autommlab.training.records import GroupShape
    from autommlab.training.runner_config import TrialSetup


class GroupTrainable(TrialTrainable):
    """As `TrialTrainable`, but the trial is trained by a group of other processes."""

    def setup(  # type: ignore[override]  # the additions come from `tune.with_parameters`
        self,
        config: dict[str, Any],
        setup: TrialSetup,
        finished: dict[str, TrialRecord],
        place: Place | None = None,
        *,
        shape: GroupShape,
    ) -> None:
        """Take the study's settings and this trial's hyperparameters.

        Args:
            config, setup, finished, place: as for `TrialTrainable`.
            shape: workers of a trial and their resources.
        """
        self._shape = shape
        super().setup(config, setup, finished, place)

    def _built(self) -> AnyTrial:
        import ray

        from autommlab.training.distributed.group import GroupedTrial, GroupStorage
        from autommlab.training.distributed.worker import GroupJob

        if self._storage is None:
            raise RuntimeError("a trial over several workers needs the storage of a study; run it under Ray Tune")
        files = _contents(self._resume_from) if self._resume_from is not None else None
        job = GroupJob(
            setup=self._setup.model_copy(update={"deadline": None}),  # each worker would hurry in its own way
            point=Hyperparameters.model_validate(self._point),
            workers=self._shape.workers,
            threads=int(self._shape.cpus),
            place=self._place,
            resume=ray.put(files) if files is not None else None,
        )
        storage = GroupStorage(self._storage.trial_fs_path, self._storage.storage_filesystem)
        return GroupedTrial(job, self._shape, storage, Path(self.logdir) / "group")


def _contents(folder: Path) -> dict[str, bytes]:
    """The files of a checkpoint: whatever node a worker is on, Ray brings them there."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != PROGRESS_FILE}
