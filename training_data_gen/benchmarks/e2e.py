"""From sentences to deployed models, scored as LAMP does (arXiv 2402.15351): two points a request.

One point for a parse that is right in every scored field, one for a deployed model that knows the things of
the *label* and no others, and reaches its metrics on TEST. A run that fails gets no second point and costs
nobody else theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, computed_field

from autommlab.common import provenance as machine
from autommlab.common.errors import AutoMMLabError, DataError, RequestError
from autommlab.common.files import storage_errors, write_text
from autommlab.common.provenance import read_stored
from autommlab.data.bag import plan_for
from autommlab.data.records import Bag
from autommlab.deployment.limits import check_limits
from autommlab.deployment.records import Deployment, LimitCheck
from autommlab.models.records import ModelChoice
from autommlab.options import RunOptions
from autommlab.pipeline.run import run_pipeline
from autommlab.progress.events import Events
from autommlab.storage.run_folder import RunFolder
from autommlab.tasks import Task
from autommlab.training.records import StudyResult
from autommlab.understanding.request import ModelRequest
from training_data_gen.benchmarks.parse_score import Mistake, judge
from training_data_gen.benchmarks.request_sets import LabelledRequest, Prediction

RESULT_FILE = "bench-e2e.json"
_PARSE_FILE = "labelled-parse.json"


class EndToEnd(BaseModel):
    """One request and what became of it.

    Attributes:
        understood: every scored field of the parse is right.
        mistakes: those that are not.
        met: the deployed model knows the label's things, reaches every metric of the label on TEST and computes what
            PyTorch computes.
        classes: that it knows.
        right_classes: they are the label's.
        checks: all demands of the label against measured figures; none without a model.
        problem: why there is no model, "" where there is one.
        seconds: of all stages, whenever they were run.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    task: Task
    request: str
    understood: bool
    mistakes: tuple[Mistake, ...] = ()
    met: bool = False
    classes: tuple[str, ...] = ()
    right_classes: bool = False
    checks: tuple[LimitCheck, ...] = ()
    problem: str = ""
    seconds: float = 0.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def points(self) -> int:
        """0 to 2."""
        return self.understood + self.met


class EndToEndResult(BaseModel):
    """All requests of a benchmark.

    Attributes:
        options: searcher, trials and seed of every run; its text is empty.
        labelled: the labels were given as parses, so that the first point is a gift.
    """

    model_config = ConfigDict(frozen=True)

    rows: tuple[EndToEnd, ...]
    options: RunOptions
    labelled: bool
    command: str
    date: str
    machine: dict[str, str] = {}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def points(self) -> int:
        """Of two for each request."""
        return sum(row.points for row in self.rows)


def read_end_to_end(file: Path) -> EndToEndResult:
    """What `autommlab bench e2e` wrote to `file`; see `read_stored`."""
    return read_stored(EndToEndResult, file, "autommlab bench e2e")


def run_e2e(
    examples: Sequence[LabelledRequest],
    options: RunOptions,
    out: Path,
    events: Events,
    *,
    labelled: bool = False,
    command: str,
) -> EndToEndResult:
    """Run what is missing of the benchmark in `out`; a run that failed is tried again.

    Args:
        examples: requests with labels that name metrics.
        options: of every run; the text is put in.
        out: folder; gets a run folder for each request and `bench-e2e.json`.
        events: who is told.
        labelled: take the labels as parses instead of asking the LLM.
        command: what a reader would type to repeat it.

    Raises:
        RequestError: an id that is no name of a folder.
        StorageError: the folder cannot be written.
    """
    for example in examples:
        if example.id in (".", "..") or Path(example.id).name != example.id:
            raise RequestError(f"the id {example.id!r} cannot be the name of a folder; give the request another one")
    rows = []
    for number, example in enumerate(examples, start=1):
        events.emit("note", "understanding", f"request {number} of {len(examples)}: {example.request}")
        rows.append(_end_to_end(example, options, out / example.id, events, labelled))
        result = EndToEndResult(
            rows=tuple(rows),
            options=options,
            labelled=labelled,
            **machine.circumstances(command),
        )
        write_text(out / RESULT_FILE, result.model_dump_json(indent=1))
    return result


def _end_to_end(example: LabelledRequest, options: RunOptions, out: Path, events: Events, labelled: bool) -> EndToEnd:
    asked = options.model_copy(update={"text": example.request})
    if labelled:
        with storage_errors(out):
            out.mkdir(parents=True, exist_ok=True)
            label = write_text(out / _PARSE_FILE, example.parse.model_dump_json(by_alias=True))
        asked = asked.model_copy(update={"parse": label})
    problem = ""
    try:
        run_pipeline(asked, out, Events(events), keep_typos=True)  # what was understood is judged all the same
    except AutoMMLabError as error:
        problem = str(error)
        events.emit("warning", "", f"{example.id}: {problem}")
    folder = RunFolder(out)
    checks = () if problem else _checks(example.parse, folder)
    bag = folder.read("bag", Bag)
    right_classes = bag is not None and shows_things(example.parse, bag.sources)
    verdict = judge(example, Prediction(id=example.id, parse=folder.read("request", ModelRequest), error=problem))
    return EndToEnd(
        id=example.id,
        task=example.task,
        request=example.request,
        understood=not verdict.wrong(),
        mistakes=verdict.mistakes,
        met=not problem and right_classes and _agrees(folder) and metrics_reached(example.parse, checks),
        classes=bag.classes if bag is not None else (),
        right_classes=right_classes,
        checks=checks,
        problem=problem,
        seconds=sum(folder.stage_seconds().values()),
    )


def _checks(label: ModelRequest, folder: RunFolder) -> tuple[LimitCheck, ...]:
    """The label's demands, not the parse's: a demand that was overheard is not met by that."""
    choice, study = folder.read("model", ModelChoice), folder.read("study", StudyResult)
    deployed = folder.read("deployment", Deployment)
    if choice is None or study is None or deployed is None:
        return ()
    return check_limits(label, choice, study, deployed.verification, engine=deployed.engine, device=deployed.device)


def shows_things(label: ModelRequest, sources: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a bag shows what the label's objects stand for, by whatever names, and nothing else.

    Args:
        label: what was asked for.
        sources: of the bag (`Bag.sources`).
    """
    try:
        wanted, _ = plan_for(label)
    except DataError:
        return False
    return sorted(wanted.sources().values()) == sorted(sources.values())


def _agrees(folder: RunFolder) -> bool:
    deployed = folder.read("deployment", Deployment)
    return deployed is not None and deployed.verification.agrees


def metrics_reached(label: ModelRequest, checks: Iterable[LimitCheck]) -> bool:
    """Whether every metric of the label was measured on TEST and is good enough."""
    holds = {check.name: check.holds for check in checks}
    return all(holds.get(wanted.name) is True for wanted in label.model.metrics)
