"""Writing a file so that a reader sees the old or the new text, never half of it."""

import os
import tempfile
from pathlib import Path

from autommlab.errors import StorageError


def write_text(path: Path, text: str) -> None:
    """Swap `text` in as the content of `path`, safe against a crash at any moment.

    Raises:
        StorageError: the folder is read-only, gone or full.
    """
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
        ) as out:
            temporary = out.name
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise StorageError(
            f"{path}: cannot be written ({error.strerror}). Free space or permissions in {path.parent}, or set "
            "AUTOMMLAB_HOME to another folder."
        ) from error
