"""Which files of a run this installation wrote itself.

A run folder is not only data: Ray Tune restores a study by unpickling its state, and the winner's config names the
classes that a toolbox builds. Both could be programs of whoever wrote them. So they carry a signature with a key that
only this user has (`home()/run.key`, mode 0600), and `--resume` uses nothing without a right one. A folder of another
user is not resumed at all, except by root, who may act for everybody; for root too the signatures must be right.

A run that another machine or user began (a storage URI, an unpacked archive, a new AUTOMMLAB_HOME) has signatures of
another key. Who knows where it comes from sets AUTOMMLAB_TRUST_RUN=1 for that one command, or copies `run.key`. What a
run writes from then on is signed here.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from autommlab.common.environment import home
from autommlab.common.errors import ResumeError, StorageError

TRUST_VARIABLE = "AUTOMMLAB_TRUST_RUN"
HOW_TO_TRUST = (
    "It could run programs of whoever wrote it. If the run is yours, from another machine or an older version, set "
    f"{TRUST_VARIABLE}=1 for this one command"
)
_MARK = "# signature: "
_KEY_BYTES = 32


def trusts_all() -> bool:
    """Whether the person has said that the run at hand is trusted, whoever wrote it."""
    return os.environ.get(TRUST_VARIABLE, "").strip() == "1"


def run_key() -> bytes:
    """This user's key, made at the first call.

    Raises:
        StorageError: it cannot be written or read, or is damaged.
    """
    path = home() / "run.key"
    try:
        if not path.exists():
            _make_key(path)
        key = bytes.fromhex(path.read_text(encoding="ascii"))
        if len(key) != _KEY_BYTES:
            raise ValueError(f"it has {len(key)} bytes instead of {_KEY_BYTES}")
    except (OSError, ValueError) as error:
        raise StorageError(f"the key of this user's runs, {path}, cannot be used: {error}. Delete it") from error
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(_KEY_BYTES))
    try:
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # whole or not at all, and never over another process's
    finally:
        fresh.unlink()


def signed(text: str) -> str:
    """The text with a last line that tells who wrote it; a comment in Python and YAML."""
    body = text if text.endswith("\n") else f"{text}\n"
    return f"{body}{_MARK}{_signature(body)}\n"


def read_signed(path: Path) -> str:
    """The text of a file that `signed` made.

    Raises:
        ResumeError: it is missing, or was written with another key or changed since.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResumeError(f"{path} cannot be read: {error}") from error
    body, ours = _taken_apart(text)
    if ours or trusts_all():
        return body
    raise ResumeError(f"{path} was not written by this installation, or was changed since. {HOW_TO_TRUST}")


def require_own(folder: Path) -> None:
    """Refuse a folder to work in that is another user's, or a trap of whoever packed it.

    Whoever owns a folder can put any file there. A link that leads out of it makes what a run appends to its own files
    land in a file of the person's, such as one that a shell executes.

    Raises:
        ResumeError: with both users' numbers, or the link.
    """
    owner, me = folder.stat().st_uid, os.geteuid()
    if me not in (owner, 0) and not trusts_all():
        raise ResumeError(
            f"{folder} belongs to another user (uid {owner}, you are {me}). {HOW_TO_TRUST}, or copy the folder"
        )
    link = None if trusts_all() else _link_out(folder.resolve())
    if link is not None:
        raise ResumeError(
            f"{link} is a link that leads out of {folder}: a run writes to its own files, and would change "
            f"{link.resolve()}. Delete the link, or if you made it, set {TRUST_VARIABLE}=1 for this one command"
        )


def _link_out(folder: Path) -> Path | None:
    """The first link below `folder` to something that is not; a folder may hold 100,000 masks."""
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    if not Path(os.path.realpath(entry.path)).is_relative_to(folder):
                        return Path(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
    return None


def _taken_apart(text: str) -> tuple[str, bool]:
    """The text without its signature, and whether that is right."""
    body, mark, signature = text.rpartition(_MARK)
    if not mark:
        return text, False
    return body, hmac.compare_digest(signature.strip().encode("utf-8", "surrogateescape"), _signature(body).encode())


def _signature(body: str) -> str:
    return hmac.new(run_key(), body.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
