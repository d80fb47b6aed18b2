"""`autommlab status`: what goes on, as tables or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from autommlab.status.records import ClusterStatus, RunStatus, ServiceStatus

_ENDED = ("STOPPED", "SUCCEEDED", "FAILED")
#: Ended jobs that are shown; `--json` has all.
_ENDED_SHOWN = 3
_COMMAND_WIDTH = 100


def status_command(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Run folders or URIs to look into.", show_default=False)
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Head of a Ray cluster, HOST:6379. [default: RAY_ADDRESS, else every Ray on this machine]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show nodes, requests, the LLM service, and how far runs have come."""
    from autommlab.common.private_ray import prepare_ray_environment
    from autommlab.status.clusters import clusters, service_status
    from autommlab.status.records import Status
    from autommlab.status.runs import status_of

    prepare_ray_environment()
    looked_into = tuple(status_of(target) for target in runs or [])
    status = Status(clusters=clusters(address), service=service_status(), runs=looked_into)
    if as_json:
        print(status.model_dump_json())
        return
    for cluster in status.clusters:
        _show_cluster(cluster)
    if not status.clusters:
        print("no Ray runs on this machine; name a cluster with --address HOST:6379, or start one with `ray up`")
    print(_service_line(status.service))
    if status.runs:
        from autommlab.cli.shared import print_table

        print_table(_runs_table(status.runs))


def _show_cluster(cluster: ClusterStatus) -> None:
    from rich.table import Table

    from autommlab.cli.shared import print_table, say

    if cluster.problem:
        say(f"Ray at {cluster.address}: {cluster.problem}")
        return
    nodes = Table("node", "state", "CPUs used", "GPUs used", "for", title=f"Ray at {cluster.address}")
    for node in cluster.nodes:
        nodes.add_row(
            node.ip,
            node.state,
            f"{node.cpus_used:g} of {node.cpus:g}",
            f"{node.gpus_used:g} of {node.gpus:g}",
            ", ".join(node.roles),
        )
    print_table(nodes)
    if cluster.waiting:
        print(f"{cluster.waiting} pieces of work wait for room")
    ended = [job for job in cluster.jobs if job.state in _ENDED]
    shown = [job for job in cluster.jobs if job.state not in _ENDED] + ended[:_ENDED_SHOWN]
    if shown:
        jobs = Table("job", "state", "command")
        for job in shown:
            jobs.add_row(job.name, job.state, job.command[:_COMMAND_WIDTH])
        print_table(jobs)


def _service_line(service: ServiceStatus) -> str:
    parts = [f"LLM service: {service.state}", *([service.url] if service.url else [])]
    if service.base_model:
        parts.append(f"{service.base_model} with adapters {', '.join(service.adapters) or 'none'}")
    if service.waiting is not None:
        parts.append(f"{service.running} requests at work, {service.waiting} waiting")
    return ", ".join(parts)


def _used(run: RunStatus) -> str:
    llm = run.usage.llm
    tokens = f", {llm.prompt_tokens + llm.tokens:,} LLM tokens" if llm.calls else ""
    return f"{run.usage.in_words()}{tokens}"


def _runs_table(runs: tuple[RunStatus, ...]) -> Table:
    from rich.table import Table

    from autommlab.common.wording import duration
    from autommlab.progress.state import stage_label

    table = Table("run", "stage", "trials", "best on val", "failed", "LLM fell back", "used", "left", "last word")
    for run in runs:
        table.add_row(
            run.folder,
            stage_label(run.stage) or "not begun",
            f"{run.trials_done} of {run.trials_total}",
            "" if run.best is None else f"{run.metric} {run.best:.3f}".strip(),
            ", ".join(f"{count} {how}" for how, count in run.failures.items()),
            str(run.fallbacks or ""),
            _used(run),
            "" if run.left_s is None else duration(run.left_s),
            "" if run.silent_s is None else f"{duration(run.silent_s)} ago: {run.doing[:60]}",
        )
    return table
