"""From the command line of a `run` to the one that a job runs elsewhere."""

from __future__ import annotations

import shlex
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.core import TyperOption as Option

from autommlab.common.errors import RequestError, StorageError
from autommlab.common.files import storage_errors
from autommlab.common.storage import is_uri
from autommlab.storage.run_folder import default_folder
from autommlab.trackers.targets import NONE, anchored, anchored_target

#: Names in the job's own folder of the files that go with it.
PARSE_FILE, BUDGET_FILE = "request.json", "budget.yaml"
#: Proof in a run folder that the job sees the disk of who submitted it.
SUBMITTED_FILE = ".submitted"
#: Options of `run` that make no sense in a job.
_NOT_IN_A_JOB = ("address", "dry_run", "submitted_as")


@dataclass(frozen=True)
class JobPlan:
    """What is submitted.

    Attributes:
        job_id: unique on any cluster.
        command: words of the job's command line.
        text: the request, for lists of jobs.
        out: folder (absolute) or URI of the results.
        files: name in the job's own folder -> file of this machine whose content goes with the job.
    """

    job_id: str
    command: tuple[str, ...]
    text: str
    out: str
    files: dict[str, Path]

    @property
    def entrypoint(self) -> str:
        """One line for the job's shell; every word quoted."""
        return shlex.join(self.command)


def plan_job(given: dict[str, Any], options: Sequence[Option]) -> JobPlan:
    """The job that runs `autommlab run` with these values.

    Paths of this machine become absolute; the parse and the budget become files of the job. Results in a
    folder need a disk that the cluster shares: the job looks for a mark that is left there.

    Args:
        given: value of each parameter of `run`.
        options: of `run`.

    Raises:
        RequestError: an option that a job cannot have, or an unreadable parse or budget.
        StorageError: the folder for the results cannot be written here.
    """
    values = {name: value for name, value in given.items() if name not in ("request", *_NOT_IN_A_JOB)}
    if given.get("dry_run"):
        raise RequestError("a dry run needs no cluster: use `autommlab run --dry-run`")
    job_id = f"autommlab-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    files = _files(values["parse"], values["budget"])
    values["parse"] = PARSE_FILE if PARSE_FILE in files else None
    values["budget"] = BUDGET_FILE if BUDGET_FILE in files else None
    for name in ("weights", "data"):
        if values[name] is not None and Path(values[name]).expanduser().exists():
            values[name] = Path(values[name]).expanduser().resolve()
    if values["track"]:
        values["track"] = [anchored_target(tracker) for tracker in values["track"]]
    if values["optuna_storage"] and values["optuna_storage"] != NONE:
        values["optuna_storage"] = anchored(values["optuna_storage"])
    text = given["request"]
    which = "resume" if values["resume"] else "out"
    out = values[which] or str(default_folder(text))
    if not is_uri(out):
        out = _shared(Path(out).expanduser().resolve(), job_id)
        values["submitted_as"] = job_id
    values[which] = out
    words = ["autommlab", "run", *_words(values, options), *(["--", text] if text else [])]
    return JobPlan(job_id, tuple(words), text, out, files)


def require_shared(folder: Path, job_id: str) -> None:
    """Check inside the job that its folder is the one of who submitted it.

    Raises:
        StorageError: it is another disk.
    """
    mark = folder / SUBMITTED_FILE
    if not mark.exists() or mark.read_bytes() != job_id.encode():
        raise StorageError(
            f"{folder} here is not the folder of the machine that submitted the job, so its results could not be "
            "fetched: submit with --out URI (s3://BUCKET/PATH ...) or a folder on a disk that both share"
        )


def _shared(folder: Path, job_id: str) -> str:
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SUBMITTED_FILE).write_text(job_id, encoding="utf-8")
    return str(folder)


def _files(parse: Path | None, budget: Path | None) -> dict[str, Path]:
    """The files that go with a job, looked at before."""
    from autommlab.budget import read_budget
    from autommlab.understanding.request import ModelRequest

    files = {}
    if parse is not None:
        ModelRequest.read(parse.expanduser())
        files[PARSE_FILE] = parse.expanduser().resolve()
    if budget is not None:
        read_budget(budget.expanduser())
        files[BUDGET_FILE] = budget.expanduser().resolve()
    return files


def _words(values: dict[str, Any], options: Sequence[Option]) -> list[str]:
    words: list[str] = []
    for option in options:
        value = values.get(option.name or "")
        if value is None or value is False or value == option.default:
            continue
        values_of = value if option.multiple else [value]
        words += [option.opts[0]] if option.is_flag else [f"{option.opts[0]}={each}" for each in values_of]
    return words
