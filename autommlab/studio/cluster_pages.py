"""The jobs of the cluster that runs are sent to."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from autommlab.studio.pages import page, settings_of
from autommlab.studio.runs import folder_named

router = APIRouter()


@router.get("/cluster")
def cluster_page(request: Request) -> Response:
    """Every request that was sent there, the newest first; those of a terminal too."""
    from autommlab.jobs.client import OUT, REQUEST, Jobs

    settings = settings_of(request)
    if settings.address is None:
        raise HTTPException(404, "This studio knows no cluster. Start it with --address http://HOST:8265.")
    jobs = []
    for job in reversed(Jobs(settings.address).all()):
        told = job.metadata or {}
        out = Path(told.get(OUT, ""))
        here = out.is_relative_to(settings.runs) and folder_named(settings.runs, str(out.relative_to(settings.runs)))
        jobs.append(
            {
                "name": job.submission_id,
                "state": str(job.status),
                "started": (job.start_time or 0) / 1000 or None,
                "request": told.get(REQUEST, ""),
                "out": told.get(OUT, ""),
                "run": out.relative_to(settings.runs).as_posix() if here else "",
            }
        )
    return page(request, "cluster", jobs=jobs, address=settings.address)
