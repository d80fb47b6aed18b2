"""Where a model's initial weights come from: a file, an installed package, the zoo's URL, or nowhere.

URLs are probed with one short request for the headers; a host that cannot be
reached is not asked again in the same process, and neither is any other.
"""

from __future__ import annotations

import functools
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from autommlab.common.checkpoint_loader import PROBE_TIMEOUT_S, load_checkpoint, open_trusted, refusal
from autommlab.common.errors import AutoMMLabError, ModelError
from autommlab.models.packaged_weights import carried_file
from autommlab.models.records import ModelEntry, Pretrained

_FROM_SCRATCH = "it trains from scratch"
#: Host -> why it cannot be reached ("" if it answered), for the life of the process.
_hosts: dict[str, str] = {}


def resolve(entry: ModelEntry, given: Path | None) -> Pretrained:
    """The initial weights of an entry.

    Args:
        given: a checkpoint file that the user names; it goes before everything else.

    Returns:
        Kind "file", "package", "url" or, with the reason, "none".

    Raises:
        ModelError: `given` does not exist or is not a checkpoint.
    """
    if given is not None:
        return _from_file(given)
    if entry.packaged:
        try:
            carried_file(entry.packaged)
        except ModelError as error:
            return Pretrained(kind="none", reason=f"{error} Without it {_FROM_SCRATCH}.")
        return Pretrained(
            kind="package",
            source=entry.packaged,
            reason=f"the installed package {entry.packaged} carries ImageNet weights of the backbone",
        )
    if not entry.weights_url:
        return Pretrained(kind="none", reason=f"the zoo has no weights of {entry.name}: {_FROM_SCRATCH}")
    obstacle = _obstacle(entry.weights_url)
    if obstacle:
        return Pretrained(kind="none", reason=f"{obstacle}: {entry.name} has no weights here, {_FROM_SCRATCH}")
    return Pretrained(kind="url", source=entry.weights_url, reason="the zoo's checkpoint of the whole model")


def fetchable(entry: ModelEntry) -> bool:
    """Whether weights of this entry can be had here without naming a file.

    Cheap enough for every candidate: one request a host, none after the first failure.
    """
    if entry.packaged:
        try:
            carried_file(entry.packaged)
        except AutoMMLabError:
            return False
        return True
    if not entry.weights_url or refusal(entry.weights_url):
        return False
    return _hosts.get(urlsplit(entry.weights_url).netloc) == "" or not _obstacle(entry.weights_url)


def _from_file(given: Path) -> Pretrained:
    path = given.expanduser().resolve()
    load_checkpoint(path)
    return Pretrained(kind="file", source=str(path), reason="the file that was given")


def _obstacle(url: str) -> str:
    """Why a URL cannot be fetched, "" if it can."""
    if why := refusal(url):
        return why
    parts = urlsplit(url)
    if parts.netloc not in _hosts and any(_hosts.values()):
        return next(reason for reason in _hosts.values() if reason)
    return _hosts.get(parts.netloc) or _head(url)


@functools.cache
def _head(url: str) -> str:
    host = urlsplit(url).netloc
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - `refusal` checks the scheme
    try:
        with open_trusted(request, PROBE_TIMEOUT_S):
            _hosts[host] = ""
            return ""
    except urllib.error.HTTPError as error:
        _hosts[host] = ""  # it answered: only this file is not there
        return f"{host} answered {error.code} for {url}"
    except OSError as error:
        _hosts[host] = f"offline: {host} could not be reached ({getattr(error, 'reason', error)})"
        return _hosts[host]
