"""`python -m autommlab.studio.errand FILE WORDS...`: runs a program to its end and writes its exit code into a file.

The studio that asked for it may be gone by then; the next one reads the file.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from autommlab.common.files import write_text


def main(words: list[str]) -> int:
    """Run it; its exit code. An interrupt is passed on, so that the program ends in its own way."""
    file, *command = words
    child = subprocess.Popen(command)  # noqa: S603 - the studio's words, without a shell
    signal.signal(signal.SIGINT, lambda number, _: child.send_signal(number))
    code = child.wait()
    write_text(Path(file), json.dumps({"code": code}))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
