"""Files that are written whole, with the rights that the person grants."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autommlab.common.errors import StorageError
from autommlab.common.files import write_text


@pytest.mark.parametrize("umask", ["000", "022", "027", "077"])
def test_a_file_has_the_rights_that_the_umask_leaves(tmp_path: Path, umask: str) -> None:
    code = "import sys, pathlib, autommlab.common.files as files; files.write_text(pathlib.Path(sys.argv[1]), '')"
    target = tmp_path / "new" / "file"
    line = ["/bin/sh", "-c", f'umask {umask}; exec "$@"', "sh", sys.executable, "-c", code, str(target)]
    subprocess.run(line, check=True)
    assert target.stat().st_mode & 0o777 == 0o666 & ~int(umask, 8)


def test_a_file_that_was_there_is_replaced_whole(tmp_path: Path) -> None:
    file = write_text(tmp_path / "file", "old")
    before = file.stat().st_ino
    write_text(file, "new")
    assert file.read_text() == "new"
    assert file.stat().st_ino != before
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    """As root could: `--trial-history /dev/null` would leave a file in its place, for every program of the machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(StorageError, match="it is a device or a pipe, not a file"):
        write_text(pipe, "text")
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
