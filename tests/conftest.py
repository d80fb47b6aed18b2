"""Shared by all tests.

Tiers: plain tests need no network and no Ray; `slow` ones train, export or start
Ray; `gpu` ones need a CUDA device; `long` ones show more of what a shorter one shows
and are left out unless asked for. Every test writes under `tmp_path` only, and
the caches of AutoMMLab go to one folder per session unless AUTOMMLAB_HOME says otherwise.
"""

import atexit
import json
import os
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image, ImageDraw

from autommlab.common.environment import keep_bytecode
from autommlab.common.private_ray import prepare_ray_environment
from tests.helpers.program import EXAMPLES

# Before any test module imports Ray, and for every process that a test starts: under `uv run pytest`
# Ray's hook for uv would otherwise try to build the environment anew in each worker.
prepare_ray_environment()
# A machine that is busy with other tests is slower than any limit that fits an idle one.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")
# Ray's workers run at nice 15, so whatever else is busy on the machine starves them: tests would run out of time.
os.environ.setdefault("RAY_worker_niceness", "0")


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's own caches and registry out of the tests."""
    os.environ["AUTOMMLAB_HOME"] = str(tmp_path_factory.mktemp("autommlab-home"))
    keep_bytecode(tmp_path_factory.mktemp("bytecode"))
    for name in ("RAY_ADDRESS", "UV_RUN_RECURSION_DEPTH"):  # under `uv run pytest` printed commands would be uv's
        os.environ.pop(name, None)


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
    """Skip GPU tests with a reason where there is no GPU."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


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
