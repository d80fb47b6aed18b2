"""The one way in which weights are read: as tensors, never as a program, whoever made the file.

A `.pth` file is a pickle, which can run code as it is read. `load_checkpoint` lets torch build tensors and plain
containers only (`weights_only=True`) and never falls back to anything wider; mmengine's loader, which does, is replaced
by it (`autommlab.compat`), so that `load_from`, `init_cfg`, evaluation and resume all end here. What OpenMMLab's own
checkpoints carry beside the tensors (its log buffers, numpy scalars) is read as nothing.

Weights are fetched from the origins of `trusted_origins` alone, and a file must have the hash that its name tells.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast
from urllib.parse import urlsplit

from filelock import FileLock

from autommlab.common.environment import home
from autommlab.common.errors import ModelError, StorageError
from autommlab.common.storage import shown_uri

#: Seconds to wait for a host before weights count as not fetchable.
PROBE_TIMEOUT_S = 3.0

#: Where OpenMMLab keeps the checkpoints of its zoos.
ORIGINS = ("https://download.openmmlab.com", "https://mmassets.onedl.ai")
#: More origins, with commas: `https://HOST[:PORT]` of a mirror that you trust.
ORIGINS_VARIABLE = "AUTOMMLAB_WEIGHT_ORIGINS"
#: OpenMMLab's file names end with the first digits of the file's SHA-256, some with a date behind them.
_HASH = re.compile(r"[-_]([0-9a-f]{8})(?:_\d{8})?\.pth(?:\.tar)?$")
#: What the checkpoints of mmengine's own runner name beside torch's classes; all of it only describes the training.
_READ_AS_NOTHING = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "builtins.getattr",
    "builtins.slice",
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *(f"numpy.dtypes.{name}DType" for name in ("Float32", "Float64", "Int32", "Int64", "UInt32", "UInt64")),
)
_CHUNK_BYTES = 2**20


class _Nothing:
    """Stands for an object that is not wanted; takes any construction and any state."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


def load_checkpoint(source: str | Path, map_location: Any = "cpu") -> Any:
    """The content of a checkpoint: a file of this machine, or one of the zoo by its URL.

    Args:
        source: path or URL.
        map_location: as torch's.

    Raises:
        ModelError: it holds more than tensors and plain values, is damaged or not there, or may not be fetched.
    """
    import torch

    text = str(source)
    path = fetched(text) if "://" in text else Path(text).expanduser()
    if not path.is_file():
        raise ModelError(f"the weights file {path} does not exist. Give the path of a PyTorch checkpoint (.pth).")
    harmless: list[Any] = [(_Nothing, name) for name in _READ_AS_NOTHING]
    try:
        with torch.serialization.safe_globals(harmless):
            return torch.load(path, map_location=map_location, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise _unreadable(path, error) from error
    except (pickle.UnpicklingError, RecursionError, AssertionError, ImportError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> ModelError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ModelError(
        f"the weights file {path} cannot be loaded as plain tensors: {reason}. "
        "Allowed is a PyTorch checkpoint that torch.load(weights_only=True) reads: save its state dict alone."
    )


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
    if f"{parts.scheme}://{parts.netloc}" not in trusted_origins():
        return (
            f"weights are fetched from {', '.join(map(shown_uri, trusted_origins()))} only, not from {url!r} (more in "
            f"{ORIGINS_VARIABLE})"
        )
    if _HASH.search(parts.path) is None:
        return f"the name of {url} tells no hash that the file could be held against"
    return ""


def fetched(url: str) -> Path:
    """The file behind a URL, fetched once per machine and held against the hash in its name.

    Raises:
        ModelError: the URL is not allowed, cannot be fetched, or gives another file.
        StorageError: the cache cannot be written.
    """
    if why := refusal(url):
        raise ModelError(f"{why[0].upper()}{why[1:]}.")
    name = PurePosixPath(urlsplit(url).path).name
    target = home() / "weights" / "zoo" / name
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):  # the workers of a trial begin at once
            if not target.is_file():
                _download(url, target)
    except urllib.error.URLError as error:
        raise ModelError(f"{url} cannot be fetched: {error.reason}. Check the network or give --weights.") from error
    except OSError as error:
        raise StorageError(f"cannot keep the weights {name} in {target.parent}: {error.strerror or error}") from error
    return target


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


def _download(url: str, target: Path) -> None:
    fresh = target.with_name(f".{target.name}.part")
    digest = hashlib.sha256()
    try:
        request = urllib.request.Request(url)  # noqa: S310 - `open_trusted` checks the scheme
        with open_trusted(request, PROBE_TIMEOUT_S) as answer, fresh.open("wb") as copy:
            while chunk := answer.read(_CHUNK_BYTES):
                digest.update(chunk)
                copy.write(chunk)
        told = _HASH.search(target.name)
        if told is None or not digest.hexdigest().startswith(told[1]):
            raise ModelError(
                f"{url} gave a file with the SHA-256 {digest.hexdigest()[:8]}..., its name tells another: the download "
                "broke, or somebody put another file there. Try again, or give --weights."
            )
        shutil.move(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)
