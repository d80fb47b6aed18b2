"""Bringing a run's results to this machine."""

from __future__ import annotations

from pathlib import Path

from autommlab.common.errors import StorageError
from autommlab.common.files import storage_errors, write_stream
from autommlab.common.storage import place_errors, place_of
from autommlab.storage.mirror import names_at

#: What a person wants of a run; `everything` brings the trials and weights as well.
_RESULTS = ("bundle/", "report.html", "deployment.json", "study.json", "request.json", "model.json", "options.json")


def fetch_run(out: str, to: Path, *, everything: bool = False) -> list[str]:
    """Copy bundle, report and records of a run.

    Args:
        out: URI or absolute folder of the run.
        to: folder of this machine; files of the same name are replaced.
        everything: the bag, all trials and the weights too.

    Returns:
        Names of the files, relative to `to`.

    Raises:
        StorageError: nothing is there (yet), or a side cannot be read or written.
    """
    from pyarrow.fs import FileType

    place = place_of(out)
    with place_errors(place, "read"):
        there = place.files.get_file_info(place.path)
    all_names = names_at(place) if there.type == FileType.Directory else []
    names = [name for name in all_names if everything or name.startswith(_RESULTS)]
    if not names:
        raise StorageError(
            f"{out} holds no results that this machine can see: the run has not come that far, or it writes to a "
            "disk of its cluster (submit with --out URI then)"
        )
    for name in names:
        target = to / name
        with storage_errors(target), place.files.open_input_stream(place.inside(name)) as source:
            write_stream(target, source)
    return names
