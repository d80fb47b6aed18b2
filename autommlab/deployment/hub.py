"""Bundles on Hugging Face's hub, `hf://OWNER/NAME`, through its own library.

Who acts is for the library to know (`hf auth login`, `HF_TOKEN`): a token is no option here, for command lines are
recorded. `HF_ENDPOINT` names another hub, `HF_HOME` the folder of what was downloaded.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from autommlab.common.errors import DeploymentError, RequestError, StorageError
from autommlab.common.storage import first_line, is_uri
from autommlab.deployment.bundle_parts import HEAD, require_room

SCHEME = "hf://"
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_UNAUTHORISED, _FORBIDDEN, _MISSING = 401, 403, 404


def is_hub(name: str) -> bool:
    """Whether a name is meant for the hub, rightly written or not (`hf:me/pets`, `HF://me/pets`)."""
    return name.lower().startswith("hf:")


def bundle_folder(name: str) -> Path:
    """The folder of a bundle, which is fetched first where the name is of the hub.

    Raises:
        RequestError, DeploymentError, StorageError: as `download`.
        DeploymentError: it lies on a storage.
    """
    if is_uri(name) and not is_hub(name):
        raise DeploymentError(
            f"{name} is on a storage, from which no bundle is loaded. Copy its folder to this machine, and give that; "
            "or push it to the hub (hf://OWNER/NAME)"
        )
    return download(name) if is_hub(name) else Path(name).expanduser()


def upload(folder: Path, parts: Sequence[str], destination: str, *, private: bool, force: bool) -> str:
    """Put a bundle into a repository, in one commit where the library can.

    Args:
        folder: of the bundle.
        parts: its files, relative to it.
        destination: `hf://OWNER/NAME`; the repository is made where it is missing.
        private: for a repository that is made now.
        force: a bundle that lies there is replaced, also a lone README.md; files of no bundle are not.

    Returns:
        Address of the repository's page.

    Raises:
        RequestError: the destination names no repository.
        StorageError: no token, no right, no network, a public repository where `private` is asked for, or something
            else lies there.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    name, api = _repository(destination), HfApi()
    with _told("write", destination):
        try:
            info = api.model_info(name)
        except RepositoryNotFoundError:  # or hidden: then making it fails
            api.create_repo(name, private=private or None)  # None: as the owner has set it
            there: list[str] = []
        else:
            there = [each.rfilename for each in info.siblings or [] if not each.rfilename.startswith(".")]
            if private and not info.private:
                raise StorageError(
                    f"{destination} is public, and --private makes no public repository private. Nothing was "
                    "uploaded; change it on the hub's page, or give another name"
                )
        stale = require_room(there, parts, begun=(), force=force, shown=destination)  # a commit is whole
        done = api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=list(parts),
            delete_patterns=stale or None,
            commit_message="Bundle of AutoMMLab",
        )
    return str(done.repo_url.url)


def download(source: str) -> Path:
    """The bundle of a repository, in the library's cache: `bundle.json` and the files of the model, nothing else.

    These are data of an inference engine (ONNX, OpenVINO, ncnn). Pickles and programs of the repository are not
    fetched.

    Raises:
        RequestError: the source names no repository.
        DeploymentError: it holds no bundle.
        StorageError: it is not there, hidden, or cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import EntryNotFoundError

    from autommlab.bundle_runtime import BundleError
    from autommlab.bundle_runtime.info import read_info

    name, api = _repository(source), HfApi()
    try:
        with _told("read", source):
            head = Path(api.hf_hub_download(name, HEAD))
            for file in read_info(head.parent)["files"]:
                api.hf_hub_download(name, file, revision=head.parent.name)
    except EntryNotFoundError as error:
        raise DeploymentError(f"{source} is no bundle of AutoMMLab: it lacks a file ({first_line(error)})") from error
    except BundleError as error:
        raise DeploymentError(f"{source}: {error}") from error
    return head.parent


def _repository(name: str) -> str:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    repository = name.removeprefix(SCHEME).rstrip("/")
    wrong = f"{name!r} names no repository of the hub; write hf://OWNER/NAME, for example hf://me/pets"
    if not _REPOSITORY.fullmatch(repository):
        raise RequestError(wrong)
    try:
        validate_repo_id(repository)  # the hub's further rules: length, "--", ".git" and others
    except HFValidationError as error:
        raise RequestError(f"{wrong} ({first_line(error)})") from error
    return repository


@contextlib.contextmanager
def _told(doing: str, shown: str) -> Iterator[None]:
    """Turn a failure of the hub inside the block into a `StorageError` that says what to do."""
    # HTTPError is its HTTP client's own, of which that one's name changes with versions.
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HTTPError,
        LocalEntryNotFoundError,
        LocalTokenNotFoundError,
    )

    try:
        yield
    except LocalTokenNotFoundError as error:
        raise StorageError(f"cannot {doing} {shown}: {_LOG_IN}") from error
    except EntryNotFoundError as error:
        if not isinstance(error, LocalEntryNotFoundError):
            raise
        raise StorageError(f"cannot {doing} {shown}: {_unreachable(error)}") from error
    except HfHubHTTPError as error:
        raise StorageError(f"cannot {doing} {shown}: {_reason(error)}") from error
    except (OSError, HTTPError) as error:
        raise StorageError(f"cannot {doing} {shown}: {_unreachable(error)}") from error


_LOG_IN = (
    "the hub wants a token. Log in once (`hf auth login`), or set HF_TOKEN to a token with the right to write; it is "
    "no option of this command"
)


def _reason(error: Any) -> str:
    status = error.response.status_code if error.response is not None else 0
    reason = {
        _UNAUTHORISED: _LOG_IN,
        _FORBIDDEN: "your token has no right to this. Take one that may write there, or a name of your own",
        _MISSING: f"there is no such repository, or it is hidden from you: {_LOG_IN}",
    }
    return reason.get(status) or f"the hub answered {status}: {first_line(error)}. Say the same again later"


def _unreachable(error: BaseException) -> str:
    return (
        f"the hub cannot be reached ({first_line(error)}). Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, then say "
        "the same again: it goes on where it ended"
    )
