"""What a private Ray keeps to itself: a token of its own, and a temporary folder that nobody else may enter.

Ray's defaults are one token for all Rays of a user, readable by everybody (`~/.ray/auth_token`, mode 0644), and a
session folder in /tmp that everybody may write. Here each private Ray has a folder under `home()/ray` (mode 0700) with
its token (0600) and its record, by which `token_of` finds the token again, and a short folder in /tmp (0700): sockets
lie in it, and their paths may have 107 characters.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import BaseModel, ValidationError, field_validator

from autommlab.common.environment import home
from autommlab.common.files import write_private
from autommlab.common.processes import Pid, Seconds, boot_id, created_after_boot_s, is_still

_RECORD, _TOKEN = "record.json", "token"
#: Of the temporary folder: the beginning of its name, and the folder in it that Ray gets.
_PREFIX, _INNER = "ray-", "r"
_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
#: Longest temporary folder that leaves room for Ray's own part of a socket's path.
_LONGEST = 32
#: How often, and with how many seconds between, folders are deleted that Ray may still write to.
_ATTEMPTS, _PAUSE_S = 20, 0.1


class _Record(BaseModel):
    """Whose folders these are: a process, told from later ones of its number as in `serve.state`."""

    pid: Pid
    started: Seconds
    boot: str | None
    temporary: Path
    address: str = ""

    @field_validator("temporary")
    @classmethod
    def _one_of_ours(cls, temporary: Path) -> Path:
        """The folder above it is deleted with all that is in it, so a damaged record must not name another."""
        made = temporary.name == _INNER and temporary.parent.name.startswith(_PREFIX)
        if not made or not temporary.is_absolute() or ".." in temporary.parts:
            raise ValueError(f"{temporary} is no temporary folder of a private Ray")
        return temporary

    @property
    def alive(self) -> bool:
        with contextlib.suppress(psutil.Error):
            return is_still(psutil.Process(self.pid), self.started, self.boot)
        return False


@dataclass(frozen=True)
class PrivateFolder:
    """Folders of one private Ray of this process.

    Attributes:
        folder: under `home()/ray`.
        temporary: for Ray's session; inside one that only the user may enter, for Ray opens its own to all.
    """

    folder: Path
    temporary: Path

    @property
    def token_file(self) -> Path:
        """What Ray reads its token from."""
        return self.folder / _TOKEN

    def tell_address(self, address: str) -> None:
        """Ray runs at HOST:PORT; whoever looks for its token finds it by that."""
        _write_record(self, address)

    def remove(self) -> None:
        """Delete everything; Ray has ended.

        Its processes may still write their last lines. What cannot be deleted now keeps its record, for `_sweep`.
        """
        for _ in range(_ATTEMPTS):
            shutil.rmtree(self.temporary.parent, ignore_errors=True)
            if not self.temporary.parent.exists():
                shutil.rmtree(self.folder, ignore_errors=True)
                return
            time.sleep(_PAUSE_S)


def make_private_folder() -> PrivateFolder:
    """Folders for a Ray that this process is about to start; those of processes that died are deleted.

    Raises:
        OSError: `home()` or the temporary folder cannot be written.
    """
    rays = _rays()
    rays.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep()
    made = PrivateFolder(
        Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=rays)),
        Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_short_folder())) / _INNER,
    )
    write_private(made.token_file, secrets.token_hex(32))
    _write_record(made, "")
    return made


def token_of(address: str) -> Path | None:
    """File with the token of the private Ray at HOST:PORT; None where it is none of this user's."""
    for folder in _folders():
        record = _read_record(folder)
        if record is not None and record.address == address and record.alive:
            return folder / _TOKEN
    return None


@contextlib.contextmanager
def authenticated(token_file: Path | None) -> Iterator[None]:
    """Inside the block Ray's clients of this process use this token; None leaves them as they are."""
    if token_file is None:
        yield
        return
    kept = use_token(token_file)
    try:
        yield
    finally:
        restore_variables(kept)


def use_token(token_file: Path) -> dict[str, str | None]:
    """Make Ray in this process, and what it starts, use this token; gives what `restore_variables` puts back."""
    kept = {name: os.environ.get(name) for name in _VARIABLES}
    restore_variables({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": None, "RAY_AUTH_TOKEN_PATH": str(token_file)})
    return kept


def restore_variables(variables: dict[str, str | None]) -> None:
    """Set or, where None, unset Ray's variables, and make it read them anew."""
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    # In this order: a thread of Ray that still sends must not find token mode without a token.
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def _rays() -> Path:
    return home() / "ray"


def _folders() -> list[Path]:
    with contextlib.suppress(OSError):
        return [folder for folder in _rays().iterdir() if folder.is_dir()]
    return []


def _short_folder() -> Path:
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) <= _LONGEST else Path("/tmp")  # noqa: S108 - mkdtemp makes a folder of our own in it


def _write_record(of: PrivateFolder, address: str) -> None:
    me = psutil.Process()
    started = created_after_boot_s(me)
    record = _Record(pid=me.pid, started=started, boot=boot_id(), temporary=of.temporary, address=address)
    write_private(of.folder / _RECORD, record.model_dump_json())


def _read_record(folder: Path) -> _Record | None:
    try:
        return _Record.model_validate_json((folder / _RECORD).read_bytes())
    except (OSError, ValidationError):
        return None


def _sweep() -> None:
    """Delete what processes left that were killed; a folder without a record is being made."""
    for folder in _folders():
        record = _read_record(folder)
        if record is not None and not record.alive:
            PrivateFolder(folder, record.temporary).remove()
