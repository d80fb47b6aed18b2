"""`python -m autommlab.studio.reading FOLDER`: lets the LLM read the request of a draft.

It leaves `understood.json`, or `unclear.json` with a question to the person.
"""

from __future__ import annotations

import sys
from pathlib import Path

from autommlab.common.errors import AutoMMLabError
from autommlab.data.overrides import known_set, with_overrides
from autommlab.options import RunOptions
from autommlab.studio.drafts import UNCLEAR, UNDERSTOOD, DraftFolder
from autommlab.understanding.outcome import UnclearRequest
from autommlab.understanding.understand import Lent, understand


def read_draft(folder: DraftFolder) -> None:
    """Read it; the person's answers so far are given to the questions.

    Raises:
        AutoMMLabError: the text is no request, or there is no LLM service.
    """
    draft = folder.draft
    options = RunOptions(text=draft.text, data=draft.options.data or None)
    known, answers = known_set(options), iter(draft.answers)
    lent = Lent(ask=lambda _: next(answers, ""), tell=_tell)
    try:
        outcome = understand(draft.text, needs_object=options.data is None, task=known.task, lent=lent)
    except UnclearRequest as question:
        folder.write_record(UNCLEAR, question.unclear)
        return
    folder.write_record(UNDERSTOOD, with_overrides(outcome, options, known))


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def main(path: str) -> int:
    """Read the draft in a folder; an exit code."""
    try:
        read_draft(DraftFolder(Path(path)))
    except AutoMMLabError as error:
        _tell(f"Error: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
