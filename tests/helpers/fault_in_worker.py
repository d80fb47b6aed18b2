"""Faults put into the workers of one node: a `sitecustomize` that Python reads before anything else.

Only what cannot be had for real on a machine without a GPU and with one clock: the words of a broken
GPU, a disk that takes its time, a clock that is a day late.
"""

from __future__ import annotations

import os
from pathlib import Path

_PATCHED = '''
"""A fault, put in by tests/cluster/fault_in_worker.py."""
import sys
import time
from importlib.machinery import PathFinder


class Breaker(PathFinder):
    """Changes a trial's class right after its module was read."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "autommlab.training.trial":
            return None
        spec = PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            change(module.Trial)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Breaker)
'''

BROKEN_GPU = """
def change(trial):
    def advance(self):
        raise RuntimeError("CUDA error: uncorrectable ECC error encountered")

    trial.advance = advance
"""

#: A second for each checkpoint, and a clock a day late.
SLOW_AND_LATE = """
now = time.time
time.time = lambda: now() - 86_400


def change(trial):
    save = trial.save

    def slow_save(self, folder):
        time.sleep(1)
        save(self, folder)

    trial.save = slow_save
"""


def environment_with(fault: str, folder: Path) -> dict[str, str]:
    """Variables of a node whose workers have the fault.

    Args:
        fault: `BROKEN_GPU` or `SLOW_AND_LATE`.
        folder: gets the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_PATCHED + fault, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])}
