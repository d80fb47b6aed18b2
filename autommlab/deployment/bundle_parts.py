"""Which files make a bundle: what is passed on of its folder, and what may lie where it goes."""

from __future__ import annotations

import ast
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
#: Files of the engines (`engines.convert`).
_MODELS = ("model.onnx", "model.xml", "model.bin", "model.ncnn.param", "model.ncnn.bin")
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
    wrong += _unmet(folder / _RUNTIME)
    wrong += [name for name in changed_since_delivery(folder) if name not in (*_PAPERS, *wrong)]
    if wrong:
        raise DeploymentError(
            f"{folder} is only a part of a bundle: {_few(wrong)} is missing or changed. Copy the whole bundle again; "
            "in a run, `autommlab run --resume RUN` makes it anew"
        )
    papers = [name for name in _PAPERS if (folder / name).is_file()]
    names = dict.fromkeys([*models, *_WORKING, *papers, *runtime])
    return [*(name for name in names if name != HEAD), HEAD]


def _unmet(runtime: Path) -> list[str]:
    """Modules of the runtime that it imports itself and that are missing, and those that are no Python."""
    found: dict[str, None] = {}
    for path in sorted(runtime.glob("*.py")):
        try:
            parsed = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            found[path.name] = None
            continue
        for node in ast.walk(parsed):
            if isinstance(node, ast.ImportFrom) and node.level:
                modules = [node.module] if node.module else [each.name for each in node.names]
                found.update({f"{name}.py": None for name in modules if not (runtime / f"{name}.py").is_file()})
    return [f"{_RUNTIME}/{name}" for name in found]


def require_room(
    there: Collection[str], parts: Collection[str], *, begun: Collection[str], force: bool, shown: str
) -> list[str]:
    """What has to go before a bundle can take a destination.

    Args:
        there: files at the destination, without those whose names begin with a dot.
        parts: of the bundle.
        begun: those of `there` that an interrupted push of this bundle has left.
        force: an older bundle may go, and files that have the names of a bundle's.
        shown: the destination, for the message.

    Returns:
        Names of an older bundle's files that the new one does not have.

    Raises:
        StorageError: it holds files that are of no bundle; or `force` is False and it holds a bundle, or other files
            with the names of a bundle's, as the README.md of somebody.
    """
    foreign = [name for name in there if not _is_part(name)]
    if foreign:
        raise StorageError(
            f"{shown} holds what is no part of a bundle ({_few(foreign)}). Nothing was changed there; give a "
            "destination that is empty or new"
        )
    if HEAD in there and not force:
        raise StorageError(f"{shown} holds a bundle. --force replaces it; or give another destination")
    if (others := set(there) - set(begun)) and not force:
        raise StorageError(
            f"{shown} holds files that are not of this bundle ({_few(sorted(others))}). --force replaces or deletes "
            "them; or give a destination that is empty or new"
        )
    return sorted(set(there) - set(parts))


def _is_part(name: str) -> bool:
    inner = name.startswith(f"{_RUNTIME}/") and name.endswith((".py", ".pyc"))
    return inner or name in (*_WORKING, *_PAPERS, *_MODELS)


def _few(names: Collection[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join([*list(names)[:_SHOWN], *([f"{more} more"] if more > 0 else [])])
