"""Gathers what a run folder holds, finished or not, and writes its report."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from autommlab.analysis.analyse import split_to_judge
from autommlab.analysis.records import Analysis, JudgedPicture
from autommlab.budget import images_text, range_text, size_text
from autommlab.common import provenance as machine
from autommlab.common.errors import ResumeError, StorageError
from autommlab.common.wording import duration
from autommlab.data.records import Bag
from autommlab.deployment.records import Deployment
from autommlab.models.records import ModelChoice
from autommlab.options import OPTION_OF_FIELD, RunOptions
from autommlab.planning.records import Plan
from autommlab.planning.run_time import asked_seconds
from autommlab.report.analysis_view import MISTAKES, WORST
from autommlab.report.content import Picture, ReportContent
from autommlab.report.gallery import mistake_pictures
from autommlab.report.render import write_report
from autommlab.report.samples import predicted_pictures, training_pictures
from autommlab.training.loss_curve import TrialCurve, read_curves
from autommlab.training.records import CrossValidation, StudyResult
from autommlab.understanding.outcome import Understood
from autommlab.understanding.request import ModelRequest

if TYPE_CHECKING:
    from autommlab.settings import TaskBudget
    from autommlab.storage.run_folder import RunFolder

Record = TypeVar("Record", Analysis, Understood)


def write_run_report(options: RunOptions, folder: RunFolder, problem: str = "") -> None:
    """Write `report.html` of a run that has just ended, in whatever way.

    Args:
        options: of the run.
        folder: its records are read.
        problem: message of the error that ended the run early, "" if none did.

    Raises:
        StorageError: the report cannot be written.
    """
    write_report(gather(options, folder, problem), folder.report)


def gather(options: RunOptions, folder: RunFolder, problem: str = "") -> ReportContent:
    """Everything that the folder knows of its run.

    Args:
        options: of the run.
        folder: its records are read; stages without a record were not finished.
        problem: what ended the run early; its first line is shown.
    """
    from autommlab.training.ledger import Ledger
    from autommlab.training.usage import usage_of

    notes: list[str] = []
    bag = folder.read("bag", Bag)
    deployment = folder.read("deployment", Deployment)
    plan, study = folder.read("plan", Plan), folder.read("study", StudyResult)
    trials = options.budget.trials
    if plan is not None:
        trials = plan.search.trials if plan.search else 0
    analysis = _ornament(folder, "analysis", Analysis) if deployment else None
    mistakes, worst = (analysis.mistakes(MISTAKES), analysis.worst(WORST)) if analysis else ((), ())
    ended = tuple(Ledger(folder.study / "trials.jsonl").records)
    finals = tuple(Ledger(folder.final / "trials.jsonl").records)
    folds = Ledger(folder.folds / "trials.jsonl").records
    return ReportContent(
        text=options.text,
        request=folder.read("request", ModelRequest),
        understood=_ornament(folder, "understanding", Understood),
        bag=bag,
        sample_images=_pictures("training", lambda: training_pictures(bag), notes) if bag else (),
        choice=folder.read("model", ModelChoice),
        plan=plan,
        study=study,
        trials=ended,
        finals=finals,
        validated=None if study else folder.read("folds", CrossValidation),
        losses={name: curve.points for name, curve in _curves(folder).items()},
        budget=options.budget,
        planned_trials=trials,
        deployment=deployment,
        sample_predictions=_pictures("test", lambda: _predicted(bag, deployment), notes) if bag and deployment else (),
        analysis=analysis,
        mistakes=_pictures("wrongly predicted", lambda: _judged(bag, deployment, mistakes), notes),
        worst=_pictures("worst", lambda: _judged(bag, deployment, worst), notes),
        versions=machine.facts(),
        command=run_command(options),
        settings=_settings(options, bag, trials),
        stage_seconds=folder.stage_seconds(),
        usage=usage_of(options, [*ended, *folds, *finals]).in_words() if ended or finals else "",
        problem=_in_words(problem),
        run_folder=folder.path,
        notes=tuple(notes),
    )


#: Fields whose option is given once for each of their values.
_REPEATED = {"cfg_options": "--cfg-options", "searcher_options": "--searcher-option", "track": "--track"}


def run_command(options: RunOptions) -> str:
    """The command that starts a run with these options; defaults are left out."""
    words = ["autommlab", "run", *([options.text] if options.text else [])]
    for name, info in type(options).model_fields.items():
        value = getattr(options, name)
        if name in _REPEATED:
            words += [word for text in value for word in (_REPEATED[name], text)]
        elif name != "text" and value != info.default:
            shown = ",".join(value) if isinstance(value, tuple) else str(getattr(value, "file", value))
            words += [f"--{OPTION_OF_FIELD.get(name, name).replace('_', '-')}", shown]
    return shlex.join(words)


def _curves(folder: RunFolder) -> dict[str, TrialCurve]:
    """Of the search; none where they cannot be read, as the report can do without."""
    with contextlib.suppress(OSError):
        return read_curves(folder.study)
    return {}


def _predicted(bag: Bag, deployment: Deployment) -> tuple[Picture, ...]:
    from autommlab.deployment.predicting import load_bundle

    return predicted_pictures(bag, load_bundle(deployment.bundle).predictor)


def _judged(bag: Bag | None, deployment: Deployment | None, judged: Sequence[JudgedPicture]) -> tuple[Picture, ...]:
    from autommlab.deployment.predicting import load_bundle

    if not judged or bag is None or deployment is None:
        return ()
    return mistake_pictures(judged, bag, split_to_judge(bag), load_bundle(deployment.bundle).predictor)


def _ornament(folder: RunFolder, name: str, kind: type[Record]) -> Record | None:
    """A record that the report can do without; None where its file is missing or damaged."""
    with contextlib.suppress(ResumeError):
        return folder.read(name, kind)
    return None


def _pictures(what: str, make: Callable[[], tuple[Picture, ...]], notes: list[str]) -> tuple[Picture, ...]:
    """The pictures, or none and a note: a report without pictures is better than no report."""
    try:
        return make()
    except StorageError:
        raise
    except Exception as error:  # lists, pictures and bundle are files that may be damaged in any way
        notes.append(f"The {what} images could not be drawn: {error}")
        return ()


def _settings(options: RunOptions, bag: Bag | None, trials: int) -> dict[str, str]:
    asked = asked_seconds(options)
    chosen = {
        "Budget": options.budget.name,
        **(_bounds(options.budget.tasks[bag.task]) if bag and asked is None else {}),
        "Searcher": ", ".join([options.searcher, *options.searcher_options]),
        "Scheduler": options.scheduler,
        "Trials": str(trials),
        "Time": "no limit" if asked is None else duration(asked),
        "Seed": str(options.seed),
    }
    changed = ", ".join(options.cfg_options) or None
    given = {
        "Config changed": changed,
        "Data set given": options.data,
        "Model given": options.model,
        "Weights given": options.weights,
    }
    return chosen | {name: str(value) for name, value in given.items() if value is not None}


def _bounds(budget: TaskBudget) -> dict[str, str]:
    return {
        "Input size": size_text(budget.input_size),
        "Most images (train, val, test)": images_text(budget.images).replace(",", ", "),
        "Iterations": range_text(budget.iterations),
        "Batch size": range_text(budget.batch_size),
    }


def _in_words(problem: str) -> str:
    if problem == KeyboardInterrupt.__name__:
        return "The run was interrupted."
    return problem.strip().partition("\n")[0]
