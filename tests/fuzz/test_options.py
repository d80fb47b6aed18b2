"""Every option and argument of every command with odd values: a usage error or a reason, never a traceback."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from autommlab.cli.main import app
from autommlab.common.errors import AutoMMLabError, JobError, TrainingError
from serve.errors import ServiceStartError
from serve.settings import EMBEDDED_MODEL
from tests.helpers.program import EXAMPLES, autommlab_here, exit_codes
from tests.helpers.record_table import finished_benchmark, finished_run, registered_sets, trial_lines
from tests.helpers.tiny_bundles import make_bundle, make_picture

#: What people, scripts and enemies type where a number, a name or a path is wanted. None is a path that can be written.
ODD = (
    "", " ", "0", "-1", "1", "2", "0.5", "nan", "inf", "-inf", "1e999", "1e-320", "9" * 30, "9" * 400, "9" * 5000,
    "1_000", "\u0663", "\u00b2", "0x10", "x", "cpu", "a,b", ",", ",,a", "red", "\udcff", "\u2028", "\x1b[31m", "[/red]",
    "{0}", "%s", "-", "--", "..", "a/../b", "no/such/file", "~nobody/x", "file:///no/such", "s3://K:S@b/p", "nowhere://x",
    "://", "http://[", "127.0.0.1:1", "127.0.0.1:99999", "ray://x", "auto:1", "x" * 300, "x" * 5000, "none",
    "default+default", "tpe+default", "zero-shot:0", "hpo-llama:9", "\U0001f40c",
)  # fmt: skip
#: In the usual run one option in so many is tried, with one value each.
_SAMPLE = 6
#: Command -> the arguments that it cannot do without, in a folder that `laid_out` makes.
BASE: dict[str, tuple[str, ...]] = {
    "run": ("find cats", "--out", "made"),
    "compare": ("find cats", "--out", "made"),
    "submit": ("find cats", "--out", "made"),
    "jobs": (),
    "logs": ("job",),
    "stop": ("job",),
    "fetch": ("job",),
    "understand": ("find cats",),
    "predict": ("bundle", "picture.png", "--out", "made"),
    "push": ("bundle", "made"),
    "evaluate": ("bundle", "--data", "shapes", "--out", "made"),
    "serve-model": ("bundle",),
    "studio": (),
    "status": ("run",),
    "searchers": (),
    "profiles": (),
    "version": (),
    "data add": ("shapes",),
    "data list": (),
    "data show": ("shapes",),
    "data preview": ("shapes", "--out", "made.png"),
    "data check": ("shapes",),
    "data export": ("shapes", "exported"),
    "data remove": ("two",),
    "models list": (),
    "models find": ("resnet 50", "--task", "classification"),
    "models refresh": (),
    "serve up": (),
    "serve status": (),
    "serve down": (),
    "serve chat": ("hello",),
    "serve adapters list": (),
    "serve adapters add": ("name", "bundle"),
    "serve adapters remove": ("name",),
    "bench overhead": (),
    "bench suggestions": (),
    "bench scale": (),
    "bench growth": ("--searchers", "random", "--trials", "5"),
    "bench workers": ("--parse", "parse.json"),
    "bench data": ("--task", "classification"),
    "bench zoo": ("--task", "classification"),
    "bench serve-model": ("bundle",),
    "bench quantize": ("--folder", "made"),
    "bench registered": ("--out", "made"),
    "bench ru": ("--set", "dev"),
    "bench tabular": ("--out", "made"),
    "bench hpo": ("--out", "made", "--searchers", "random"),
    "bench e2e": ("--out", "made"),
    "bench time": ("--out", "made"),
    "trials": ("--out", "made"),
    "tune ru": ("--out", "made", "--examples-only"),
    "tune hpo": ("--out", "made", "--trials", "trials.jsonl", "--examples-only"),
}


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Name and click command of everything that can be typed."""
    group = group if group is not None else typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands())


def _is_argument(word: str) -> bool:
    return not word.startswith("-")


#: (command, option, or place of the argument) of everything that takes a value.
TARGETS = [
    (name, target)
    for name, command in COMMANDS.items()
    for target in (
        *map(str, range(len(list(itertools.takewhile(_is_argument, BASE[name]))))),
        *(each.opts[0] for each in command.params if each.param_type_name == "option" and not each.is_flag),
    )
]


def typed(command: str, target: str, value: str) -> list[str]:
    """The command line with one value replaced or added."""
    words = list(BASE[command])
    if target.startswith("-"):
        return [*command.split(), *words, f"{target}={value}" if target.startswith("--") else target]
    words[int(target)] = value  # the arguments come first
    return [*command.split(), *words]


