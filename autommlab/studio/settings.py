"""The one place of the studio's defaults; light to import."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from autommlab.common.environment import home
from autommlab.common.errors import RequestError
from autommlab.common.files import write_private
from autommlab.common.ports import LOOPBACK, is_loopback

DEFAULT_PORT = 8475
TOKEN_VARIABLE = "AUTOMMLAB_STUDIO_TOKEN"  # noqa: S105 - a name, not a token
#: Of a token that a person chooses: long enough not to be guessed, and safe in an address.
_TOKEN = re.compile(r"[\w.~-]{16,200}", re.ASCII)
_MB = 2**20


@dataclass(frozen=True)
class StudioSettings:
    """Everything about one studio.

    Attributes:
        runs: folder whose run folders are shown, and in which new ones are made.
        host, port: where it listens.
        token: what a browser must show once; None asks for nothing, on loopback only.
        allowed_hosts: names beside loopback and `host` under which it may be asked, "*" = any.
        address: job server of a Ray cluster that runs may be sent to; None = this machine only.
        most_upload_mb: largest upload of a data set, in MiB: one zipped set, or all files of a folder together.
        most_picture_mb: largest picture that a model is tried on, in MiB.
    """

    runs: Path
    host: str = LOOPBACK[0]
    port: int = DEFAULT_PORT
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    address: str | None = None
    most_upload_mb: int = 2048
    most_picture_mb: int = 32

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise RequestError(
                f"--no-token with --host {self.host}: whoever reaches that address could start programs as you. "
                "Leave out --no-token, or listen on 127.0.0.1"
            )

    @property
    def most_upload_bytes(self) -> int:
        """Of one upload of a data set."""
        return self.most_upload_mb * _MB

    @property
    def most_picture_bytes(self) -> int:
        """Of one picture."""
        return self.most_picture_mb * _MB

    @property
    def url(self) -> str:
        """Where a browser finds it; with the token, which the first page takes out of the address again."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/" + (f"?token={self.token}" if self.token else "")


def studio_folder() -> Path:
    """Folder of the token, of requests that are being worked out, and of what was started."""
    return home() / "studio"


def own_token() -> str:
    """The token of `AUTOMMLAB_STUDIO_TOKEN`, else the user's own: made once, so that a restart lets open pages in.

    Raises:
        RequestError: the variable holds what is no token.
        OSError: the user's folder cannot be written.
    """
    given = os.environ.get(TOKEN_VARIABLE)
    if given is not None:
        if not _TOKEN.fullmatch(given):
            raise RequestError(f"{TOKEN_VARIABLE} must have 16 to 200 letters, digits or any of . _ ~ -")
        return given
    file = studio_folder() / "token"
    if file.is_file() and _TOKEN.fullmatch(known := file.read_text(encoding="ascii", errors="replace").strip()):
        return known
    made = secrets.token_urlsafe(32)
    write_private(file, made)
    return made
