"""Where a model's initial weights come from: a file, an installed package, the zoo's URL, or nowhere.

URLs are probed with one short request for the headers; a host that cannot be
reached is not asked again in the same process, and neither is any other. What lies
on this machine already, in a mirror's folder or in torch's cache, needs no probe.
"""

from __future__ import annotations

import functools
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from autommlab.common.checkpoint_loader import load_checkpoint
from autommlab.common.errors import AutoMMLabError, ModelError
from autommlab.common.weights_files import PROBE_TIMEOUT_S, at_hand, mirror_url, open_trusted, refusal, sources
from autommlab.models.packaged_weights import carried_file
from autommlab.models.records import ModelEntry, Pretrained

if TYPE_CHECKING:
    from torch import Tensor

#: Before the names of a model that was trained in parallel.
_PARALLEL = "module."
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
    lying = at_hand(entry.weights_url)
    whence = f", from {lying.parent}" if lying else ""
    return Pretrained(kind="url", source=entry.weights_url, reason=f"the zoo's checkpoint of the whole model{whence}")


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
    if at_hand(entry.weights_url, whole=False) is not None:
        return True
    hosts = {urlsplit(source).netloc for source in sources(entry.weights_url)}
    return any(_hosts.get(host) == "" for host in hosts) or not _obstacle(entry.weights_url)


def tensors_of(path: Path) -> dict[str, Tensor]:
    """The named tensors of a checkpoint, under the names that mmengine's loader gives them.

    Raises:
        ModelError: it cannot be read.
    """
    import torch

    content: Any = load_checkpoint(path)
    if isinstance(content, Mapping):
        content = content.get("state_dict", content)
    items = content.items() if isinstance(content, Mapping) else ()
    return {str(name).removeprefix(_PARALLEL): value for name, value in items if isinstance(value, torch.Tensor)}


def _from_file(given: Path) -> Pretrained:
    path = given.expanduser().resolve()
    if not tensors_of(path):
        raise ModelError(f"the weights file {path} holds no tensors by name. Give a checkpoint with a state dict.")
    return Pretrained(kind="file", source=str(path), reason="the file that was given")


def _obstacle(url: str) -> str:
    """Why the file of a URL cannot be had, "" if it can: a mirror is asked before the zoo."""
    if why := refusal(url):
        return why
    if at_hand(url, whole=False) is not None:
        return ""
    obstacles = [_probe(source) for source in sources(url)]
    return "" if "" in obstacles else obstacles[-1]


def _probe(url: str) -> str:
    host, mirror = urlsplit(url).netloc, urlsplit(mirror_url()).netloc
    unreachable = [reason for known, reason in _hosts.items() if reason and known != mirror]
    if host not in _hosts and unreachable:
        return unreachable[0]
    return _hosts.get(host) or _head(url)


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
