"""`autommlab submit`, `jobs`, `logs`, `stop` and `fetch`: requests as jobs of a Ray cluster."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autommlab.cli.shared import print_table, say
from autommlab.common.escaping import terminal

if TYPE_CHECKING:
    from autommlab.jobs.client import Jobs

Address = Annotated[
    str | None,
    typer.Option(help="Job server, http://HOST:8265. [default: RAY_API_SERVER_ADDRESS, RAY_ADDRESS, a Ray here]"),
]
Job = Annotated[str, typer.Argument(help="As `submit` and `jobs` name it.", show_default=False)]
#: All that `submit` does not know goes to `run`.
FOR_RUN = {"allow_extra_args": True, "ignore_unknown_options": True}


def submit(
    context: typer.Context,
    address: Address = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the job.")] = False,
) -> None:
    """Run a request as a job of a Ray cluster: `submit "REQUEST"` with any option of `run`."""
    from autommlab.jobs.client import Jobs
    from autommlab.jobs.entrypoint import plan_job

    command = context.parent.command.get_command(context, "run")  # type: ignore[union-attr]
    run = command.make_context("submit", list(context.args))
    _check(run.params)
    plan = plan_job(run.params, [p for p in command.params if p.param_type_name == "option"])
    jobs = Jobs(address)
    jobs.submit(plan)
    print(f"job {plan.job_id}, results: {plan.out}", flush=True)
    if detach:
        _tell_commands(jobs, plan.job_id)
        return
    _watch(jobs, plan.job_id)
    say(f"Results: {plan.out}. Bring them here: {jobs.again('fetch', plan.job_id)}")


def _check(parameters: dict[str, Any]) -> None:
    """Look at the options of a new run before its job starts; data and files may be there and not here."""
    from autommlab.api.arguments import named_options, options_of
    from autommlab.api.option_check import check_options
    from autommlab.cli.run_options import arguments_of
    from autommlab.trackers.targets import targets_of

    arguments = {**arguments_of(parameters), "data": None}
    if parameters["weights"] is not None and parameters["weights"].is_absolute():
        arguments["weights"] = None
    request = "as before" if parameters["resume"] else parameters["request"]
    given, problems = named_options(request, arguments)
    # Packages, addresses and files of trackers are the cluster's; only how they are named can be wrong here.
    targets_of(given.pop("track", ()), given.pop("optuna_storage", None))
    check_options(options_of(given), problems=problems)


def list_jobs(address: Address = None) -> None:
    """List the requests that were submitted to a cluster."""
    import time

    from rich.table import Table

    from autommlab.jobs.client import OUT, REQUEST, Jobs

    table = Table("job", "status", "started", "request", "results")
    for job in Jobs(address).all():
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime((job.start_time or 0) / 1000))
        told = job.metadata or {}
        table.add_row(job.submission_id, str(job.status), started, told.get(REQUEST, ""), told.get(OUT, ""))
    print_table(table)


def logs(
    job: Job,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job ends.")] = False,
    address: Address = None,
) -> None:
    """Show what a job has printed."""
    from autommlab.jobs.client import Jobs

    jobs = Jobs(address)
    jobs.find(job)
    if follow:
        _watch(jobs, job)
    else:
        _show(jobs.log(job))


def stop(job: Job, address: Address = None) -> None:
    """End a job. What it has finished stays; `submit --resume` goes on with it."""
    from autommlab.jobs.client import Jobs

    print(f"{job} is being stopped" if Jobs(address).stop(job) else f"{job} had ended before")


def fetch(
    job_or_uri: Annotated[str, typer.Argument(help="Job, or URI or folder of a run.", show_default=False)],
    to: Annotated[Path | None, typer.Option(help="Folder. [default: runs/NAME]")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Trials, weights and bag too.")] = False,
    address: Address = None,
) -> None:
    """Bring bundle and report of a job to this machine."""
    from autommlab.common.storage import is_uri
    from autommlab.jobs.client import OUT, Jobs
    from autommlab.jobs.fetching import fetch_run

    out = job_or_uri
    if not is_uri(out) and not Path(out).is_dir():
        out = (Jobs(address).find(job_or_uri).metadata or {})[OUT]
    elif not is_uri(out):
        out = str(Path(out).resolve())
    target = to or Path("runs") / Path(job_or_uri.partition("?")[0].rstrip("/")).name
    names = fetch_run(out, target, everything=everything)
    print(f"{len(names)} files in {target}")
    if "bundle/bundle.json" in names:
        say(f"Try it: autommlab predict {shlex.quote(str(target / 'bundle'))} IMAGE")


def _watch(jobs: Jobs, job_id: str) -> None:
    """Stream until the end; a job that failed ends this program with the job's own exit code."""
    from autommlab.common.errors import JobError
    from autommlab.jobs.following import follow

    try:
        job = follow(jobs, job_id, _show, lambda words: say(words, error=True))
    except KeyboardInterrupt:
        say(f"\nThe job goes on. End it with: {jobs.again('stop', job_id)}", error=True)
        _tell_commands(jobs, job_id, error=True)
        raise
    if str(job.status) != "SUCCEEDED":
        print(f"Error: {job_id} {str(job.status).lower()}: {_reason(job.message)}", file=sys.stderr)
        code = job.driver_exit_code or 0
        raise typer.Exit(code if code > 0 else JobError.exit_code)


def _show(text: str) -> None:
    print(terminal(text), end="", flush=True)


def _reason(message: str | None) -> str:
    return (message or "no reason given").strip().splitlines()[0]


def _tell_commands(jobs: Jobs, job_id: str, *, error: bool = False) -> None:
    say(f"Look again with: {jobs.again('logs', job_id, '--follow')}", error=error)
