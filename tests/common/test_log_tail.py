"""The end of a log, as a person reads it."""

from __future__ import annotations

from pathlib import Path

from autommlab.common.log_tail import last_lines


def test_the_last_lines_without_colours_and_what_was_written_over(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"first\n\n\x1b[31mred\x1b[0m\n10 %\r50 %\r100 %\nbad \xff byte\n")
    assert last_lines(log, 9) == "first\nred\n100 %\nbad � byte"
    assert last_lines(log, 1) == "bad � byte"
    assert last_lines(tmp_path / "none.txt", 9) == ""


def test_of_a_long_log_only_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("x" * 2**20 + "\nlast\n")
    read = last_lines(log, 2)
    assert read.endswith("\nlast")
    assert len(read) < 2**17
