"""What a trial does on a device that it finds, and how each part of it is switched off."""

from __future__ import annotations

import pytest

from autommlab.acceleration import NO_ACCELERATION, Acceleration, Execution, TrialDevice
from autommlab.api.arguments import named_options, options_of
from autommlab.common.errors import RequestError
from autommlab.options import RunOptions
from autommlab.settings import PROFILES

GB = 1 << 30
AMPERE = TrialDevice("cuda", bfloat16=True, cpus=4, shared_memory=GB, name="A")
TURING = TrialDevice("cuda", bfloat16=False, cpus=1, shared_memory=GB, name="T")


def test_a_gpu_gets_everything_and_its_precision_by_what_it_computes_in() -> None:
    assert Acceleration().on(AMPERE) == Execution(
        device="A", kind="cuda", precision="bfloat16", loading_processes=3, cudnn_benchmark=True, channels_last=True,
        fused_optimizer=True, micro_batches=True,
    )  # fmt: skip
    assert Acceleration().on(TURING).precision == "float16"
    assert Acceleration().on(TURING).loading_processes == 1


def test_a_cpu_trains_in_one_process_in_float32() -> None:
    assert Acceleration().on(TrialDevice(cpus=8, shared_memory=GB)) == Execution()


def test_everything_can_be_switched_off() -> None:
    plain = Execution(device="A", kind="cuda", channels_last=False, micro_batches=False)
    assert NO_ACCELERATION.on(AMPERE) == plain
    assert Acceleration.parse("off") == NO_ACCELERATION


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("precision=float16", "precision", "float16"),
        ("loading-processes=2", "loading_processes", 2),
        ("loading_processes=0", "loading_processes", 0),
        ("cudnn-benchmark=off", "cudnn_benchmark", False),
        ("fused-optimizer=no", "fused_optimizer", False),
        ("channels-last=false,precision=bfloat16", "channels_last", False),
        ("micro-batches=off", "micro_batches", False),
    ],
)
def test_one_setting_changes_and_the_others_stay(text: str, field: str, value: object) -> None:
    changed = Acceleration.parse(text).on(AMPERE)
    assert getattr(changed, field) == value
    same = set(Execution.model_fields) - {name.partition("=")[0].replace("-", "_") for name in text.split(",")}
    assert {name: getattr(changed, name) for name in same} == {
        name: getattr(Acceleration().on(AMPERE), name) for name in same
    }


def test_float32_on_a_gpu_keeps_the_usual_memory_layout() -> None:
    assert not Acceleration(precision="float32").on(AMPERE).channels_last


def test_loading_processes_are_as_many_as_shared_memory_holds_batches_for() -> None:
    batch = 64 * 640 * 640 * 3
    assert Acceleration().on(AMPERE, batch_bytes=batch).loading_processes == 3
    docker = AMPERE._replace(shared_memory=64 << 20)
    assert Acceleration().on(docker, batch_bytes=batch).loading_processes == 0


def test_workers_that_train_together_do_not_split_batches_each_on_its_own() -> None:
    assert not Acceleration().on(AMPERE, alone=False).micro_batches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("presicion=float32", "Did you mean 'precision'"),
        ("precision=int8", "precision = 'int8'"),
        ("loading-processes=-1", "loading_processes = '-1'"),
        ("micro-batches=perhaps", "micro_batches = 'perhaps'"),
        ("fast", "unknown setting of --acceleration 'fast'"),
    ],
)
def test_a_setting_that_does_not_exist_is_named(text: str, message: str) -> None:
    with pytest.raises(RequestError) as raised:
        Acceleration.parse(text)
    assert message in str(raised.value)


def test_the_option_is_stored_with_the_run_and_may_change_when_it_goes_on() -> None:
    run = options_of(named_options("find cats", {"time": None, "acceleration": "precision=float32"}).values)
    assert run.acceleration == Acceleration(precision="float32")
    assert RunOptions.model_validate_json(run.model_dump_json()) == run
    changed = run.differences(run.model_copy(update={"acceleration": NO_ACCELERATION}))
    assert (len(changed.allowed), changed.refused) == (1, [])


def test_profiles_accelerate_all_trials() -> None:
    assert {profile.acceleration for profile in PROFILES.values()} == {Acceleration()}
