"""Files of weights behind the zoo's URLs: where they lie already, else fetched once a machine.

Looked for in this order: our own cache; the folder that `AUTOMMLAB_WEIGHTS` names; torch's cache, where mmengine and
torch put what they fetch; the server that `AUTOMMLAB_WEIGHTS` names; the zoo's own. A file counts only with the hash
that its name tells, wherever it lies. A download that breaks off goes on where it stopped, also in a later run.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast
from urllib.parse import urlsplit

from filelock import FileLock

from autommlab.common.environment import home
from autommlab.common.errors import ModelError, StorageError
from autommlab.common.storage import refuse_secrets, shown_uri

#: Seconds to wait for a host before weights count as not fetchable.
PROBE_TIMEOUT_S = 3.0
#: Seconds without a byte after which a download counts as broken off, and between two attempts.
READ_TIMEOUT_S, PAUSE_S = 30.0, 1.0
#: Attempts in a row that bring nothing before a download is given up.
ATTEMPTS = 3
#: Seconds between two words about a download.
TELL_EVERY_S = 1.0

#: Where OpenMMLab keeps the checkpoints of its zoos.
ORIGINS = ("https://download.openmmlab.com", "https://mmassets.onedl.ai")
#: More origins, with commas: `https://HOST[:PORT]` of a server that you trust.
ORIGINS_VARIABLE = "AUTOMMLAB_WEIGHT_ORIGINS"
#: A mirror of the zoo's files: a folder, or the beginning of URLs; `URL/path/of/the/zoo.pth` or `URL/zoo.pth` in it.
MIRROR_VARIABLE = "AUTOMMLAB_WEIGHTS"
#: OpenMMLab's file names end with the first digits of the file's SHA-256, some with a date behind them.
_HASH = re.compile(r"[-_]([0-9a-f]{8})(?:_\d{8})?\.pth(?:\.tar)?$")
_CHUNK_BYTES = 2**20

#: Told in words how far a download is.
Tell = Callable[[str], None]


def trusted_origins() -> tuple[str, ...]:
    """`scheme://host[:port]` of the servers that weights are fetched from."""
    more = os.environ.get(ORIGINS_VARIABLE, "").split(",")
    return (*ORIGINS, *(origin.strip().rstrip("/") for origin in more if origin.strip()))


def refusal(url: str) -> str:
    """Why nothing is fetched from this URL, "" if it may be."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url!r} is no URL"
    mirror = urlsplit(mirror_url())
    origin = f"{parts.scheme}://{parts.netloc}"
    if origin not in trusted_origins() and not (mirror.netloc and origin == f"{mirror.scheme}://{mirror.netloc}"):
        return (
            f"weights are fetched from {', '.join(map(shown_uri, trusted_origins()))} only, not from {url!r} (more in "
            f"{ORIGINS_VARIABLE})"
        )
    if _HASH.search(parts.path) is None:
        return f"the name of {url} tells no hash that the file could be held against"
    return ""


def mirror_url() -> str:
    """The beginning of the mirror's URLs, "" where none or a folder is named.

    Raises:
        StorageError: it carries a password.
    """
    named = os.environ.get(MIRROR_VARIABLE, "").strip().rstrip("/")
    if not named.startswith(("http://", "https://")):
        return ""
    refuse_secrets(named)
    return named


def sources(url: str) -> tuple[str, ...]:
    """Where the file of a zoo's URL can be fetched from, the mirror first."""
    mirror, path = mirror_url(), urlsplit(url).path
    mirrored = (f"{mirror}{path}", f"{mirror}/{PurePosixPath(path).name}") if mirror else ()
    return (*mirrored, url)


def at_hand(url: str, *, whole: bool = True) -> Path | None:
    """The file of a zoo's URL where it lies on this machine already, None if it has to be fetched.

    Args:
        whole: whether it must have the right hash, which takes a second for 500 MB; else it only has to be there.

    Raises:
        StorageError: `AUTOMMLAB_WEIGHTS` names a folder that does not exist.
    """
    path = PurePosixPath(urlsplit(url).path)
    kept = _kept(path.name)
    if kept.is_file():
        return kept
    places = [folder / path.name for folder in (_mirror_folder(), _torch_cache()) if folder is not None]
    if (folder := _mirror_folder()) is not None:
        places.insert(0, folder / str(path).lstrip("/"))
    found = (place for place in places if place.is_file())
    return next((place for place in found if not whole or _is_whole(place, place.stat().st_mtime_ns)), None)


def fetched(url: str, tell: Tell | None = None) -> Path:
    """The file behind a zoo's URL, fetched once per machine.

    Args:
        tell: told about once a second how far the download is.

    Raises:
        ModelError: the URL is not allowed, cannot be fetched, or gives another file.
        StorageError: the cache cannot be written, or the disk is full.
    """
    if why := refusal(url):
        raise ModelError(f"{why[0].upper()}{why[1:]}.")
    if (lying := at_hand(url)) is not None:
        return lying
    target = _kept(PurePosixPath(urlsplit(url).path).name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):  # the workers of a trial begin at once
            if not target.is_file():
                _from_any(sources(url), target, tell or _tell_nobody)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", "") or error
        raise ModelError(f"{url} cannot be fetched: {reason}. Check the network or give --weights.") from error
    except OSError as error:
        raise StorageError(f"cannot keep the weights {target.name} in {target.parent}: {_why(error)}") from error
    return target


def _tell_nobody(_: str) -> None: ...


def _why(error: OSError) -> str:
    return error.strerror or str(error)


def _kept(name: str) -> Path:
    return home() / "weights" / "zoo" / name


