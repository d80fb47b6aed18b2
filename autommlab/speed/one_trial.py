"""One trial in a process of its own, as the reference implementation runs every trial.

Run by `autommlab bench overhead` as `python -m autommlab.speed.one_trial SETUP.json POINT.json WORK_DIR`.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(setup_file: Path, config_file: Path, work_dir: Path) -> None:
    """Import the toolbox, train, validate at each report, save, exit."""
    import torch

    from autommlab.training.records import Hyperparameters
    from autommlab.training.runner_config import TrialSetup
    from autommlab.training.trial import Trial

    torch.set_num_threads(1)
    setup = TrialSetup.model_validate_json(setup_file.read_bytes())
    config = Hyperparameters.model_validate_json(config_file.read_bytes())
    trial = Trial(setup, config, work_dir)
    while not trial.finished:
        print(trial.advance())
        trial.save(work_dir)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
