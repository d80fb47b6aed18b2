"""A request while it is worked out: the text, what was understood, the person's corrections, the options, the plan.

Each lies in a folder of the user's own, so that neither a closed browser nor a restart of the studio loses it.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import RequestError
from autommlab.common.files import write_text
from autommlab.common.stored import record_of
from autommlab.data.records import Bag
from autommlab.models.records import ModelChoice
from autommlab.planning.records import Plan
from autommlab.progress.events import read_event
from autommlab.studio.background import OUT, Work, interrupt, program, start_errand, work_in
from autommlab.studio.settings import studio_folder
from autommlab.tasks import Task
from autommlab.understanding.answer import NONE
from autommlab.understanding.corrections import FIELDS, corrected, value_of
from autommlab.understanding.outcome import Unclear, Understood
from autommlab.understanding.request import ModelRequest

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
_DRAFT, REQUEST, UNDERSTOOD, UNCLEAR = "draft.json", "request.json", "understood.json", "unclear.json"
#: Folders of the two errands.
_READING, _PLAN = "reading", "plan"


class Options(BaseModel):
    """Options of `run` that the page offers, as typed; "" leaves one to its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = ""
    searcher: str = ""
    time: str = ""
    trials: str = ""
    profile: str = ""
    input_size: str = ""
    images: str = ""
    iterations: str = ""
    batch: str = ""

    def words(self) -> list[str]:
        """For a command line."""
        given = self.model_dump(exclude_defaults=True)
        return [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value]


class Draft(BaseModel):
    """What the person has said so far.

    Attributes:
        text: the request.
        answers: to the questions that were put back.
        run: name of the run that was started with it, "" before.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    answers: tuple[str, ...] = ()
    options: Options = Options()
    run: str = ""


class PlannedRun(BaseModel):
    """What `run --dry-run --json` prints last."""

    request: ModelRequest
    bag: Bag
    choice: ModelChoice
    plan: Plan | None = None


class DraftFolder:
    """The folder of one draft."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, draft: Draft) -> DraftFolder:
        """A new one.

        Raises:
            StorageError: the user's folder cannot be written.
        """
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
        folder = cls(studio_folder() / "requests" / name)
        folder.write(draft)
        return folder

    @classmethod
    def named(cls, name: str) -> DraftFolder | None:
        """The one of that name, None where there is none."""
        if not _ID.fullmatch(name):
            return None
        folder = cls(studio_folder() / "requests" / name)
        return folder if (folder.path / _DRAFT).is_file() else None

    @property
    def name(self) -> str:
        """What addresses it."""
        return self.path.name

    def write(self, draft: Draft) -> None:
        """Store what the person has said."""
        write_text(self.path / _DRAFT, draft.model_dump_json(indent=1))

    @property
    def draft(self) -> Draft:
        """What the person has said.

        Raises:
            RequestError: the file is damaged.
        """
        try:
            return record_of(Draft, (self.path / _DRAFT).read_bytes())
        except (OSError, ValueError) as error:
            raise RequestError(f"{self.path} cannot be read; start the request anew") from error

    def read_text(self) -> None:
        """Let the LLM read the request, with the answers so far."""
        interrupt(self.path / _READING)
        for name in (UNDERSTOOD, UNCLEAR, REQUEST):
            (self.path / name).unlink(missing_ok=True)
        words = [sys.executable, "-m", "autommlab.studio.reading", str(self.path)]
        start_errand(self.path / _READING, words)

    def by_hand(self) -> None:
        """Begin with an empty form instead."""
        interrupt(self.path / _READING)
        empty = ModelRequest.parse({"data": {}, "model": {"task": Task.CLASSIFICATION.value}})
        self.write_record(UNDERSTOOD, Understood(text=self.draft.text, request=empty))

    def write_record(self, name: str, record: BaseModel) -> None:
        """Store an outcome of understanding, or a request."""
        write_text(self.path / name, record.model_dump_json(indent=1, by_alias=True))

    @property
    def reading(self) -> Work:
        """How far the LLM has come."""
        return work_in(self.path / _READING)

    @property
    def understood(self) -> Understood | None:
        """What was understood, None while nothing is."""
        with contextlib.suppress(OSError, ValueError):
            return record_of(Understood, (self.path / UNDERSTOOD).read_bytes())
        return None

    @property
    def unclear(self) -> Unclear | None:
        """What is asked back, None if nothing is."""
        with contextlib.suppress(OSError, ValueError):
            return record_of(Unclear, (self.path / UNCLEAR).read_bytes())
        return None

    @property
    def request(self) -> ModelRequest | None:
        """The request as the person has left the form, None before."""
        with contextlib.suppress(OSError, ValueError):
            return record_of(ModelRequest, (self.path / REQUEST).read_bytes())
        return None

    def make_plan(self) -> None:
        """Find out what would be trained; one that is being made for an earlier form ends."""
        interrupt(self.path / _PLAN)
        start_errand(self.path / _PLAN, program("run", "--dry-run", "--json", *self.run_words(), "--", self.draft.text))

    def run_words(self) -> list[str]:
        """Options of `run` for this request."""
        return [f"--parse={self.path / REQUEST}", *self.draft.options.words()]

    @property
    def planning(self) -> Work:
        """How far the plan has come."""
        return work_in(self.path / _PLAN)

    def plan(self) -> tuple[PlannedRun | None, list[str], str]:
        """(the plan once it is made, what it warns of, what is being done)."""
        planned, warnings, doing = None, [], ""
        with contextlib.suppress(OSError):
            for line in (self.path / _PLAN / OUT).read_bytes().splitlines():
                try:
                    event = read_event(line)
                except ValueError:
                    with contextlib.suppress(ValueError):
                        planned = record_of(PlannedRun, line)
                    continue
                doing = event.message or doing
                if event.kind == "warning":
                    warnings.append(event.message)
        return planned, list(dict.fromkeys(warnings)), doing


def shown_value(request: ModelRequest, field: str) -> str:
    """The value of a field in the form; "" where nothing is asked."""
    value = value_of(request, field)
    return "" if value == NONE else value


def filled_in(request: ModelRequest, form: Mapping[str, str]) -> tuple[ModelRequest, dict[str, str]]:
    """(the request with the fields of a form, what is wrong: field -> a sentence).

    Args:
        request: as it was.
        form: field of `corrections.FIELDS` -> value, "" for none; a field that is missing stays.
    """
    problems = {}
    for field in FIELDS:
        value = " ".join(form.get(field, shown_value(request, field)).split())
        if value == " ".join(shown_value(request, field).split()):
            continue
        try:
            request = corrected(request, f"{field}: {value or NONE}")
        except RequestError as error:
            problems[field] = str(error)
    return request, problems
