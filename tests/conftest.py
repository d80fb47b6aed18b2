"""Shared by all tests.

Tiers: plain tests need no network and no Ray; `slow` ones train, export or start
Ray; `gpu` ones need a CUDA device; `long` ones show more of what a shorter one shows
and are left out unless asked for. Every test writes under `tmp_path` only, and
the caches of AutoMMLab go to one folder per session unless AUTOMMLAB_HOME says otherwise.
"""

import atexit
import contextlib
import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from PIL import Image, ImageDraw
from xdist.scheduler import LoadFileScheduling

from autommlab.common.environment import keep_bytecode
from autommlab.common.private_ray import prepare_ray_environment
from serve.lifecycle import ServiceAddress
from serve.settings import ServiceSettings
from serve.testing import running_service, tiny_adapter, tiny_settings
from tests.helpers.program import EXAMPLES

# Before any test module imports Ray, and for every process that a test starts: under `uv run pytest`
# Ray's hook for uv would otherwise try to build the environment anew in each worker.
prepare_ray_environment()
# Where PYTHONDONTWRITEBYTECODE is set, each of a hundred processes would compile torch, Ray and vLLM anew; and
# so would each worker of pytest, before its first test.
_KEPT = Path(__file__).resolve().parents[1] / ".pytest_cache"
keep_bytecode(_KEPT / "bytecode")
# Each program with a home of its own would look for the fonts of the machine.
os.environ.setdefault("MPLCONFIGDIR", str(_KEPT / "matplotlib"))
# Until the tests are collected nothing becomes garbage, and a search for it goes through torch, Ray and all tests.
gc.disable()
# A machine that is busy with other tests is slower than any limit that fits an idle one.
hypothesis.settings.register_profile("any machine", deadline=None, max_examples=50)
hypothesis.settings.load_profile("any machine")
# As many threads as the machine has cores, in each of two processes, wait for one another most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ray's workers run at nice 15, so whatever else is busy on the machine starves them: tests would run out of time.
os.environ.setdefault("RAY_worker_niceness", "0")


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's own caches and registry out of the tests."""
    os.environ["AUTOMMLAB_HOME"] = str(tmp_path_factory.mktemp("autommlab-home"))
    for name in ("RAY_ADDRESS", "UV_RUN_RECURSION_DEPTH"):  # under `uv run pytest` printed commands would be uv's
        os.environ.pop(name, None)


#: Files that ask the same service, in the order in which they do; the last one kills it.
_OF_ONE_SERVICE = (
    "serve/test_service.py",
    "serve/test_response_cache.py",
    "searchers/test_llm_contract.py",
    "searchers/test_llm_real_faults.py",
)
#: What takes longest comes first: a file of minutes that begins last leaves the other worker without work.
_FIRST = (
    "understanding/test_understanding_service.py",
    "cli/test_run_cli.py",
    "studio/test_studio_run.py",
    *_OF_ONE_SERVICE,
    "cluster/test_node_failure.py",
    "deployment/test_deploy.py",
    "jobs/test_submit.py",
    "training/test_study.py",
    "training_data_gen/test_trials_run.py",
    "compare/test_compare_cli.py",
    "test_code_quality.py",
    "training_data_gen/test_bench_hpo.py",
    "models/test_config.py",
)
_TESTS = Path(__file__).parent


class _ByFile(LoadFileScheduling):
    """The tests of a file go to one worker; so do those of all files that share a service."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return _OF_ONE_SERVICE[0] if file.removeprefix("tests/") in _OF_ONE_SERVICE else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """How the tests are spread over the workers."""
    return _ByFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """From here on garbage is looked for, but not in what is there already. In each process of pytest-xdist."""
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    """Pytest's own five searches at the end find what the tests left without going through all modules again."""
    gc.collect()
    gc.freeze()


_SESSION = pytest.StashKey[pytest.Session]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember the session for `pytest_unconfigure`."""
    session.config.stash[_SESSION] = session


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave with pytest's own exit status, without tearing the interpreter down.

    By now Ray has been started and stopped a dozen times in this process, beside four inference engines, each
    with threads of its own. Once in several runs one of them jumped to freed memory after all tests had passed
    (SIGSEGV in a thread, exit code 139). Ray ends its own workers like this, for the same reason.
    """
    session = config.stash.get(_SESSION, None)
    if session is None:
        return
    config.get_terminal_writer().flush()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(session.exitstatus))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first and files of seconds last; skip GPU tests with a reason where there is no GPU."""
    ranks = {_TESTS / file: rank for rank, file in enumerate(_FIRST)}
    slow = {item.path for item in items if item.get_closest_marker("slow") and not item.get_closest_marker("long")}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks) + (item.path not in slow)))
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ServiceSettings:
    """Settings of a real service on a tiny model."""
    return tiny_settings(tmp_path_factory.mktemp("tiny-service"), api_key="test-key")


@pytest.fixture(scope="session")
def adapters(tiny: ServiceSettings) -> dict[str, Path]:
    """Three untrained adapters for it."""
    base = Path(tiny.base_model)
    return {f"voice-{seed}": tiny_adapter(base, base.parent / f"adapter-{seed}", seed) for seed in (1, 2, 3)}


_RUNNING: list[ServiceAddress] = []
_ENDS = contextlib.ExitStack()


@pytest.fixture(scope="module")
def service(tiny: ServiceSettings) -> ServiceAddress:
    """The tiny service: it starts once, for the files that share it."""
    if not _RUNNING:
        _RUNNING.append(_ENDS.enter_context(running_service(tiny)))
    return _RUNNING[0]


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """The service ends with the tests that ask it: for the rest of the session it would take a fifth of a core."""
    if nextitem is None or nextitem.path not in [_TESTS / file for file in _OF_ONE_SERVICE]:
        _RUNNING.clear()
        _ENDS.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program's own folder, shared by the tests of a module."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own set: image folders with three classes of coloured shapes."""
    root = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 8), ("test", 8)):
        for name, colour in (("brick", (200, 60, 40)), ("leaf", (40, 180, 60)), ("sky", (60, 120, 230))):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                image = Image.fromarray(rng.integers(0, 120, (72, 72, 3), dtype=np.uint8))
                x, y = (int(v) for v in rng.integers(5, 30, 2))
                ImageDraw.Draw(image).rectangle((x, y, x + 35, y + 35), fill=colour)
                image.save(folder / f"{index}.png")
    return root


@pytest.fixture
def parse(tmp_path: Path) -> Path:
    """The finished parse of "tell bricks, leaves and sky apart"."""
    request = json.loads((EXAMPLES / "classify_animals.json").read_text())
    request["data"]["object"] = ["brick", "leaf", "sky"]
    path = tmp_path / "parse.json"
    path.write_text(json.dumps(request))
    return path