def _mirror_folder() -> Path | None:
    named = os.environ.get(MIRROR_VARIABLE, "").strip()
    if not named or "://" in named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise StorageError(
            f"{MIRROR_VARIABLE} is {named!r}, which is no folder here. Allowed is a folder with checkpoints of the "
            "zoo, or the beginning of their URLs on a mirror (https://...)"
        )
    return folder


def _torch_cache() -> Path:
    """Where `torch.hub` keeps checkpoints; worked out here, for torch takes seconds to import."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return Path(os.environ.get("TORCH_HOME") or cache / "torch").expanduser() / "hub" / "checkpoints"


@functools.lru_cache(maxsize=64)
def _is_whole(path: Path, changed: int) -> bool:
    """Whether a file has the hash that its name tells."""
    told = _HASH.search(path.name)
    try:
        return told is not None and _digest(path).startswith(told[1])
    except OSError:
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_any(urls: tuple[str, ...], target: Path, tell: Tell) -> None:
    """Fetch from the first place that has the file; the last one's failure is told."""
    for url in urls[:-1]:
        try:
            return _download(url, target, tell)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            tell(f"the mirror has no {url}: {error}")
    return _download(urls[-1], target, tell)


def _download(url: str, target: Path, tell: Tell) -> None:
    """Fetch a file, in several attempts if need be, and keep it if it has the right hash."""
    part = target.with_name(f".{target.name}.part")
    had = _size(part)
    in_vain = 0
    while True:
        before = _size(part)
        try:
            _go_on(url, part, tell)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 or (in_vain := in_vain + 1) >= ATTEMPTS:
                raise
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError):
            in_vain = 0 if _size(part) > before else in_vain + 1
            if in_vain >= ATTEMPTS:
                raise
        time.sleep(PAUSE_S)
    digest = _digest(part)
    told = _HASH.search(target.name)
    if told is not None and digest.startswith(told[1]):
        part.replace(target)
        return None
    part.unlink()
    if had:  # what lay there from before was of another file
        return _download(url, target, tell)
    raise ModelError(
        f"{url} gave a file with the SHA-256 {digest[:8]}..., its name tells another: somebody put another file there, "
        "or a proxy answers in its place. Try again, or give --weights."
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _go_on(url: str, part: Path, tell: Tell) -> None:
    """Fetch what is missing of a file.

    Raises:
        OSError: it breaks off; what came is kept.
        StorageError: the disk is full.
    """
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    try:
        answer = open_trusted(request, READ_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return  # nothing is missing; if it is another file, its hash tells
    with answer:
        goes_on = getattr(answer, "status", 0) == http.HTTPStatus.PARTIAL_CONTENT
        have = have if goes_on else 0
        length = getattr(answer, "headers", {}).get("Content-Length")
        total = have + int(length) if length and length.isdecimal() else None
        _check_room(part, (total or have) - have)
        with part.open("ab" if goes_on else "wb") as copy:
            _copy(answer, copy, have, total, lambda words: tell(f"fetching {part.name[1:-5]}: {words}"))


def _check_room(part: Path, missing: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < missing:
        raise _full(part, f"{missing / 1e6:.0f} MB are missing, {free / 1e6:.0f} MB are free")


def _full(part: Path, told: str) -> StorageError:
    part.unlink(missing_ok=True)
    return StorageError(
        f"the disk is full: the weights {part.name[1:-5]} do not fit into {part.parent} ({told}). Make room there, or "
        "put AUTOMMLAB_HOME on another disk"
    )


def _copy(answer: IO[bytes], copy: IO[bytes], have: int, total: int | None, tell: Tell) -> None:
    began, first, last = time.monotonic(), have, 0.0
    while chunk := answer.read(_CHUNK_BYTES):
        try:
            copy.write(chunk)
            copy.flush()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise StorageError(f"cannot write {copy.name}: {_why(error)}") from error
            raise _full(Path(copy.name), _why(error)) from error
        have += len(chunk)
        spent = time.monotonic() - began
        if spent - last >= TELL_EVERY_S or have == total:
            last = spent
            tell(_progress(have, total, (have - first) / max(spent, 1e-3)))
    if total is not None and have < total:
        raise ConnectionError(f"the connection broke off after {have / 1e6:.0f} of {total / 1e6:.0f} MB")


def _progress(have: int, total: int | None, rate: float) -> str:
    """For instance "45 of 102 MB, 12 MB/s, 5 s left"."""
    of = "" if total is None else f" of {total / 1e6:.0f}"
    left = "" if total is None else f", {(total - have) / max(rate, 1):.0f} s left"
    return f"{have / 1e6:.0f}{of} MB, {rate / 1e6:.1f} MB/s{left}"


class _TrustedRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect may lead to another trusted origin, and nowhere else."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The request to go on with."""
        if why := refusal(newurl):
            raise urllib.error.URLError(f"it leads to another place: {why}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_trusted(request: urllib.request.Request, timeout_s: float) -> IO[bytes]:
    """The answer to a request whose URL `refusal` lets pass.

    Raises:
        OSError: no answer, or it leads to a place that is not trusted.
    """
    if why := refusal(request.full_url):
        raise urllib.error.URLError(why)
    answer: Any = _opener().open(request, timeout=timeout_s)
    return cast(IO[bytes], answer)


@functools.cache
def _opener() -> urllib.request.OpenerDirector:
    """Only HTTP and HTTPS: the usual one would also read files of this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler, _TrustedRedirects,
        urllib.request.HTTPErrorProcessor, urllib.request.HTTPDefaultErrorHandler, urllib.request.UnknownHandler,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener
