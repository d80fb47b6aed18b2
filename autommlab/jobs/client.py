"""The cluster's job server, through Ray's own client, with errors for a person."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab import settings
from autommlab.common.errors import JobError, unknown
from autommlab.common.ray_address import HOW_TO_AUTHENTICATE, heads_here, require_job_server, send_token_if_asked
from autommlab.common.signing import TRUST_VARIABLE, trusts_all
from autommlab.common.storage import shown_uri
from autommlab.jobs.entrypoint import JobPlan

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

#: Marks jobs of ours among others of the cluster; the keys of what we note about one.
OURS, REQUEST, OUT = "autommlab", "request", "out"
#: Ray's variable that wins over every other address.
_ADDRESS_VARIABLE = "RAY_API_SERVER_ADDRESS"
_VARIABLES = (_ADDRESS_VARIABLE, "RAY_ADDRESS")
_NO_AGENT_YET = "No available agent"
_POLL_S = 1.0


class Jobs:
    """Jobs of ours on one cluster.

    Args:
        address: of the job server (`http://HOST:8265`); None takes `RAY_API_SERVER_ADDRESS`, `RAY_ADDRESS`, or a
            Ray that runs on this machine.

    Raises:
        JobError: nobody answers there, or it asks for a token.
    """

    def __init__(self, address: str | None = None) -> None:
        from ray.job_submission import JobSubmissionClient

        self.address = address
        for name in ("ray.dashboard", "ray._private.runtime_env"):  # told of every upload otherwise
            logging.getLogger(name).setLevel(logging.WARNING)
        named = address or next((os.environ[name] for name in _VARIABLES if os.environ.get(name)), None) or _only_here()
        require_job_server(named)
        send_token_if_asked(named, JobError)
        with _errors(f"no Ray job server answers at {shown_uri(named)}"), _asked_for(named):
            self.client: JobSubmissionClient = JobSubmissionClient(named)

    def submit(self, plan: JobPlan) -> None:
        """Start the job; its files go with it.

        Raises:
            JobError: the cluster refuses it.
        """
        with tempfile.TemporaryDirectory(prefix="autommlab-job-") as folder, _errors("the job was not accepted"):
            environment: dict[str, Any] = {"env_vars": {TRUST_VARIABLE: "1"}} if trusts_all() else {}
            for name, path in plan.files.items():
                shutil.copyfile(path, Path(folder) / name)
                environment["working_dir"] = folder
            self._accepted(plan, environment)

    def _accepted(self, plan: JobPlan, environment: dict[str, Any]) -> None:
        """A head that has just started has no agent for jobs yet, and says so."""
        deadline = time.monotonic() + settings.JOB_AGENT_TIMEOUT_S
        while True:
            try:
                self.client.submit_job(
                    entrypoint=plan.entrypoint,
                    submission_id=plan.job_id,
                    runtime_env=environment,
                    metadata={OURS: "run", REQUEST: plan.text, OUT: plan.out},
                )
                return
            except RuntimeError as error:
                if _NO_AGENT_YET not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_S)

    def all(self) -> list[JobDetails]:
        """Jobs of ours, the oldest first.

        Raises:
            JobError: the cluster does not answer.
        """
        with _errors("cannot list the jobs"):
            ours = [job for job in self.client.list_jobs() if OURS in (job.metadata or {})]
        return sorted(ours, key=lambda job: job.start_time or 0)

    def find(self, job_id: str) -> JobDetails:
        """One of them.

        Raises:
            JobError: there is none of that name, with near ones.
        """
        known = {job.submission_id or "": job for job in self.all()}
        if job_id not in known:
            raise JobError(unknown("job", job_id, list(known)))
        return known[job_id]

    def log(self, job_id: str) -> str:
        """All that a job has printed so far.

        Raises:
            JobError: the cluster does not answer.
        """
        with _errors(f"cannot read the log of {job_id}"):
            return self.client.get_job_logs(job_id)

    def stop(self, job_id: str) -> bool:
        """End a job; what it finished stays.

        Returns:
            Whether it was running.

        Raises:
            JobError: there is none of that name, or the cluster does not answer.
        """
        running = not self.find(job_id).status.is_terminal()
        with _errors(f"cannot stop {job_id}"):
            self.client.stop_job(job_id)
        return running

    def again(self, *words: str) -> str:
        """A command of ours about this cluster, for a person to copy."""
        return " ".join(["autommlab", *words, *(["--address", self.address] if self.address else [])])


def _only_here() -> str:
    """The head of the only Ray on this machine.

    Raises:
        JobError: there is none, or there are several.
    """
    found = heads_here()
    if len(found) == 1:
        return found[0]
    if found:
        raise JobError(
            f"{len(found)} Rays run on this machine: {', '.join(found)}. Name one with --address; `autommlab status` "
            "shows what runs on each"
        )
    raise JobError(
        "no Ray runs on this machine. Name a cluster with --address http://HOST:8265, or start one with `ray up`"
    )


@contextlib.contextmanager
def _asked_for(address: str | None) -> Iterator[None]:
    """Inside the block Ray's client takes this address; else RAY_ADDRESS would win over what was asked for."""
    before = os.environ.get(_ADDRESS_VARIABLE)
    if address:
        os.environ[_ADDRESS_VARIABLE] = address
    try:
        yield
    finally:
        if before is not None:
            os.environ[_ADDRESS_VARIABLE] = before
        else:
            os.environ.pop(_ADDRESS_VARIABLE, None)


@contextlib.contextmanager
def _errors(what: str) -> Iterator[None]:
    """Ray's client raises RuntimeError for every refusal and lets errors of the connection through."""
    import requests
    from ray.exceptions import AuthenticationError, RayError

    try:
        yield
    except AuthenticationError as error:  # its own text is about tokens in general, over several paragraphs
        raise JobError(
            f"{what}: {str(error).strip().partition(chr(10))[0]}. The cluster asks for another token than this machine "
            f"has. {HOW_TO_AUTHENTICATE}"
        ) from error
    except (RuntimeError, ConnectionError, ValueError, RayError, requests.RequestException) as error:
        raise JobError(f"{what}: {str(error).strip()}. Check --address") from error
