"""Studies of an earlier benchmark, of another day or another machine, taken over instead of run again."""

from __future__ import annotations

from pathlib import Path

from autommlab.errors import RequestError, ResumeError
from autommlab.files import write_text
from autommlab.race.run_race import LAP_FILE, lap_folder
from training_data_gen.benchmarks.hpo_records import HpoBenchOptions, HpoBenchResult

__all__ = ["read_result", "take_over"]


def read_result(file: Path, option: str) -> HpoBenchResult:
    """What `autommlab bench hpo` wrote to `file`.

    Args:
        file: its bench-hpo.json.
        option: of the command line that named it, for the message.

    Raises:
        RequestError: the file is something else.
    """
    try:
        return HpoBenchResult.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise RequestError(f"{option} {file} is no result of `autommlab bench hpo`: {error}") from error


def take_over(earlier: HpoBenchResult, options: HpoBenchOptions, out: Path) -> int:
    """Put the earlier studies into `out`, where it has none of its own; how many.

    Args:
        earlier: of real trials with the same budget.
        options: of this benchmark; studies that it does not ask for are taken too, and stay unused.
        out: folder of this benchmark.

    Raises:
        ResumeError: the earlier studies had another number of trials, or nothing was trained for them.
    """
    if earlier.source.kind != "real trials":
        raise ResumeError(f"the earlier benchmark is {earlier.source.in_words()}: only real trials can be gone on with")
    if earlier.trials != options.trials:
        raise ResumeError(
            f"the earlier studies have {earlier.trials} trials each, now asked: {options.trials}. "
            f"Give --trials {earlier.trials}, or leave them out"
        )
    taken = 0
    for bag, race in earlier.races.items():
        for lap in race.laps:
            stored = lap_folder(out / bag, lap.searcher, lap.seed) / LAP_FILE
            if not stored.exists():
                stored.parent.mkdir(parents=True, exist_ok=True)
                write_text(stored, lap.model_dump_json(indent=1))
                taken += 1
    return taken
