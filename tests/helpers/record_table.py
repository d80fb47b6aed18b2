"""Every file that the program writes and reads back: how a sound one is made, and how a person has it read again."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from autommlab.common.files import write_private
from autommlab.common.llm_usage import LlmUsage
from autommlab.common.signing import run_key
from autommlab.compare.across_records import HpoBenchOptions, HpoBenchResult
from autommlab.compare.records import OPTIONS_FILE, CompareOptions, Comparison, StudySummary
from autommlab.compare.standings import standings
from autommlab.data import registry
from autommlab.data.records import Bag
from autommlab.deployment.delivered import hashes_of
from autommlab.options import RunOptions
from autommlab.progress.events import EventLog, Events
from autommlab.storage.run_folder import RunFolder, read_record
from autommlab.tasks import Task, objective
from autommlab.trackers.marks import RUN, Mark, Marks
from autommlab.training.ledger import Ledger
from autommlab.training.loss_curve import CURVES_FILE, CurvePiece, LossPoint, append_piece
from autommlab.training.records import CrossValidated, CrossValidation, Lead, StudyResult, TrialRecord
from autommlab.training.study import SEARCH_FILE
from autommlab.training.study_state import SPACE_FILE
from autommlab.understanding.outcome import Understood
from autommlab.understanding.request import ModelRequest
from serve.daemon import SETTINGS_FILE
from tests.helpers import report_records
from tests.helpers.program import EXAMPLES, autommlab_here, exit_codes
from tests.helpers.state_records import (
    adapter_table,
    fine_tuning,
    go_on_with_fine_tuning,
    go_on_with_study,
    half_a_study,
    restored_searcher,
    saved_searcher,
    start_service,
    started_service,
    use_adapters,
)
from tests.helpers.studio_records import DRAFT, pages_of_request, worked_out
from tests.helpers.tiny_bundles import make_bundle, make_picture
from tests.helpers.tiny_trials import make_setup, point, small_space
from tests.helpers.trial_making import made_up
from training_data_gen.benchmarks.request_sets import SETS
from training_data_gen.benchmarks.tabular.bench import STUDIES_FILE, Known, pack_all, read_known
from training_data_gen.benchmarks.tabular.results import result_of
from training_data_gen.benchmarks.tabular.studies import TabularStudy
from training_data_gen.trials.plan import plan_bags

#: What may become of a file that is damaged: it stays as it is; its lines stay, the bad ones beside it; or it holds
#: nothing that a person would miss and is written anew.
Kept = Literal["whole", "lines", "anew"]


@dataclass(frozen=True)
class StoredRecord:
    """One kind of file.

    Attributes:
        name: for the test's id.
        make: lays everything that a reader needs into a folder.
        file: the one that gets damaged, relative to the folder.
        read: has it read; any error is raised, and a command that ends by a fault raises `AssertionError`.
        form: of its content.
    """

    name: str
    make: Callable[[Path], object]
    file: str
    read: Callable[[Path], object]
    form: Literal["json", "lines", "bytes"] = "json"
    kept: Kept = "whole"

    @property
    def is_plotted(self) -> bool:
        """Its figures are in plots of the report, which take a second."""
        return "trials" in self.name or "study" in self.name


def command(*arguments: object) -> str:
    """Run a command; its standard output.

    Raises:
        AssertionError: it ends in a traceback or with a code that says "fault of ours".
    """
    done = autommlab_here(*arguments)
    assert done.code in exit_codes(), f"exit code {done.code}\n{done.err}"
    assert "Traceback" not in done.err, done.err
    return done.out


# --- runs ---------------------------------------------------------------------------------------------------------


def finished_run(folder: Path, task: Task = Task.CLASSIFICATION) -> RunFolder:
    """A run that has come to its end, with a bag of drawn shapes and a bundle that predicts something."""
    run = unfinished_run(folder, task)
    study = run.study
    trials = tuple(Ledger(study / "trials.jsonl").records)
    name = objective(task).name
    run.write(
        "study",
        StudyResult(
            task=task, objective=name, trials=trials, best=trials[0], checkpoint=study / "best/checkpoint.pth",
            config_file=study / "best/config.py", val_metrics={name: 0.5}, test_metrics={name: 0.4}, seconds=9,
        ),
    )  # fmt: skip
    kind = {"keypoint": "keypoint-regression"}.get(task, str(task))
    make_bundle(run.bundle, kind)
    deployment = report_records.deployment(run.path)
    run.write("deployment", deployment.model_copy(update={"files": hashes_of(run.bundle)}))
    run.write("analysis", report_records.analysis(task, run.bag / "images" / "test0.png"))
    return run


def unfinished_run(folder: Path, task: Task = Task.CLASSIFICATION) -> RunFolder:
    """A run that was killed in training after two trials; the second one had no score."""
    run = RunFolder(folder)
    run.path.mkdir(parents=True, exist_ok=True)
    example = {"classification": "classify_animals", "detection": "detect_cats_and_dogs"}.get(task, "segment_fruit")
    request = ModelRequest.read(EXAMPLES / f"{example}.json")
    setup = make_setup(task, run.path)
    made = run.path / task.value
    made.rename(run.bag)
    for listing in (*run.bag.glob("*.txt"), *run.bag.glob("*.json")):
        listing.write_text(listing.read_text().replace(str(made), str(run.bag)))
    bag = setup.bag.model_copy(update={"folder": run.bag})
    run.write("options", RunOptions(text="red or green", searcher="tpe", trials=2, time_min=60))
    run.write("understanding", Understood(text="red or green", request=request))
    run.write("request", request)
    run.write("bag", bag)
    run.write("model", setup.choice)
    run.add_seconds("data", 3.5)
    study = run.study
    (study / "best").mkdir(parents=True)
    ledger = Ledger(study / "trials.jsonl")
    for number, status in enumerate(("ok", "diverged"), start=1):
        ledger.append(
            TrialRecord.model_validate(
                {
                    "number": number, "trial_id": f"t{number}", "hyperparameters": point(iterations=10 + number),
                    "score": 0.5 if status == "ok" else 0.0, "status": status, "metrics": {"accuracy": 0.5},
                    "curve": [(5, 0.25), (10, 0.5)], "proposed_by": "tpe", "readback": {"lr": 0.1},
                    "proposal": {"seconds": 0.5, "tokens": 9}, "skipped": [("a.png", "it is empty")], "train_s": 3.0,
                }
            )
        )  # fmt: skip
        losses = (LossPoint(5, 1.5, 0.1), LossPoint(10, 0.5, 0.01))
        append_piece(study / CURVES_FILE, CurvePiece(trial_id=f"t{number}", losses=losses, scores=((5, 0.25),)))
    (study / SPACE_FILE).write_text(small_space().model_dump_json())
    (study / "llm.json").write_text(LlmUsage(calls=2, prompt_tokens=100, tokens=20, seconds=1.5).model_dump_json())
    (study / "best" / "test.json").write_text('{"accuracy": 0.4}')
    events = Events(EventLog(run.events))
    events.emit("stage-started", "training", "starting workers", number=4, total=5)
    events.emit(
        "trial", "training", "trial 1 of 2", number=1, total=2, metric="accuracy", score=0.5, status="ok", best=0.5
    )
    events.emit("progress", "training", "trial 2", done=1, total=2, unit="trial", eta_s=20.0)
    return run


def compared_run(folder: Path) -> None:
    """A run with little data that was killed after its finalists were compared."""
    run = unfinished_run(folder)
    run.folds.mkdir()
    first = Ledger(run.study / "trials.jsonl").records[0]
    for fold in (1, 2, 3):
        Ledger(run.folds / "trials.jsonl").append(first.model_copy(update={"number": fold, "fold": fold}))
    one = CrossValidated(
        number=1, origin="trial 1 of the search", hyperparameters=first.hyperparameters, status="ok",
        scores=(0.5, 0.5, 0.5), score=0.5, metrics={"accuracy": 0.5}, resampled=(0.5, 0.6),
    )  # fmt: skip
    lead = Lead(pictures=24, rivals=())
    run.write("folds", CrossValidation(folds=3, finished=3, pictures=24, finalists=(one,), best=1, lead=lead))


def resumed(folder: Path) -> None:
    command("run", "--resume", folder, "--json")


def tracked_run(folder: Path) -> None:
    """A finished run whose trackers have been told of it by half."""
    run = finished_run(folder)
    tracked = {"track": ("tensorboard",), "optuna_storage": str(folder / "optuna.log")}
    run.write("options", run.options().model_copy(update=tracked))
    for tracker in ("tensorboard", f"optuna={folder / 'optuna.log'}"):
        marks = Marks(run.path, tracker)
        marks.put(Mark(tracker=tracker, trial_id=RUN, name="run"))
        marks.put(Mark(tracker=tracker, trial_id="t1", name="search/t1", losses=5, scores=5))


def looked_at(folder: Path) -> None:
    command("status", folder)
    command("status", folder, "--json")


def resumed_and_looked_at(folder: Path) -> None:
    looked_at(folder)
    resumed(folder)


def opened_ledger(folder: Path) -> None:
    """As a study opens it, which then counts its trials and adds one."""
    ledger = Ledger(folder / "study" / "trials.jsonl")
    ledger.append(
        TrialRecord(
            number=ledger.next_number, trial_id="new", hyperparameters=point(lr=0.02), score=0.1, status="ok", seed=0
        )
    )
    looked_at(folder)


_RUN = "run/"
_OF_TRACKERS: tuple[tuple[str, Literal["json", "lines"], Kept], ...] = (
    ("tracked.jsonl", "lines", "anew"),
    ("study/curves.jsonl", "lines", "whole"),
    ("study/space.json", "json", "whole"),
)
_RUNS = (
    *(
        StoredRecord(f"{_RUN}{name}", finished_run, name, resumed_and_looked_at)
        for name in ("options.json", "request.json", "bag.json", "model.json", "study.json", "deployment.json")
    ),
    *(
        StoredRecord(f"{_RUN}{name}", finished_run, name, resumed_and_looked_at, kept="anew")
        for name in ("understanding.json", "seconds.json", "study/llm.json", "analysis.json")
    ),
    StoredRecord(f"{_RUN}events.jsonl", finished_run, "events.jsonl", resumed_and_looked_at, "lines", "lines"),
    StoredRecord(f"{_RUN}trials.jsonl", finished_run, "study/trials.jsonl", resumed_and_looked_at, "lines", "lines"),
    StoredRecord(f"{_RUN}bundle.json", finished_run, "bundle/bundle.json", resumed),
    StoredRecord(f"{_RUN}model.onnx", finished_run, "bundle/model.onnx", resumed, "bytes"),
    StoredRecord(f"{_RUN}curves.jsonl", finished_run, "study/curves.jsonl", resumed_and_looked_at, "lines"),
    *(
        StoredRecord(f"tracked run/{name}", tracked_run, name, resumed, form, kept=kept)
        for name, form, kept in _OF_TRACKERS
    ),
    *(
        StoredRecord(
            f"{_RUN}{task}/{name}", partial(finished_run, task=task), f"bag/{name}", resumed,
            "json" if name.endswith(".json") else "bytes",
        )
        for task, name in (
            (Task.CLASSIFICATION, "train.txt"),
            (Task.SEGMENTATION, "test.txt"),
            (Task.DETECTION, "train.json"),
            (Task.KEYPOINT, "test.json"),
        )
    ),
    *(
        StoredRecord(f"half a run/trials.jsonl{how}", unfinished_run, "study/trials.jsonl", read, "lines", "lines")
        for how, read in (("", resumed_and_looked_at), (", appended to", opened_ledger))
    ),
    StoredRecord("compared run/folds.json", compared_run, "folds.json", resumed_and_looked_at),
    StoredRecord(
        "compared run/trials.jsonl", compared_run, "folds/trials.jsonl", resumed_and_looked_at, "lines", "lines"
    ),
    StoredRecord("half a run/test.json", unfinished_run, "study/best/test.json", resumed, kept="anew"),
    StoredRecord("half a study/search.json", half_a_study, SEARCH_FILE, go_on_with_study, kept="anew"),
    StoredRecord("half a study/snapshot.zip", half_a_study, "ray/snapshot.zip", go_on_with_study, "bytes", "anew"),
    *(
        StoredRecord(f"state of {name}", partial(saved_searcher, name), "state.json", partial(restored_searcher, name))
        for name in ("random", "tpe-few", "surrogate")
    ),
)  # fmt: skip


# --- comparisons and benchmarks ------------------------------------------------------------------------------------


def _summary(searcher: str, seed: int, *scores: float) -> StudySummary:
    return StudySummary(
        searcher=searcher,
        seed=seed,
        scores=scores,
        statuses=("ok", "failed"),
        proposed_by={searcher: 2},
        test=0.5,
        seconds=9,
    )


def finished_comparison(folder: Path) -> None:
    run = unfinished_run(folder)
    options = CompareOptions(run=run.options(), searchers=("random", "tpe"), seeds=1)
    (folder / OPTIONS_FILE).write_text(options.model_dump_json(indent=1))
    for searcher, score in (("random", 0.3), ("tpe", 0.5)):
        stored = folder / "studies" / searcher / "seed-0" / "study.json"
        stored.parent.mkdir(parents=True)
        stored.write_text(_summary(searcher, 0, score, 0.1).model_dump_json(indent=1))


def compared(folder: Path) -> None:
    asked = json.loads((folder / "asked.json").read_text()) if (folder / "asked.json").exists() else {}
    command(
        "compare",
        asked.get("text", "red or green"),
        "--searchers",
        "random,tpe",
        "--seeds",
        1,
        "--trials",
        2,
        "--out",
        folder,
    )
    command("run", "--resume", folder)


def finished_benchmark(folder: Path) -> None:
    studies = tuple(_summary(name, seed, 0.2 + 0.1 * seed, 0.4) for name in ("random", "tpe") for seed in (0, 1))
    comparison = Comparison(
        task=Task.DETECTION, objective="mAP", data="d", model="m", trials=2, seeds=2, studies=studies,
        standings=standings(studies, ("random", "tpe"), 2), command="c", date="d",
    )  # fmt: skip
    options = HpoBenchOptions(searchers=("random", "tpe"), trials=2, seeds=2)
    from autommlab.compare.across_tasks import hpo_bench_record

    result: HpoBenchResult = hpo_bench_record(options, {"detection-held-out-0": comparison}, "c")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench-hpo.json").write_text(result.model_dump_json(indent=1))


def drawn_again(folder: Path) -> None:
    command("bench", "hpo", "--plot", folder / "bench-hpo.json")
    command("bench", "hpo", "--join", folder / "bench-hpo.json", "--out", folder / "joined")


def _copied(source: Path, name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(source.read_bytes())

    return make


_RESULTS = Path(__file__).resolve().parents[2] / "training_data_gen" / "results"


def trial_lines(folder: Path, *, packed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = made_up(next(bag for bag in plan_bags() if not bag.held_out), 6)
    text = "".join(f"{row.model_dump_json()}\n" for row in rows).encode()
    (folder / ("trials.jsonl.gz" if packed else "trials.jsonl")).write_bytes(gzip.compress(text) if packed else text)


def trials_used(folder: Path, name: str = "trials.jsonl") -> None:
    out = folder / "made"
    command(
        "trials", "--out", folder / name, "--trial-history", out / "history.jsonl", "--pack", out / "packed.jsonl.gz"
    )
    command("trials", "--card", folder)
    few = ("--per-dataset", 1, "--guided", 0, "--examples-only")
    command("tune", "hpo", "--trials", folder / name, "--out", out / "adapter", *few)


def labelled_requests(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = SETS["dev"].read_text(encoding="utf-8").split("\n")[:4]
    (folder / "set.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    parses = [{"id": row["id"], "parse": row["parse"]} for row in map(json.loads, lines)]
    (folder / "parses.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in parses), encoding="utf-8")


def scored(folder: Path) -> None:
    command("bench", "ru", "--set", folder / "set.jsonl", "--in", folder / "parses.jsonl")
    command("bench", "ru", "--set", folder / "set.jsonl", "--in", folder / "parses.jsonl", "--json")


def tabular_studies(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    one = TabularStudy(
        task="hpobench/car", arm="random", seed=0, budget=2, seen=(0.5, 0.75), regrets=(0.25, 0.125),
        median_regret=0.5, points=(0, 1), seconds=(0.5, 1.5),
    )  # fmt: skip
    studies = [one, one.model_copy(update={"seed": 1})]
    (folder / STUDIES_FILE).write_text("".join(f"{study.model_dump_json()}\n" for study in studies))


def tabulated(folder: Path) -> None:
    pack_all(folder, folder / "packed", Known())
    studies = read_known([folder / "packed"]).studies
    result_of(studies, ["random"], ["hpobench"], command="bench tabular")


_BENCHMARKS = (
    StoredRecord("comparison/comparison-options.json", finished_comparison, OPTIONS_FILE, compared, kept="anew"),
    StoredRecord("comparison/study.json", finished_comparison, "studies/tpe/seed-0/study.json", compared),
    StoredRecord("bench-hpo.json", finished_benchmark, "bench-hpo.json", drawn_again),
    StoredRecord(
        "bench-e2e.json", _copied(_RESULTS / "e2e_hpo_llama.json", "e2e.json"), "e2e.json",
        lambda folder: command("bench", "e2e", "--show", folder / "e2e.json"),
    ),
    StoredRecord(
        "bench ru's result", _copied(_RESULTS / "ru_test_adapter.json", "ru.json"), "ru.json",
        lambda folder: command("bench", "ru", "--show", folder / "ru.json"),
    ),
    StoredRecord("trials.jsonl of a set of trials", trial_lines, "trials.jsonl", trials_used, "lines"),
    StoredRecord(
        "trials.jsonl.gz", partial(trial_lines, packed=True), "trials.jsonl.gz",
        partial(trials_used, name="trials.jsonl.gz"), "bytes",
    ),
    StoredRecord("a set of labelled requests", labelled_requests, "set.jsonl", scored, "lines"),
    StoredRecord("a file of parses", labelled_requests, "parses.jsonl", scored, "lines"),
    StoredRecord("studies of bench tabular", tabular_studies, STUDIES_FILE, tabulated, "lines"),
)  # fmt: skip


# --- the program's own folder: the test sets AUTOMMLAB_HOME to `folder/home` ------------------------------------------


def registered_sets(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    for split in ("train", "val", "test"):
        for name in ("red", "green"):
            for number in range(3):
                make_picture(folder / "shapes" / split / name / f"{number}.png")
    spec = registry.recognise(folder / "shapes").model_copy(update={"classes": ("green", "red"), "name": "shapes"})
    text = json.dumps(
        {
            "version": 1,
            "datasets": [spec.model_dump(mode="json"), spec.model_copy(update={"name": "two"}).model_dump(mode="json")],
        }
    )
    (home / "datasets.json").write_text(text)


def sets_used(folder: Path) -> None:
    command("data", "list")
    command("data", "list", "--json")
    command("data", "show", "shapes")
    command("data", "add", folder / "shapes", "--name", "third")
    command("data", "remove", "two")


def service_files(folder: Path) -> None:
    from serve.state import Phase, ServiceState

    service = folder / "home" / "serve"
    service.mkdir(parents=True)
    state = ServiceState(
        pid=2**22 - 1, started=1.5, boot="b", ray_address=None, url="http://127.0.0.1:9", api_key="k" * 43,
        base_model="tiny", phase=Phase.READY,
    )  # fmt: skip
    write_private(service / "service.json", state.model_dump_json(indent=1))
    (service / "service.log").write_text("one\ntwo\n")
    (service / "settings.yaml").write_text("port: 0\nmax_sequences: 8\nadapters:\n  mine: /tmp/adapter\n")
    ray = folder / "home" / "ray" / "1-x"
    ray.mkdir(parents=True)
    record = {
        "pid": 2**22 - 1,
        "started": 1.5,
        "boot": "b",
        "temporary": str(folder / "ray-tmp" / "r"),
        "address": "127.0.0.1:9",
    }
    (ray / "record.json").write_text(json.dumps(record))
    (ray / "token").write_text("t" * 64)


def service_looked_at(folder: Path) -> None:
    from autommlab.common.private_folder import make_private_folder, token_of

    command("serve", "status")
    command("serve", "status", "--json")
    command("serve", "chat", "hello")
    command("serve", "down")
    token_of("127.0.0.1:9")
    make_private_folder().remove()


def settings_used(_: Path) -> None:
    """As `serve up` reads them before it starts anything."""
    from serve.errors import ServiceError
    from serve.settings import load_settings

    try:
        load_settings()
    except ServiceError as error:
        str(error)


def signed_file(folder: Path) -> None:
    from autommlab.training.config_file import write_config

    (folder / "home").mkdir(parents=True)
    run_key()
    write_config(
        folder / "config.py", "model = dict(type='A', layers=[1, 2, -0.5], name={'a b': None})\nn = (1, 'x')\n"
    )


def signed_read(folder: Path) -> None:
    from autommlab.training.config_file import read_config

    read_config(folder / "config.py")


def fetched_set(folder: Path) -> None:
    from autommlab.data.remote import fetch_dataset, local_folder

    registered_sets(folder)
    fetch_dataset((folder / "shapes").as_uri(), folder / "fetched" / "shapes")
    (folder / "shapes" / "SHA256SUMS").write_text("0" * 64 + "  other.png\n")
    local_folder("file:///x")


def fetched_again(folder: Path) -> None:
    from autommlab.data.remote import fetch_dataset

    fetch_dataset((folder / "shapes").as_uri(), folder / "fetched" / "shapes")


def mirrored_run(folder: Path) -> None:
    from autommlab.storage.run_target import run_target

    target = run_target((folder / "storage").as_uri())
    finished_run(target.folder)
    assert target.mirror is not None
    target.mirror.push()


def mirror_used(folder: Path) -> None:
    from autommlab.storage.run_target import run_target

    target = run_target((folder / "storage").as_uri())
    assert target.mirror is not None
    target.mirror.push()
    command("status", (folder / "storage").as_uri())
    command("fetch", (folder / "storage").as_uri(), "--to", folder / "to")


_HOME = (
    StoredRecord("the register of data sets", registered_sets, "home/datasets.json", sets_used, kept="anew"),
    StoredRecord("what was fetched", fetched_set, "fetched/shapes.fetched.json", fetched_again, kept="anew"),
    StoredRecord("SHA256SUMS", fetched_set, "shapes/SHA256SUMS", fetched_again, "bytes"),
    StoredRecord("the service's state", service_files, "home/serve/service.json", service_looked_at, kept="anew"),
    StoredRecord("the service's settings", service_files, "home/serve/settings.yaml", settings_used, "bytes"),
    StoredRecord("what the service is started with", started_service, SETTINGS_FILE, start_service),
    StoredRecord("the table of adapters", adapter_table, "home/serve/adapters/table.json", use_adapters, kept="anew"),
    StoredRecord("state of a fine-tuning", fine_tuning, "resume/state.pt", go_on_with_fine_tuning, "bytes"),
    StoredRecord("a private Ray", service_files, "home/ray/1-x/record.json", service_looked_at, kept="anew"),
    StoredRecord("the key of this user's runs", signed_file, "home/run.key", signed_read, "bytes"),
    StoredRecord("a signed config", signed_file, "config.py", signed_read, "bytes"),
    StoredRecord("a request in the studio", worked_out, f"{DRAFT}/draft.json", pages_of_request),
    StoredRecord("a form of the studio", worked_out, f"{DRAFT}/request.json", pages_of_request),
    StoredRecord("what the studio has understood", worked_out, f"{DRAFT}/understood.json", pages_of_request),
    StoredRecord("the list of a run's copy, on the storage", mirrored_run, "storage/mirror.json", mirror_used),
)  # fmt: skip

RECORDS = {record.name: record for record in (*_RUNS, *_BENCHMARKS, *_HOME)}


def read_bag_record(folder: Path) -> Bag:
    return read_record(folder / "bag.json", Bag)