@pytest.fixture
def laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the files of `BASE` in the present folder; nothing long is ever begun."""
    sound, now = tmp_path / "sound", tmp_path / "deep" / "now"
    registered_sets(now)
    make_bundle(now / "bundle", "classification")
    make_picture(now / "picture.png")
    finished_run(now / "run")
    finished_benchmark(now)
    trial_lines(now)
    shutil.copyfile(EXAMPLES / "classify_animals.json", now / "parse.json")
    shutil.copytree(now, sound)
    for name, instead in _stubs().items():
        monkeypatch.setattr(name, instead)
    monkeypatch.setenv("AUTOMMLAB_HOME", str(now / "home"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    for variable in ("AUTOMMLAB_LLM_URL", "AUTOMMLAB_LLM_KEY", "RAY_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)

    def lay_out() -> None:
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(now.parent)
        shutil.copytree(sound, now)
        monkeypatch.chdir(now)

    return lay_out


def _stubs() -> dict[str, Any]:
    """What would train, connect or download, each ended at once by an error for a person."""
    from autommlab.status.records import ServiceStatus
    from serve import base_models

    def ends_by(error: Exception) -> Callable[..., Any]:
        def end(*_: Any, **__: Any) -> Any:
            raise type(error)(*error.args)

        return end

    reached: dict[str, AutoMMLabError] = dict.fromkeys(
        (
            "autommlab.pipeline.run.run_pipeline", "autommlab.pipeline.run.plan",
            "autommlab.compare.run_compare.run_compare",
            "autommlab.models.index.build_table", "autommlab.models.zoo.regenerate", "autommlab.models.zoo.write_table",
            "autommlab.speed.overhead.measure_overhead", "autommlab.speed.suggestions.measure_suggestions",
            "autommlab.speed.scale.measure_scale", "autommlab.speed.workers.measure_workers",
            "autommlab.speed.zoo_check.check_models", "autommlab.speed.big_data.measure_data",
            "autommlab.speed.served.measure_served", "autommlab.speed.quantized.measure_quantized",
            "autommlab.model_service.running._start_ray",
            "autommlab.studio.app.serve",
            "training_data_gen.trials.run.run_trials", "training_data_gen.benchmarks.hpo.run_hpo_bench",
            "training_data_gen.benchmarks.registered.bench.run_registered",
            "training_data_gen.benchmarks.tabular.bench.run_tabular",
            "training_data_gen.benchmarks.timed.run_timed",
            "training_data_gen.benchmarks.replay.run_replay", "training_data_gen.benchmarks.e2e.run_e2e",
            "training_data_gen.adapters.tune_on_gpu.tune", "training_data_gen.adapters.understanding_examples.ru_data",
        ),
        TrainingError("nothing is trained here"),
    )  # fmt: skip
    no_service = ends_by(ServiceStartError("no service is started here"))
    real = base_models.base_model
    return {
        **{name: ends_by(error) for name, error in reached.items()},
        "autommlab.jobs.client.Jobs": ends_by(JobError("no cluster is asked here")),
        "autommlab.llm_service.connect": no_service,
        "autommlab.understanding.understand.connect": no_service,
        "serve.lifecycle.ensure_service": no_service,
        "serve.lifecycle.find_service": lambda *_: None,
        "huggingface_hub.snapshot_download": ends_by(OSError("no hub is asked here")),
        "serve.base_models.base_model": lambda name: "." if name == EMBEDDED_MODEL else real(name),
        "autommlab.status.clusters.clusters": lambda _: (),
        "autommlab.status.clusters.service_status": lambda: ServiceStatus(state="down"),
        "autommlab.common.ray_address.TIMEOUT_S": 0.2,
    }


def faults(lay_out: Callable[[], None], command: str, target: str, values: tuple[str, ...]) -> Iterator[str]:
    """Command lines that end in a traceback, with its end."""
    lay_out()
    for value in values:
        done = autommlab_here(*typed(command, target, value))
        if done.code not in exit_codes() or "Traceback" in done.err:
            yield f"{command} {target}={value[:40]!r}: exit code {done.code}\n{done.err[-1500:]}"


def test_every_command_is_tried() -> None:
    assert set(COMMANDS) == set(BASE)


def test_some_odd_values(laid_out: Callable[[], None]) -> None:
    found = [
        fault
        for number, (command, target) in list(enumerate(TARGETS))[::_SAMPLE]
        for fault in faults(laid_out, command, target, (ODD[number % len(ODD)],))
    ]
    assert not found, "\n\n".join(found)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("command", sorted({command for command, _ in TARGETS}))
def test_all_odd_values(laid_out: Callable[[], None], command: str) -> None:
    own = [target for name, target in TARGETS if name == command]
    found = [fault for target in own for fault in faults(laid_out, command, target, ODD)]
    assert not found, "\n\n".join(found)
