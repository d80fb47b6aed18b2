"""The file of a searcher's state: versioned JSON, written beside and swapped in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autommlab.common.errors import SearcherError
from autommlab.common.files import replacing

_FORMAT = "autommlab.searcher"


def write_state(target: Path, settings: dict[str, Any], state: dict[str, Any]) -> None:
    """Write `settings` and `state`, swapped in as a whole."""
    content = {"format": _FORMAT, "settings": settings, "state": state}
    with replacing(target) as draft:
        draft.write_text(json.dumps(content, allow_nan=False))


def read_state(source: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The state in `source`, if it was written with equal `settings`.

    Raises:
        SearcherError: the file is no searcher state, or its settings differ (each with both values).
    """
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise KeyError(f"format {content['format']!r} instead of {_FORMAT!r}")
        saved, state = content["settings"], content["state"]
    except (ValueError, KeyError, TypeError) as error:
        raise SearcherError(
            f"{source} is not a searcher state ({error!r}); restore an older one or start the study anew"
        ) from error
    mine = json.loads(json.dumps(settings))
    changed = [key for key in sorted({*mine, *saved}) if mine.get(key) != saved.get(key)]
    if changed:
        diff = "; ".join(f"{key}: saved {saved.get(key)!r}, now {mine.get(key)!r}" for key in changed)
        raise SearcherError(f"{source} belongs to other settings ({diff}); resume with the saved ones")
    return dict(state)
