"""A study at work: what it was given, where it stands, and whom it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autommlab.progress.events import Events
from autommlab.training.ledger import Ledger
from autommlab.training.runner_config import TrialSetup
from autommlab.training.study_options import StudyOptions
from autommlab.training.study_state import StudyState

LEDGER_FILE, BEST_FOLDER = "trials.jsonl", "best"


@dataclass(frozen=True)
class StudyAtWork:
    """What `run_study` was given, and what it has opened."""

    setup: TrialSetup
    options: StudyOptions
    folder: Path
    state: StudyState
    ledger: Ledger
    events: Events

    @property
    def best(self) -> Path:
        """Folder of the best trial's weights and config."""
        return self.folder / BEST_FOLDER
