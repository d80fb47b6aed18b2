"""The end of what a program has printed, for a person: without colours and what a progress display wrote over."""

from __future__ import annotations

import re
from pathlib import Path

#: More than any of our tails has; logs of a service grow to gigabytes.
_MOST_BYTES = 64 * 2**10
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def last_lines(file: Path, most: int) -> str:
    """Its last lines that are not empty; "" where there is no file.

    Args:
        file: of text in any encoding.
        most: lines.
    """
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - _MOST_BYTES))
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in _COLOURS.sub("", text).split("\n")]
    return "\n".join([line for line in lines if line.strip()][-most:])
