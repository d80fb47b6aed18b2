"""One step of `bench data` in a process of its own: `python -m autommlab.speed.big_data_step STEP ROOT TASK OUT`."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from autommlab.common.files import write_text
from autommlab.data import bag, check, preview, registry
from autommlab.settings import TaskBudget
from autommlab.speed.big_data import FEW, Step, Taken
from autommlab.tasks import Task
from autommlab.understanding.request import ModelRequest

_ALL = (10**9, 10**9, 10**9)
_TOOLBOXES = {
    Task.CLASSIFICATION: "mmpretrain",
    Task.DETECTION: "mmdet",
    Task.SEGMENTATION: "mmseg",
    Task.KEYPOINT: "mmpose",
}


def main(step: Step, root: Path, task: Task, out: Path) -> None:
    """Take a step and write what it cost."""
    if step == "load":
        from autommlab.training.trial import prepare_toolbox

        prepare_toolbox(task)
    imports = _peak_mb()
    taken: dict[Step, Callable[[], object]] = {
        "add": lambda: registry.add_dataset(root),
        "check": lambda: check.check_dataset(_loaded(root)),
        "preview": lambda: preview.contact_sheet(_loaded(root), root.parent / "sheet.png"),
        "select": lambda: _select(root, task, "all", _ALL),
        "select-few": lambda: _select(root, task, "few", FEW),
        "load": lambda: _load(root.parent / "all", task),
    }
    began, cpu = time.monotonic(), _cpu_s()
    taken[step]()
    cost = Taken(
        seconds=round(time.monotonic() - began, 2),
        cpu_s=round(_cpu_s() - cpu, 2),
        memory_mb=_peak_mb(),
        imports_mb=imports,
        workers_mb=round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3),
    )
    write_text(out, cost.model_dump_json())


def _cpu_s() -> float:
    uses = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _peak_mb() -> float:
    """Of this process alone: `ru_maxrss` begins with that of the process it was forked from."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1e3)  # Linux counts kilobytes


def _loaded(root: Path) -> registry.LoadedDataset:
    return registry.load_dataset(registry.find_dataset(root.name))


def _select(root: Path, task: Task, name: str, images: tuple[int, int, int]) -> object:
    """The dataset of a request for every class, as `run --data` makes it."""
    parsed = {"data": {"object": [], "specific": []}, "model": {"task": task}}
    budget = TaskBudget(input_size=(64, 64), images=images, iterations=(1, 2), batch_size=(1, 2))
    request = ModelRequest.parse(parsed)
    return bag.select_bag(request, budget=budget, folder=root.parent / name, seed=0, data=root.name)


def _load(folder: Path, task: Task) -> object:
    """What a trial's process builds of a dataset: train and val with their annotations, and the metrics of val."""
    from mmengine.registry import DATASETS, METRICS, DefaultScope

    from autommlab.training.data_config import data_config

    DefaultScope.get_instance("bench", scope_name=_TOOLBOXES[task])
    codec = {"type": "UDPHeatmap", "input_size": (64, 64), "heatmap_size": (16, 16), "sigma": 2}
    selected = bag.read_bag(folder)
    config = data_config(selected, input_size=(64, 64), batch_size=4, seed=0, codec=codec)
    built = [DATASETS.build(config[f"{split}_dataloader"]["dataset"]) for split in ("train", "val")]
    return [*built, *(METRICS.build(each) for each in config["val_evaluator"])]


if __name__ == "__main__":
    step, root, task, out = sys.argv[1:]
    main(step, Path(root), Task(task), Path(out))  # type: ignore[arg-type]  # one of the steps that `big_data` starts
