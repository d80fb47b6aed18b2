"""The winner's figures on TEST, measured where trials run: the driver's machine may be a head without a GPU."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autommlab.acceleration import Acceleration
from autommlab.cluster import TrialNeed
from autommlab.common.errors import AutoMMLabError, TrainingError
from autommlab.common.placement import resource_request
from autommlab.training.config_file import read_values
from autommlab.training.data_config import EVALUATION_BATCH
from autommlab.training.runner_config import TrialSetup

if TYPE_CHECKING:
    from autommlab.common.storage import Place
    from autommlab.training.trial import Tested

#: How often Ray begins again where the process or its node died.
_RETRIES = 2


def measure_winner(
    setup: TrialSetup, need: TrialNeed, config_file: Path, checkpoint: Path, place: Place | None = None
) -> Tested:
    """Measure a model on TEST with the resources of a trial.

    In this process where all of Ray is this machine and trials need no GPU: another process would first import the
    toolbox again, for 14 to 20 s.

    Args:
        setup: of the study.
        need: of a trial; one worker's part of it is used.
        config_file, checkpoint: of the winner, on this node.
        place: of the run, for nodes that do not share the driver's disk.

    Raises:
        TrainingError: it cannot be measured.
    """
    values = read_values(config_file)
    if runs_here(need):
        from autommlab.training.trial import measure_on_test

        return measure_on_test(values, checkpoint, setup.bag.task, setup.bag.annotation_file("test"))
    return _tested_elsewhere(setup, need, values, checkpoint.read_bytes(), place)


def runs_here(need: TrialNeed) -> bool:
    """Whether trials run on this machine alone and use nothing that this process does not have."""
    import ray

    if not ray.is_initialized():
        return True
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return len(nodes) == 1 and not need.gpus and bool(need.rooms(nodes[0]))


def _tested_elsewhere(
    setup: TrialSetup, need: TrialNeed, values: dict[str, Any], weights: bytes, place: Place | None
) -> Tested:
    import ray
    from ray.exceptions import RayError, RayTaskError

    task = ray.remote(
        num_cpus=need.cpus, num_gpus=need.gpus, resources=resource_request(need.resource), max_retries=_RETRIES
    )(_test_here)
    try:
        tested: Tested = ray.get(task.remote(setup, need, values, weights, place))
    except RayTaskError as error:
        raise error.cause from None
    except RayError as error:
        raise TrainingError(f"the winner could not be measured on TEST: {error}. Go on with --resume") from error
    return tested


def _test_here(setup: TrialSetup, need: TrialNeed, values: dict[str, Any], weights: bytes, place: Place | None) -> Any:
    """Of the Ray task. Errors leave it in words: the driver may not be able to unpickle the toolboxes'."""
    try:
        return _tested(setup, need, values, weights, place)
    except AutoMMLabError:
        raise
    except Exception as error:
        words = f"the winner could not be measured on TEST ({type(error).__name__}: {error}). Go on with --resume"
        raise TrainingError(words) from None


def _tested(setup: TrialSetup, need: TrialNeed, values: dict[str, Any], weights: bytes, place: Place | None) -> Tested:
    from autommlab.training.execution import device_here, use_part
    from autommlab.training.node_data import bring_bag
    from autommlab.training.trial import measure_on_test

    bring_bag(setup.bag, place)
    width, height = setup.choice.input_size
    device = device_here(use_part(need.cpus, need.gpus))
    exact: Acceleration = setup.acceleration.model_copy(update={"precision": "float32"})
    execution = exact.on(device, batch_bytes=EVALUATION_BATCH * width * height * 3)
    with tempfile.NamedTemporaryFile(suffix=".pth") as checkpoint:
        checkpoint.write(weights)
        checkpoint.flush()
        annotations = setup.bag.annotation_file("test")
        return measure_on_test(values, Path(checkpoint.name), setup.bag.task, annotations, execution)
