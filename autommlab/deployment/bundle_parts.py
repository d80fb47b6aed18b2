"""Which files make a bundle: what is passed on of its folder, and what may lie where it goes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from autommlab.common.errors import DeploymentError, StorageError

#: Written last and removed first: what has none is no bundle to any reader.
HEAD = "bundle.json"
LICENCE_FILE = "LICENSE.md"
#: People edit these, for example to state a licence.
_PAPERS = ("README.md", "model_card.md", LICENCE_FILE)
_WORKING = (HEAD, "labels.txt", "requirements.txt", "predict.py")
_RUNTIME = "bundle_runtime"
#: Names of the files of the engines (`engines.convert`).
_MODEL = "model."
#: Names of files that a message shows.
_SHOWN = 3


def parts_of(folder: Path) -> list[str]:
    """The files of a whole bundle, relative to its folder; `bundle.json` is the last.

    What else lies in the folder is none of them: pictures, notes and caches are not passed on unasked.

    Raises:
        DeploymentError: the folder is no bundle, lacks a part, has one that is not what its run delivered, or cannot
            start.
    """
    from autommlab.deployment.delivered import changed_since_delivery
    from autommlab.deployment.predicting import load_bundle

    models = list(load_bundle(folder).predictor.info["files"])
    runtime = sorted(f"{_RUNTIME}/{path.name}" for path in (folder / _RUNTIME).glob("*.py"))
    needed = [*models, *_WORKING, f"{_RUNTIME}/__init__.py"]
    wrong = [name for name in needed if not (folder / name).is_file()]
    wrong += [name for name in changed_since_delivery(folder) if name not in (*_PAPERS, *wrong)]
    if wrong:
        raise DeploymentError(
            f"{folder} is only a part of a bundle: {_few(wrong)} is missing or changed. Copy the whole bundle again; "
            "in a run, `autommlab run --resume RUN` makes it anew"
        )
    papers = [name for name in _PAPERS if (folder / name).is_file()]
    names = dict.fromkeys([*models, *_WORKING, *papers, *runtime])
    return [*(name for name in names if name != HEAD), HEAD]


def require_room(there: Collection[str], parts: Collection[str], *, force: bool, shown: str) -> list[str]:
    """What has to go before a bundle can take a destination.

    Args:
        there: files at the destination, without those whose names begin with a dot.
        parts: of the bundle.
        force: an older bundle may go.
        shown: the destination, for the message.

    Returns:
        Names of an older bundle's files that the new one does not have.

    Raises:
        StorageError: it holds a bundle and `force` is False, or files that are of no bundle.
    """
    foreign = [name for name in there if not _is_part(name)]
    if foreign:
        raise StorageError(
            f"{shown} holds what is no part of a bundle ({_few(foreign)}). Nothing was changed there; give a "
            "destination that is empty or new"
        )
    if HEAD in there and not force:
        raise StorageError(f"{shown} holds a bundle. --force replaces it; or give another destination")
    return sorted(set(there) - set(parts))


def _is_part(name: str) -> bool:
    inner = name.startswith(f"{_RUNTIME}/") and name.endswith((".py", ".pyc"))
    return name in (*_WORKING, *_PAPERS) or inner or (name.startswith(_MODEL) and "/" not in name)


def _few(names: Collection[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join([*list(names)[:_SHOWN], *([f"{more} more"] if more > 0 else [])])
