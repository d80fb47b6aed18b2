"""The HPO benchmark: every searcher on every held-out task, real trials, equal budgets, paired seeds.

Several studies are played at once, so that no slot waits while a searcher thinks; each of them gives its searcher
every result before it asks for the next proposal, unless trials are to run side by side (`concurrent`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from autommlab.cluster import ray_session
from autommlab.common.files import exclusive, write_text
from autommlab.common.keyed_lines import write_compressed
from autommlab.common.wording import duration
from autommlab.compare.across_records import HpoBenchOptions, HpoBenchResult
from autommlab.compare.across_tasks import hpo_bench_record
from autommlab.compare.records import Comparison, StudySummary
from autommlab.compare.run_compare import ComparedOn, comparison_record, study_folder
from autommlab.progress.events import Events
from autommlab.storage.run_folder import read_record
from serve.client import ServiceClient
from training_data_gen.benchmarks.ask_tell import ask_tell_study
from training_data_gen.benchmarks.playing import (
    ANSWERS_FILE,
    STAGE,
    TRAININGS_FILE,
    need_of,
    played,
    remembering_service,
    trainings_in,
)
from training_data_gen.benchmarks.response_cache import CachedAnswer, read_answers
from training_data_gen.benchmarks.trainings import RealBag, TrainedBlackBox, Trainings, real_bag
from training_data_gen.trials.plan import plan_bags
from training_data_gen.trials.planned import PlannedBag
from training_data_gen.trials.records import RecordedTrial
from training_data_gen.trials.store import read_trials

RESULT_FILE = "bench-hpo.json"


class _Job(NamedTuple):
    """One study of the benchmark."""

    seed: int
    bag: str
    searcher: str

    def __str__(self) -> str:
        return f"{self.bag}, {self.searcher}, seed {self.seed}"

    def file(self, out: Path, options: HpoBenchOptions) -> Path:
        """Where it is kept once it is finished; studies of another budget lie beside it."""
        folder = study_folder(out / self.bag, self.searcher, self.seed)
        return folder / f"{options.budget(self.searcher)}-trials.json"


def held_out_bags(options: HpoBenchOptions) -> list[PlannedBag]:
    """The plan's held-out tasks that are asked for, a user's own sets among them, task by task in turn.

    Raises:
        RequestError: a bag is asked for by a name that none has.
    """
    found = {bag.id: bag for bag in plan_bags(options.tasks, datasets=options.datasets) if bag.held_out}
    return [found[name] for name in options.chosen({name: bag.task for name, bag in found.items()})]


def run_hpo_bench(
    options: HpoBenchOptions,
    out: Path,
    events: Events,
    *,
    address: str | None,
    command: str,
    known: Sequence[RecordedTrial] = (),
    answers: Sequence[CachedAnswer] = (),
) -> HpoBenchResult:
    """Run what is missing of the benchmark in `out`; `bench-hpo.json` is kept up to date.

    Args:
        options: bags, searchers and budget.
        out: folder; gets `trainings.jsonl`, `answers.jsonl`, and for each bag a folder with one for each study.
        events: who is told.
        address: of a running Ray cluster, see `cluster.ray_session`.
        command: what a reader would type to repeat it.
        known: trainings of other benchmarks that are not repeated.
        answers: of the LLM in other benchmarks, not asked for again.

    Raises:
        StorageError: the folder cannot be written, or another process works there.
        AutoMMLabError: data, model, service or a study fails; finished studies and all trainings stay.
    """
    with exclusive(out):
        return _Bench(options, out, events, command, known, answers).run(address)


def pack(
    out: Path,
    into: Path,
    *,
    known: Sequence[RecordedTrial] = (),
    answers: Sequence[CachedAnswer] = (),
    name: str = "hpo",
) -> tuple[Path, Path]:
    """Everything that a later benchmark needs not repeat, in the form to commit.

    Args:
        out: folder of a benchmark.
        into: gets `hpo_trainings.jsonl.gz` and `hpo_answers.jsonl.gz`.
        known, answers: what that benchmark knew before.
        name: that the two files begin with.

    Raises:
        StorageError: `into` cannot be written.
        DataError: a file of `out` is damaged.
    """
    trainings, said = out / TRAININGS_FILE, out / ANSWERS_FILE
    new = read_trials(trainings, allow_empty=True) if trainings.exists() else []
    heard = read_answers(said) if said.exists() else []
    return (
        write_compressed({t.key: t for t in (*known, *new)}.values(), into / f"{name}_{TRAININGS_FILE}.gz"),
        write_compressed({a.key: a for a in (*answers, *heard)}.values(), into / f"{name}_{ANSWERS_FILE}.gz"),
    )


class _Bench:
    def __init__(
        self,
        options: HpoBenchOptions,
        out: Path,
        events: Events,
        command: str,
        known: Sequence[RecordedTrial],
        answers: Sequence[CachedAnswer],
    ) -> None:
        self._options, self._out, self._events, self._command = options, out, events, command
        self._known, self._answers = known, answers
        self._bags = {bag.id: real_bag(bag, out / bag.id) for bag in held_out_bags(options)}
        self._studies: dict[_Job, StudySummary] = {}

    def run(self, address: str | None) -> HpoBenchResult:
        missing = []
        for job in self._order():
            stored = job.file(self._out, self._options)
            if stored.exists():
                self._studies[job] = read_record(stored, StudySummary)
            else:
                missing.append(job)
        if missing:
            asking = {job.searcher for job in missing}
            service = remembering_service(asking, self._out, self._answers, self._events)
            with ray_session(address):
                self._play(missing, service)
        return self._result()

    def _order(self) -> Iterator[_Job]:
        """Seed by seed and bag by bag, so that an interrupted benchmark is still a paired one."""
        for seed in range(self._options.seeds):
            for bag in self._bags:
                for searcher in self._options.searchers:
                    yield _Job(seed, bag, searcher)

    def _play(self, missing: Sequence[_Job], service: ServiceClient | None) -> None:
        asked = self._options
        need = need_of(asked.cpus_per_trial, asked.gpus_per_trial)
        trainings = trainings_in(self._out, need, self._known)
        began = time.monotonic()

        def ask_and_tell(job: _Job) -> StudySummary:
            bag = self._bags[job.bag]
            trained = TrainedBlackBox(trainings, bag, job.seed)
            study = ask_tell_study(
                bag.problem, trained, job.searcher, job.seed,
                trials=asked.budget(job.searcher), at_once=asked.concurrent, service=service,
            )  # fmt: skip
            return study.model_copy(update={"test": trained.test()})

        with played(ask_and_tell, missing, need) as studies:
            for number, (job, study) in enumerate(studies, start=1):
                stored = job.file(self._out, asked)
                stored.parent.mkdir(parents=True, exist_ok=True)
                write_text(stored, study.model_dump_json(indent=1))
                self._studies[job] = study
                left = (time.monotonic() - began) / number * (len(missing) - number)
                self._tell(job, study, trainings, left)

    def _tell(self, job: _Job, study: StudySummary, trainings: Trainings, left_s: float) -> None:
        done, total = len(self._studies), len(self._bags) * self._options.seeds * len(self._options.searchers)
        self._events.emit(
            "note",
            STAGE,
            f"study {done} of {total}, {job}: best {max(study.scores, default=0.0):.3f}; {trainings.trained} trained, "
            f"{trainings.taken} known already, about {duration(left_s)} left",
            done=done,
            total=total,
            trained=trainings.trained,
            eta_s=left_s,
        )
        if job.searcher == self._options.searchers[-1]:
            self._result()

    def _result(self) -> HpoBenchResult:
        comparisons = {}
        for name, bag in self._bags.items():
            studies = [study for job, study in self._studies.items() if job.bag == name]
            if studies:
                comparisons[name] = self._comparison(bag, studies)
        result = hpo_bench_record(self._options, comparisons, self._command)
        write_text(self._out / RESULT_FILE, result.model_dump_json(indent=1))
        return result

    def _comparison(self, bag: RealBag, studies: Sequence[StudySummary]) -> Comparison:
        data = bag.setup.bag
        compared_on = ComparedOn(data.task, ", ".join(data.datasets), data.classes, bag.setup.choice.entry.title)
        asked = self._options
        return comparison_record(compared_on, asked.trials, studies, asked.searchers, asked.seeds, self._command)
