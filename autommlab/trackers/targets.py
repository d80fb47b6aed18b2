"""What `--track` and `--optuna-storage` name, looked at before anything is trained."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from autommlab.common.errors import RequestError, StorageError, TrackerError, unknown
from autommlab.common.storage import is_uri, refuse_secrets, shown_uri

Kind = Literal["tensorboard", "mlflow", "wandb", "optuna"]
#: Those of `--track`; the last one has an option of its own.
TRACKERS: tuple[Kind, ...] = get_args(Kind)[:-1]
#: Takes the trackers of a run away that goes on.
NONE = "none"
#: Where `mlflow server` listens unless told otherwise.
MLFLOW_DEFAULT = "http://127.0.0.1:5000"
WANDB_HOST = "https://api.wandb.ai"
#: Package that a tracker is written with -> what installs it.
_PACKAGES: dict[Kind, tuple[str, str]] = {
    "tensorboard": ("tensorboardX", "pip install tensorboardX"),
    "mlflow": ("mlflow", "uv sync --inexact --extra mlflow"),
    "wandb": ("wandb", "uv sync --inexact --extra wandb"),
    "optuna": ("optuna", "pip install optuna"),
}
_REACH_S = 10.0
_SQLITE = "sqlite:///"
#: Of W&B: nothing is sent while the run goes on.
_WITHOUT_NETWORK = ("offline", "disabled", "dryrun")


class Target(NamedTuple):
    """One tracker of a run.

    Attributes:
        kind: which one.
        where: address, project, folder or storage; "" = the tracker's own default.
    """

    kind: Kind
    where: str = ""

    def __str__(self) -> str:
        return f"{self.kind}={self.where}" if self.where else self.kind

    @property
    def option(self) -> str:
        """As it is typed."""
        return f"--optuna-storage {self.where}" if self.kind == "optuna" else f"--track {self}"

    @property
    def mlflow_uri(self) -> str:
        """Of MLflow's server or store."""
        return self.where or os.environ.get("MLFLOW_TRACKING_URI") or MLFLOW_DEFAULT


def read_target(text: str) -> Target:
    """A value of `--track`.

    Raises:
        RequestError: no such tracker, or a secret in its address; the text does not repeat that.
    """
    name, _, where = text.partition("=")
    kind = next((known for known in TRACKERS if known == name), None)
    if kind is None:
        raise RequestError(f"--track: {unknown('tracker', shown_uri(name), [*TRACKERS, NONE])}")
    _refuse_secret("--track", kind, where)
    return Target(kind, where)


def targets_of(track: Sequence[str], optuna_storage: str | None) -> tuple[Target, ...]:
    """All trackers of a run, each once.

    Raises:
        RequestError: see `read_target`.
    """
    found = [read_target(text) for text in track]
    if optuna_storage:
        _refuse_secret("--optuna-storage", "", optuna_storage)
        found.append(Target("optuna", optuna_storage))
    return tuple(dict.fromkeys(found))


def anchored_target(text: str) -> str:
    """A value of `--track` that no longer depends on the folder it was typed in."""
    kind, _, where = text.partition("=")
    return f"{kind}={anchored(where)}" if kind in ("tensorboard", "mlflow") and where else text


def anchored(where: str) -> str:
    """A path, or a URI of SQLite's that holds one, likewise; any other URI as it is."""
    if not is_uri(where):
        return str(Path(where).expanduser().resolve())
    path = where.removeprefix(_SQLITE)
    return f"{_SQLITE}{Path(path).resolve()}" if path != where and path else where


def require_usable(target: Target) -> None:
    """Look whether a tracker will take what a run tells, as far as that can be known in some seconds.

    Raises:
        TrackerError: its package is not installed, nobody answers, or it cannot be written.
    """
    package, command = _PACKAGES[target.kind]
    if importlib.util.find_spec(package) is None:
        raise TrackerError(
            f"{target.option}: the package {package} is not installed. Install it: {command}; or leave the option out"
        )
    match target.kind:
        case "mlflow":
            _require_mlflow(target)
        case "wandb":
            _require_wandb(target)
        case "optuna":
            _require_writable(target, _file_of(target.where))
        case "tensorboard":
            _require_writable(target, Path(target.where) / "x" if target.where else None)


def _refuse_secret(option: str, kind: str, where: str) -> None:
    """A URI is stored with the run and shown.

    Raises:
        RequestError: it holds a password, a token, or a name that may be one.
    """
    try:
        refuse_secrets(where)
    except StorageError as error:
        raise RequestError(
            f"{option} {kind}{'=' if kind else ''}{shown_uri(where)} carries a secret, and options are stored and "
            "shown. Leave it out and give it to the tracker's own client: MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; WANDB_API_KEY; for a database its own file of "
            "passwords, such as ~/.pgpass. And change the secret, for a shell remembers what was typed"
        ) from error


def _require_mlflow(target: Target) -> None:
    uri = target.mlflow_uri
    if shown_uri(uri) != uri:
        raise TrackerError(
            f"MLFLOW_TRACKING_URI is {shown_uri(uri)}, which carries a secret. Give it by MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )
    if uri.startswith(("http://", "https://")):
        _require_answer(
            target,
            f"{uri.rstrip('/')}/health",
            uri,
            "Start a server (`mlflow server`), or name another one: --track mlflow=http://HOST:5000",
        )


def _require_wandb(target: Target) -> None:
    if os.environ.get("WANDB_MODE") in _WITHOUT_NETWORK:
        return
    host = os.environ.get("WANDB_BASE_URL", WANDB_HOST)
    if not _has_wandb_key(host):
        raise TrackerError(
            f"{target.option}: no key for {host} is set. Log in (`wandb login`) or set WANDB_API_KEY; with "
            "WANDB_MODE=offline nothing is sent, and `wandb sync` sends it later"
        )
    _require_answer(target, host, host, "With WANDB_MODE=offline nothing is sent, and `wandb sync` sends it later")


def _has_wandb_key(host: str) -> bool:
    import requests.utils

    if os.environ.get("WANDB_API_KEY"):
        return True
    with contextlib.suppress(Exception):  # a damaged ~/.netrc
        return requests.utils.get_netrc_auth(host) is not None
    return False


def _require_answer(target: Target, address: str, shown: str, instead: str) -> None:
    import requests

    try:
        answer = requests.get(address, timeout=_REACH_S)
    except requests.RequestException as error:
        raise TrackerError(
            f"{target.option}: nobody answers at {shown} ({type(error).__name__}). {instead}; or leave the option out"
        ) from error
    if answer.status_code >= 500:  # what asks for a login answers otherwise, and is there
        raise TrackerError(f"{target.option}: {shown} answers with status {answer.status_code}. {instead}")


def _file_of(storage: str) -> Path | None:
    """The file of an Optuna storage; None where it is a database server."""
    if not is_uri(storage):
        return Path(storage)
    return Path(storage.removeprefix(_SQLITE)) if storage.startswith(_SQLITE) else None


def _require_writable(target: Target, file: Path | None) -> None:
    if file is None:
        return
    try:
        if file.is_file():
            file.open("ab").close()
        folder = next(parent for parent in file.absolute().parents if parent.exists())
        with tempfile.TemporaryFile(dir=folder):  # root may do what permissions forbid, but not everywhere
            pass
    except OSError as error:
        raise TrackerError(
            f"{target.option}: {file} cannot be written ({error.strerror or error}). Name a file in a folder that you "
            "may write to"
        ) from error
