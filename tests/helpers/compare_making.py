"""The folder of a comparison of searchers as it looks before its last study is finished."""

from __future__ import annotations

from pathlib import Path

from autommlab.common.files import write_text
from autommlab.compare.records import OPTIONS_FILE, SUMMARY_FILE, CompareOptions, StudySummary
from autommlab.options import RunOptions
from autommlab.storage.run_folder import RunFolder

SEARCHERS, SEEDS, TRIALS = ("surrogate-grid", "tpe"), 3, 8


def make_comparison(folder: Path) -> Path:
    """Two searchers with three seeds; the last study of the second one is under way."""
    options = RunOptions(text="tell cats and dogs apart", trials=TRIALS)
    run = RunFolder(folder)
    run.open(options)
    asked = CompareOptions(run=options, searchers=SEARCHERS, seeds=SEEDS)
    write_text(folder / OPTIONS_FILE, asked.model_dump_json())
    for rank, searcher in enumerate(SEARCHERS):
        for seed in range(SEEDS):
            study = folder / "studies" / searcher / f"seed-{seed}"
            study.mkdir(parents=True)
            if (searcher, seed) == (SEARCHERS[-1], SEEDS - 1):
                continue
            scores = tuple(0.4 + 0.05 * trial + 0.02 * seed - 0.1 * rank for trial in range(TRIALS))
            done = StudySummary(
                searcher=searcher, seed=seed, scores=scores, statuses=("ok",) * TRIALS, proposed_by={searcher: TRIALS},
                test=scores[-1] - 0.01, seconds=60.0,
            )  # fmt: skip
            write_text(study / SUMMARY_FILE, done.model_dump_json())
    run.close()
    return folder
