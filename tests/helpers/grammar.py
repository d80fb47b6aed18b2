"""What vLLM's grammar backend would generate."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autommlab.understanding.answer import answer_schema


def grammar_takes(answer: str, schema: dict[str, Any] | None = None) -> bool:
    """Whether vLLM could generate `answer`, by default under the plain schema; its backend is called as vLLM does."""
    xgrammar = pytest.importorskip("xgrammar", reason="comes with vLLM (--extra cpu or --extra gpu)")
    from xgrammar.testing import _is_grammar_accept_string

    written = json.dumps(schema or answer_schema())
    grammar = xgrammar.Grammar.from_json_schema(written, any_whitespace=False, separators=(",", ":"))
    return bool(_is_grammar_accept_string(grammar, answer))
