"""A run as Python sees it: each property reads what its folder holds now."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from autommlab.api.arguments import AnyPath
from autommlab.api.bundles import Bundle, Picture, load_bundle
from autommlab.api.errors import our_errors
from autommlab.api.studies import Study
from autommlab.common import jsonl
from autommlab.common.errors import UnfinishedError
from autommlab.compare.records import require_no_comparison
from autommlab.data.records import Bag
from autommlab.deployment.predicting import DEFAULT_THRESHOLD, Box
from autommlab.deployment.records import Deployment, LimitCheck
from autommlab.models.records import ModelChoice
from autommlab.options import RunOptions
from autommlab.planning.records import Plan
from autommlab.progress.events import read_event
from autommlab.status.records import RunStatus
from autommlab.status.runs import run_status
from autommlab.storage.run_folder import RunFolder
from autommlab.storage.run_target import run_target
from autommlab.training.ledger import read_ledger
from autommlab.training.records import StudyResult
from autommlab.training.study_at_work import LEDGER_FILE
from autommlab.understanding.request import ModelRequest

Record = TypeVar("Record", bound=BaseModel)


class Run:
    """A run, finished or not; made by `run`, `resume` and `open_run`.

    A property whose stage has not finished raises `UnfinishedError`.

    Attributes:
        folder: of this machine.
        name: what `resume` takes: the folder, or the URI of a run on a storage.
    """

    def __init__(self, folder: Path, name: str = "") -> None:
        self._folder = RunFolder(folder)
        self.folder = self._folder.path
        self.name = name or str(self.folder)

    def __repr__(self) -> str:
        trials = len(read_ledger(self._folder.study / LEDGER_FILE).records)
        return f"<Run {self.name}: {'finished' if self.finished else 'not finished'}, {trials} trials>"

    @property
    def finished(self) -> bool:
        """Whether every stage has its record."""
        return (self.folder / "deployment.json").exists() and (self.folder / "study.json").exists()

    @property
    def status(self) -> RunStatus:
        """How far it has come, as `autommlab status` tells it; of a run at work too."""
        return run_status(self.folder)

    @property
    def options(self) -> RunOptions:
        """What was asked for, as it is stored."""
        return self._folder.options()

    @property
    def request(self) -> ModelRequest:
        """What the sentence was understood to ask for."""
        return self._record("request", ModelRequest, "understanding")

    @property
    def dataset(self) -> Bag:
        """Classes, splits and origin of the pictures."""
        return self._record("bag", Bag, "data")

    @property
    def model(self) -> ModelChoice:
        """The model that was chosen, why, and the runners-up."""
        return self._record("model", ModelChoice, "model")

    @property
    def plan(self) -> Plan:
        """How the time is spent."""
        return self._record("plan", Plan, "plan")

    @property
    def study(self) -> Study:
        """The trials that are finished, none at first, and what came of them."""
        folders = (self._folder.study, self._folder.final)
        searched, finals = (tuple(read_ledger(folder / LEDGER_FILE).records) for folder in folders)
        return Study(self.folder, searched, finals, self._folder.read("study", StudyResult))

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """Those of the delivered model: "val" and "test", each name -> fraction.

        Where it is trained on train and val, "val" are those of `study.result.cross_validation`.
        """
        result = self._record("study", StudyResult, "training")
        return {"val": result.val_metrics, "test": result.test_metrics}

    @property
    def deployment(self) -> Deployment:
        """The exported model against PyTorch, and against what was asked for."""
        return self._record("deployment", Deployment, "deployment")

    @property
    def unmet(self) -> list[LimitCheck]:
        """Requirements that are not met, or could not be measured."""
        return [check for check in self.deployment.limits if check.holds is not True]

    @functools.cached_property
    def bundle(self) -> Bundle:
        """The deployed model, loaded once."""
        return load_bundle(self.deployment.bundle)

    @property
    def report(self) -> Path:
        """The file `report.html`, which a run that failed has as well."""
        if not self._folder.report.exists():
            raise self._unfinished("report", "deployment")
        return self._folder.report

    @property
    def warnings(self) -> list[str]:
        """What a person should know of the run, a sentence each; `progress=True` shows them as they come."""
        events = jsonl.read_records(self._folder.events, read_event).records
        return list(dict.fromkeys(event.message for event in events if event.kind == "warning"))

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Stage -> seconds that it took."""
        return self._folder.stage_seconds()

    def predict(
        self, image: Picture, *, threshold: float = DEFAULT_THRESHOLD, boxes: Sequence[Box] | None = None
    ) -> dict[str, Any]:
        """What the deployed model sees in a picture; see `Bundle.predict`."""
        return self.bundle.predict(image, threshold=threshold, boxes=boxes)

    def _record(self, name: str, kind: type[Record], stage: str) -> Record:
        record = self._folder.read(name, kind)
        if record is None:
            raise self._unfinished(name, stage)
        return record

    def _unfinished(self, name: str, stage: str) -> UnfinishedError:
        return UnfinishedError(
            f"{self.folder} has no {name} yet: its stage {stage!r} has not finished. Go on with "
            f"autommlab.resume({self.name!r})"
        )


def open_run(folder: AnyPath) -> Run:
    """A run that was started before, here or by the command line, finished or not.

    Args:
        folder: of the run, or its URI on a storage, of which what is there is fetched.

    Raises:
        ResumeError: it holds no run, or a comparison.
        StorageError: the storage cannot be read.
    """
    with our_errors():
        target = run_target(os.fspath(folder), resume=True)
        require_no_comparison(target.folder)
        run = Run(target.folder, target.name)
        run.options  # noqa: B018 - says what is wrong with the folder
        return run
