"""What a job prints, shown as it comes; a connection that drops is made anew and nothing is shown twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from autommlab import settings
from autommlab.common.errors import JobError
from autommlab.jobs.client import Jobs

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

Show = Callable[[str], None]
_RETRY_S = 2.0


def follow(jobs: Jobs, job_id: str, show: Show, tell: Show) -> JobDetails:
    """Show the log of a job until it ends.

    Args:
        jobs: its cluster.
        job_id: of the job.
        show: gets each new piece of text.
        tell: gets a word about a connection that dropped.

    Returns:
        The job as it ended.

    Raises:
        JobError: the connection does not come back; the job goes on.
    """
    log = _Log(show)
    lost_since: float | None = None
    while True:
        try:
            asyncio.run(_tail(jobs, job_id, log))
            job = jobs.find(job_id)
            lost_since = None
            if job.status.is_terminal():
                return job
        except (OSError, RuntimeError, JobError) as error:  # aiohttp's errors of a connection are OSErrors
            if lost_since is None:
                tell(f"connection lost ({_first_line(error)}); the job goes on, trying again")
                lost_since = time.monotonic()
            if time.monotonic() - lost_since > settings.RECONNECT_TIMEOUT_S:
                raise JobError(
                    f"the cluster has not answered for {settings.RECONNECT_TIMEOUT_S:.0f} s; the job goes on there. "
                    f"Look again with: {jobs.again('logs', job_id, '--follow')}"
                ) from error
        time.sleep(_RETRY_S)


class _Log:
    """Every connection begins at the start of the log: skip what was shown."""

    def __init__(self, show: Show) -> None:
        self._show, self._shown, self._read = show, 0, 0

    def begin(self) -> None:
        self._read = 0

    def add(self, text: str) -> None:
        self._read += len(text)
        fresh = self._read - self._shown
        if fresh > 0:
            self._show(text[-fresh:])
            self._shown = self._read


async def _tail(jobs: Jobs, job_id: str, log: _Log) -> None:
    log.begin()
    async for text in jobs.client.tail_job_logs(job_id):
        log.add(text)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
