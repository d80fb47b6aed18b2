"""The winner's config is data: written by mmengine, read without running it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from autommlab.common.errors import ResumeError
from autommlab.training.config_file import parse_config, read_config, write_config

CONTENT: dict[str, Any] = {
    "model": {"type": "Net", "depth": 18, "rate": -1e-05, "size": (192, 256), "none": None, "on": True},
    "pipeline": [{"type": "Load"}, {"type": "Resize", "scale": (640, 640)}, ("nested", [{"a": (1,)}], ())],
    "odd": {"a b": 1, "quote": 'it\'s "odd"', "line": "a\nb", "ä": "\u2028"},
    "ranges": ((-1, 64), (64, 1e8)),
    "empty": {},
}


def test_what_mmengine_dumps_comes_back_to_the_type(tmp_path: Path) -> None:
    file = write_config(tmp_path / "config.py", Config(CONTENT, format_python_code=False).dump())
    assert read_config(file).to_dict() == CONTENT


PAYLOADS = (
    "import sys; sys.modules['payload_ran'] = sys",
    "a = __import__('sys').modules.setdefault('payload_ran', 1)",
    "a = [exec(\"import sys; sys.modules['payload_ran'] = sys\")]",
    "a = (lambda: 1)()",
    "a = dict(b=open('/etc/passwd').read())",
    "a = dict([('b', 1)])",
    "a = dict(**{'b': 1})",
    "a = {**{}, 'b': 1}",
    "a = f'{1}'",
    "a = b",
    "a.b = 1",
    "a: int = 1",
    "a = [x for x in ()]",
    "def a(): pass",
    "a = -'x'",
    "_base_ = ['evil.py'];a = '{{ fileDirname }}' * 3",
)


@pytest.mark.parametrize("text", PAYLOADS)
def test_nothing_in_a_config_runs_even_if_it_is_signed(tmp_path: Path, text: str) -> None:
    sys.modules.pop("payload_ran", None)
    file = write_config(tmp_path / "config.py", f"good = 1\n{text}\n")
    with pytest.raises(ResumeError, match=r"config\.py is no config of ours: line 2"):
        read_config(file)
    assert "payload_ran" not in sys.modules


@pytest.mark.parametrize("text", ["a = ", "a = " + "(" * 50_000, "a = \x00", "a = " + "-" * 100_000 + "1"])
def test_what_python_cannot_parse_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be parsed|is no plain value|null bytes"):
        parse_config(text)


def test_the_config_of_a_run_that_somebody_sent_is_not_built(tmp_path: Path) -> None:
    """No code is needed: a registry imports and calls whatever a `type` names."""
    file = tmp_path / "config.py"
    file.write_text("model = dict(type='subprocess.check_call', args=['touch', 'payload-ran'])\n")
    with pytest.raises(ResumeError, match="was not written by this installation"):
        read_config(file)
