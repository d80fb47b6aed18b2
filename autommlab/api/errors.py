"""Every error that a person can act on is an `AutoMMLabError`, wherever it came from."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from autommlab.common.errors import AutoMMLabError, LLMServiceError, RequestError, StorageError
from autommlab.common.files import STORAGE_ERRNOS
from serve.errors import ServiceError

#: What the operating system says of a path that a person typed and that cannot be one.
_NO_NAMES = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR})


def as_ours(error: BaseException) -> AutoMMLabError | None:
    """The error for a person behind one that came through from below; None where it is a fault of ours."""
    match error:
        case AutoMMLabError():
            return error
        case ServiceError():
            return LLMServiceError(f"the LLM service: {error}")
        case OSError() if error.errno in STORAGE_ERRNOS:
            return StorageError(f"cannot write {error.filename or 'a file'}: {os.strerror(error.errno or 0)}")
        case OSError() if error.errno in _NO_NAMES:
            return RequestError(f"cannot use {error.filename or 'a path'}: {os.strerror(error.errno or 0)}")
    return None


@contextlib.contextmanager
def our_errors() -> Iterator[None]:
    """Raise `as_ours` instead of what came through from below.

    Raises:
        AutoMMLabError: instead of an error of the LLM service or of a storage.
    """
    try:
        yield
    except Exception as error:
        known = as_ours(error)
        if known is None or known is error:
            raise
        raise known from error
