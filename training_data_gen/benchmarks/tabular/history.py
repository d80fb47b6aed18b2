"""What searchers may learn from: trials on the other datasets of a set, never on the one that is searched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autommlab.common.files import storage_errors, write_text
from searchers.random_search import sobol_config
from searchers.transfer.trial_history import PastTrial
from training_data_gen.benchmarks.tabular.tables import SETS, Table

#: Configurations of each other dataset.
TRIALS = 64
#: Of the repetitions that they saw; no study has it.
_SEED = -1
FOLDER = "histories"


def history_file(out: Path, task: str) -> Path:
    """Where the history of a task lies in the benchmark's folder."""
    return out / FOLDER / f"{task.replace('/', '-')}.jsonl"


def past_trials(table: Table) -> list[PastTrial]:
    """An earlier study of this dataset: quasi-random configurations, each dataset's in a scrambling of its own."""
    space, context, _ = table.problem
    sequence = list(SETS[table.name].datasets).index(table.dataset)
    points = [table.point(sobol_config(space, number, sequence)) for number in range(TRIALS)]
    return [
        PastTrial(
            context=context.facts,
            parameters=space.parameters,
            config=table.config(point),
            score=table.seen(point, _SEED),
        )
        for point in points
    ]


def write_history(out: Path, table: Table, others: Sequence[Table]) -> Path:
    """The history of one dataset's studies; the same bytes for the same tables.

    Args:
        out: folder of the benchmark.
        table: of the dataset that is left out.
        others: all tables of the set; it may be among them.

    Raises:
        StorageError: it cannot be written.
    """
    trials = [trial for other in others if other.task != table.task for trial in past_trials(other)]
    file = history_file(out, table.task)
    with storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, "".join(trial.model_dump_json() + "\n" for trial in trials))
    return file
