"""`autommlab trials`: real trainings over many datasets, what HPO-LLaMA and the transfer searchers learn from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autommlab.cli.shared import going_on, names_with_commas, print_table, tasks_named

if TYPE_CHECKING:
    from training_data_gen.trials.run import TrialsSummary


def trials_command(
    out: Annotated[Path, typer.Option(help="Folder; the same command again goes on with it.")] = Path("runs/trials"),
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would be trained.")] = False,
    card: Annotated[
        Path | None, typer.Option(help="Only write the data card and plots of this folder's trials.")
    ] = None,
    trial_history: Annotated[
        Path | None,
        typer.Option(help="Only write the trials that may be learnt from, for the searchers zero-shot and surrogate."),
    ] = None,
    pack: Annotated[Path | None, typer.Option(help="Only write all trials compressed (.jsonl.gz), to keep.")] = None,
    per_dataset: Annotated[int, typer.Option(min=1, help="Quasi-random configurations of each dataset.")] = 20,
    datasets: Annotated[int | None, typer.Option(min=1, help="Only the first so many of the plan.")] = None,
    held_out: Annotated[
        bool,
        typer.Option("--held-out", help="Only the held-out tasks; with --per-dataset 200 dense tables to search on."),
    ] = False,
    tasks: Annotated[str, typer.Option(help="Names with commas. [default: all four]", show_default=False)] = "",
    data: Annotated[str, typer.Option(help="Your own sets to add, registered names with commas.")] = "",
    known: Annotated[
        Path | None, typer.Option(help="Trials of another folder or file, whose finished studies are taken over.")
    ] = None,
    hours: Annotated[
        float | None, typer.Option(min=0.01, help="Begin no dataset that would probably end later.")
    ] = None,
    default: Annotated[bool, typer.Option(help="Also train the default configuration on each dataset.")] = True,
    near: Annotated[int, typer.Option(min=0, help="Configurations of each dataset around the default one.")] = 8,
    noise: Annotated[bool, typer.Option(help="Also train some configurations under other seeds.")] = True,
    test_all: Annotated[
        bool, typer.Option("--test-all", help="Measure every trial on TEST, not the winner of a dataset alone.")
    ] = False,
    concurrent: Annotated[int, typer.Option(min=0, help="Trials at once; 0 = as many as fit.")] = 0,
    cpus_per_trial: Annotated[float, typer.Option(min=0, help="CPU cores of a trial.")] = 1,
    gpus_per_trial: Annotated[float, typer.Option(min=0, help="GPUs of a trial, may be fractional.")] = 0,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster. [default: RAY_ADDRESS, else a private Ray here]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Train quasi-random configurations on many datasets; resumable, nothing is trained twice."""
    if _written(out, card, trial_history, pack):
        return
    from autommlab.progress.events import Events
    from training_data_gen.trials.plan import plan_bags

    planned = plan_bags(tasks_named(tasks), datasets=names_with_commas(data))
    planned = [bag for bag in planned if bag.held_out or not held_out][:datasets]
    if plan:
        from training_data_gen.trials.plan import plan_table

        if as_json:
            print("[" + ",\n".join(bag.model_dump_json() for bag in planned) + "]")
            return
        print_table(plan_table(planned, per_dataset, near))
        return
    from autommlab.progress.display import Display
    from training_data_gen.trials.jobs import TrialsOptions
    from training_data_gen.trials.run import run_trials
    from training_data_gen.trials.store import read_trials

    options = TrialsOptions(
        per_bag=per_dataset,
        default_configuration=default,
        near=near,
        noise=noise,
        test_all=test_all,
        hours=hours,
        concurrent=concurrent,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
    )
    events = Events() if as_json else Events(Display())
    folder = out.expanduser().resolve()
    taken = read_trials(known.expanduser()) if known is not None else []
    with going_on():
        summary = run_trials(planned, options, folder, events, address=address, known=taken)
    print(summary.model_dump_json() if as_json else _told(summary, out))


def _written(out: Path, card: Path | None, trial_history: Path | None, pack: Path | None) -> bool:
    """Whether one of the options that only write something was given; it is then written."""
    if card is not None:
        from training_data_gen.trials.card import write_trials_card

        print(write_trials_card(card))
    if trial_history is not None or pack is not None:
        from autommlab.common.keyed_lines import write_compressed
        from training_data_gen.trials.store import read_trials, write_history

        recorded = read_trials(out)
        if trial_history is not None:
            print(write_history(recorded, trial_history))
        if pack is not None:
            print(write_compressed(recorded, pack))
    return any(file is not None for file in (card, trial_history, pack))


def _told(summary: TrialsSummary, out: Path) -> str:
    """What a person wants to know at the end, and what to type next."""
    from autommlab.common.wording import duration

    lines = [
        f"{summary.studies_done} of {summary.studies} studies done, {summary.recorded} trials in {summary.file} "
        f"({duration(summary.seconds)})"
    ]
    lines += [f"{name} could not run: {reason}" for name, reason in summary.failed.items()]
    if summary.out_of_time:
        lines.append("The time is up; the same command goes on.")
    lines.append(f"Data card: autommlab trials --card {out}")
    return "\n".join(lines)
