"""A batch in parts: the same step as undivided, and what is done when memory or precision does not suffice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autommlab.acceleration import Acceleration
from autommlab.tasks import Task
from autommlab.training.config_file import write_config
from autommlab.training.run_once import train_whole
from autommlab.training.runner_config import TrialSetup
from tests.helpers.small_memory import let_memory_hold
from tests.helpers.tiny_trials import point

SGD = {"optimizer": "SGD", "lr": 0.02}


@pytest.fixture
def setup(tiny_setups: dict[Task, TrialSetup]) -> TrialSetup:
    """Of a classification."""
    return tiny_setups[Task.CLASSIFICATION]


@pytest.mark.parametrize(("images", "parts", "sizes"), [(5, 2, [2, 3]), (8, 4, [2, 2, 2, 2]), (3, 8, [1, 1, 1])])
def test_parts_hold_all_images_in_order(images: int, parts: int, sizes: list[int]) -> None:
    from autommlab.training.parts import split

    batch = {"inputs": list(range(images)), "data_samples": [str(n) for n in range(images)]}
    found = split(batch, parts)
    assert [len(part["inputs"]) for part in found] == sizes
    assert [n for part in found for n in part["inputs"]] == batch["inputs"]
    assert all([str(n) for n in part["inputs"]] == part["data_samples"] for part in found)


@pytest.mark.parametrize("parts", [2, 3, 5])
@pytest.mark.parametrize("clip_grad", [None, {"max_norm": 0.1}])
def test_the_step_is_that_of_the_whole_batch_where_there_is_no_batch_norm(parts: int, clip_grad: dict | None) -> None:
    import torch

    whole, told = _linear_step(1, clip_grad)
    divided, told_of_parts = _linear_step(parts, clip_grad)
    assert torch.allclose(whole, divided, atol=1e-6)
    assert float(told_of_parts["loss"]) == pytest.approx(float(told["loss"]), rel=1e-5)


def _linear_step(parts: int, clip_grad: dict | None) -> tuple[Any, dict[str, Any]]:
    """Weights of a linear model after one step over five images, and what it told."""
    import torch

    torch.manual_seed(0)
    model, batch = _linear()
    from autommlab.training.optim_wrapper import TrialOptimWrapper
    from autommlab.training.parts import in_parts

    given: dict[str, Any] = {"clip_grad": dict(clip_grad)} if clip_grad else {}
    wrapper = TrialOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.5), **given)
    told = in_parts(model, wrapper, batch, parts)
    return model.layer.weight.detach(), told


def _linear() -> tuple[Any, dict[str, Any]]:
    """A model without batch norm, and a batch of five."""
    import torch
    from mmengine.model import BaseModel

    class Linear(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def forward(self, inputs: Any, data_samples: Any = None, mode: str = "loss") -> dict[str, Any]:
            return {"loss": (self.layer(inputs) - data_samples).square().mean()}

    return Linear(), {"inputs": torch.randn(5, 4), "data_samples": torch.randn(5, 1)}


def test_a_step_that_runs_out_of_memory_becomes_micro_batches_and_the_record_says_so(
    setup: TrialSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = let_memory_hold(3, monkeypatch)
    record, tested = train_whole(setup, point(iterations=2, batch_size=8))
    assert record.status == "ok", record.reason
    assert record.execution["micro_batches"] == 4
    assert seen == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]
    assert record.readback["batch_size"] == 8
    assert "accuracy" in tested


def test_a_validation_that_runs_out_of_memory_is_split_too(setup: TrialSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, _ = train_whole(setup, point(iterations=2, batch_size=4))
    let_memory_hold(3, monkeypatch, mode="predict")
    record, _ = train_whole(setup, point(iterations=2, batch_size=4))
    assert record.status == "ok", record.reason
    assert record.metrics == usual.metrics


def test_without_micro_batches_and_for_a_single_image_it_fails_as_out_of_memory(
    setup: TrialSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_memory_hold(0, monkeypatch)
    record, _ = train_whole(setup, point(iterations=2, batch_size=4))
    assert record.status == "out-of-memory"
    assert record.execution["micro_batches"] == 4
    off = setup.model_copy(update={"acceleration": Acceleration(micro_batches=False)})
    record, _ = train_whole(off, point(iterations=2, batch_size=4))
    assert (record.status, record.execution["micro_batches"]) == ("out-of-memory", 1)


def test_a_weight_update_that_runs_out_of_memory_is_not_done_twice(
    setup: TrialSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def step(*_: Any, **__: Any) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Injected by a test.")

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    record, _ = train_whole(setup, point(iterations=2, batch_size=4))
    assert (record.status, record.execution["micro_batches"]) == ("out-of-memory", 1)


def test_autocast_computes_in_its_precision_and_keeps_weights_and_files_in_float32(
    setup: TrialSetup, tmp_path: Path
) -> None:
    import torch

    from autommlab.training.trial import Trial, evaluate

    reduced = setup.model_copy(update={"acceleration": Acceleration(precision="bfloat16")})
    trial = Trial(reduced, point(iterations=4), tmp_path / "work")
    seen: dict[bool, set[torch.dtype]] = {True: set(), False: set()}
    layer = next(m for m in trial.runner.model.modules() if isinstance(m, torch.nn.Conv2d))
    layer.register_forward_hook(lambda module, _, out: seen[module.training].add(out.dtype))
    while not trial.finished:
        trial.advance()
    assert seen == {True: {torch.bfloat16}, False: {torch.bfloat16}}
    assert {p.dtype for p in trial.runner.model.parameters()} == {torch.float32}
    assert trial.execution["precision"] == "bfloat16"
    trial.save(tmp_path)
    write_config(tmp_path / "config.py", trial.config_text())
    trial.close()
    assert "accuracy" in evaluate(tmp_path / "config.py", tmp_path / "trial.pth", Task.CLASSIFICATION).figures


def test_a_float16_training_goes_on_with_its_loss_scale(setup: TrialSetup, tmp_path: Path) -> None:
    from autommlab.training.trial import Trial

    reduced = setup.model_copy(update={"acceleration": Acceleration(precision="float16")})
    trial = Trial(reduced, point(iterations=4), tmp_path / "a")
    trial.advance()
    scale = trial.runner.optim_wrapper.state_dict()["loss_scaler"]
    assert scale["scale"] > 1
    trial.save(tmp_path)
    resumed = Trial(reduced, point(iterations=4), tmp_path / "b", resume_from=tmp_path)
    assert resumed.runner.optim_wrapper.state_dict()["loss_scaler"] == scale
    for each in (trial, resumed):
        each.close()


def test_a_model_that_does_not_run_in_a_precision_is_trained_in_float32_and_says_so(
    setup: TrialSetup, tmp_path: Path
) -> None:
    import torch

    from autommlab.training.trial import Trial

    reduced = setup.model_copy(update={"acceleration": Acceleration(precision="bfloat16")})
    trial = Trial(reduced, point(iterations=2), tmp_path)

    def refuse(_: Any, inputs: Any) -> None:
        if torch.is_autocast_enabled("cpu"):
            raise RuntimeError("\"injected_kernel\" not implemented for 'BFloat16'")

    next(m for m in trial.runner.model.modules() if isinstance(m, torch.nn.Conv2d)).register_forward_pre_hook(refuse)
    while not trial.finished:
        trial.advance()
    told = trial.execution
    trial.close()
    assert told["precision"] == "float32"
    assert [note.partition(":")[0].partition(" in")[0] for note in told["notes"]] == ["trains", "validates"]


@pytest.mark.parametrize(
    ("precision", "kind", "after"),
    [("bfloat16", "cuda", "float16"), ("float16", "cuda", "float32"), ("bfloat16", "cpu", "float32")],
)
def test_a_precision_that_does_not_do_is_followed_by_the_next(precision: Any, kind: str, after: str) -> None:
    from autommlab.training.parts import next_precision

    assert next_precision(precision, kind) == after


@pytest.mark.parametrize(
    "optimizer",
    ["AdamW", *(pytest.param(name, marks=[pytest.mark.slow, pytest.mark.long]) for name in ("SGD", "Adam"))],
)
def test_fused_optimisers_make_the_same_steps(optimizer: str, setup: TrialSetup, tmp_path: Path) -> None:
    plain, fused = (_end_of(setup, optimizer, tmp_path, fused=fused) for fused in (False, True))
    assert (fused - plain).norm() < 0.02 * plain.norm()


def test_what_a_config_says_of_mmengines_wrappers_is_kept(setup: TrialSetup, tmp_path: Path) -> None:
    from autommlab.acceleration import PLAIN
    from autommlab.training.execution import with_execution
    from autommlab.training.runner_config import runner_config

    config = runner_config(setup, point(), work_dir=tmp_path, name="kept")
    given = {**config["optim_wrapper"], "type": "AmpOptimWrapper", "dtype": "bfloat16", "accumulative_counts": 2}
    found = with_execution({**config, "optim_wrapper": given}, PLAIN)["optim_wrapper"]
    same = {"optimizer": given["optimizer"], "accumulative_counts": 2}
    assert found == {"type": "TrialOptimWrapper", "precision": "bfloat16", **same}


def test_batches_that_are_accumulated_by_the_config_may_be_split_too() -> None:
    import torch

    ends = []
    for parts in (1, 2):
        torch.manual_seed(0)
        model, batch = _linear()
        from autommlab.training.optim_wrapper import TrialOptimWrapper
        from autommlab.training.parts import in_parts

        wrapper = TrialOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.5), accumulative_counts=2)
        start = model.layer.weight.detach().clone()
        in_parts(model, wrapper, batch, parts)
        assert torch.equal(model.layer.weight.detach(), start)
        in_parts(model, wrapper, batch, parts)
        ends.append(model.layer.weight.detach())
        assert not torch.equal(ends[-1], start)
    assert torch.allclose(ends[0], ends[1], atol=1e-6)


def _end_of(setup: TrialSetup, optimizer: str, work_dir: Path, *, fused: bool) -> Any:
    """How far the weights have gone after three steps, in one vector."""
    import torch
    from mmengine.config import Config
    from mmengine.runner import Runner

    from autommlab.acceleration import Execution
    from autommlab.training.execution import with_execution
    from autommlab.training.trial import prepare_toolbox, release, runner_config

    prepare_toolbox(Task.CLASSIFICATION)
    tried = point(optimizer=optimizer, iterations=3)
    config = runner_config(setup, tried, work_dir=work_dir, name=f"fused-{fused}")
    execution = Execution(fused_optimizer=fused)
    runner = Runner.from_cfg(Config(with_execution(config, execution), format_python_code=False))
    runner.train()
    parameters = list(runner.model.parameters())
    start = [parameter.detach().clone() for parameter in parameters]
    runner.train_loop.advance(3)
    assert bool(runner.optim_wrapper.optimizer.defaults["fused"]) == fused
    release(runner)
    return torch.cat([(end.detach() - begin).flatten() for begin, end in zip(start, parameters, strict=True)])
