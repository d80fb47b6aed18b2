"""How trials use their device: all settings in one record, each with an off switch. No torch in here.

`Acceleration` is what a profile or a person says (`--acceleration precision=float32,loading-processes=0`);
`Acceleration.on` makes an `Execution` of it, what a trial does on the device that it finds.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autommlab.common.errors import RequestError, invalid, unknown

Precision = Literal["float32", "bfloat16", "float16"]

#: Batches that each loading process makes ahead.
PREFETCHED_BATCHES = 2
#: Loading processes beyond this number only compete for memory bandwidth.
MOST_LOADING_PROCESSES = 8
#: Part of the free shared memory that the batches in flight may take.
SHARED_MEMORY_PART = 0.5
#: Stands for the record with everything switched off.
OFF = "off"


class TrialDevice(NamedTuple):
    """What a trial finds.

    Attributes:
        kind: "cuda" or "cpu".
        bfloat16: whether the device computes in it, rather than imitating it.
        cpus: of the trial's worker.
        shared_memory: free bytes of `/dev/shm`, through which loading processes hand their batches over.
        name: for the trial's record.
    """

    kind: Literal["cuda", "cpu"] = "cpu"
    bfloat16: bool = False
    cpus: int = 1
    shared_memory: int = 0
    name: str = "cpu"


class Execution(BaseModel):
    """How one trial runs on its device.

    Attributes:
        device: its name.
        kind: "cuda" or "cpu".
        precision: of the forward pass in training and validation; weights and optimiser stay float32. TEST is
            always measured in float32, as the exported model computes.
        loading_processes: beside the one that trains; 0 = it loads itself.
        cudnn_benchmark: cuDNN tries its algorithms once for each input size; these are fixed.
        channels_last: memory layout of convolutions.
        fused_optimizer: one kernel for all parameters, for the optimisers that have one.
        micro_batches: a batch that does not fit into memory is split instead of failing the trial.
    """

    model_config = ConfigDict(frozen=True)

    device: str = "cpu"
    kind: Literal["cuda", "cpu"] = "cpu"
    precision: Precision = "float32"
    loading_processes: int = 0
    cudnn_benchmark: bool = False
    channels_last: bool = True
    fused_optimizer: bool = False
    micro_batches: bool = True


#: One process on any device.
PLAIN = Execution()


class Acceleration(BaseModel):
    """What trials may do to be fast; see `Execution` for what each setting means.

    Attributes:
        precision: "auto" = on a GPU bfloat16, or float16 with a scaled loss where it has no bfloat16; float32 on a CPU.
        loading_processes: None = on a GPU one less than the CPUs of the trial, at least 1; none on a CPU, where the
            step is what takes the time.
        cudnn_benchmark: on a GPU only.
        channels_last: on a CPU, and on a GPU below float32 precision.
        fused_optimizer: on a GPU only.
        micro_batches: anywhere, except in trials over several workers, which would have to agree.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    loading_processes: int | None = Field(default=None, ge=0)
    cudnn_benchmark: bool = True
    channels_last: bool = True
    fused_optimizer: bool = True
    micro_batches: bool = True

    @classmethod
    def parse(cls, text: str) -> Acceleration:
        """The settings in a text: "off", or NAME=VALUE with commas ("precision=float32,micro-batches=off").

        Raises:
            RequestError: an unknown name, or a value that it does not take.
        """
        if text.strip() == OFF:
            return NO_ACCELERATION
        values: dict[str, Any] = {}
        for part in filter(None, map(str.strip, text.split(","))):
            name, _, value = (piece.strip() for piece in part.partition("="))
            field = name.replace("-", "_")
            if field not in cls.model_fields:
                raise RequestError(unknown("setting of --acceleration", name, [OFF, *cls.model_fields]))
            values[field] = value
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise RequestError(f"--acceleration: {invalid(error)}") from error

    def on(self, device: TrialDevice, *, batch_bytes: int = 0, alone: bool = True) -> Execution:
        """What a trial does on this device.

        Args:
            device: that it found.
            batch_bytes: of a batch as the loading processes hand it over.
            alone: whether no other process trains the same trial.
        """
        on_gpu = device.kind == "cuda"
        precision = self._precision(device)
        return Execution(
            device=device.name,
            kind=device.kind,
            precision=precision,
            loading_processes=self._loading_processes(device, batch_bytes),
            cudnn_benchmark=self.cudnn_benchmark and on_gpu,
            channels_last=self.channels_last and (not on_gpu or precision != "float32"),
            fused_optimizer=self.fused_optimizer and on_gpu,
            micro_batches=self.micro_batches and alone,
        )

    def _precision(self, device: TrialDevice) -> Precision:
        if self.precision != "auto":
            return self.precision
        if device.kind == "cpu":
            return "float32"
        return "bfloat16" if device.bfloat16 else "float16"

    def _loading_processes(self, device: TrialDevice, batch_bytes: int) -> int:
        wanted = self.loading_processes
        if wanted is None:
            wanted = min(max(1, device.cpus - 1), MOST_LOADING_PROCESSES) if device.kind == "cuda" else 0
        if not batch_bytes:
            return wanted
        # Containers often have 64 MB of shared memory; a loading process that finds it full is killed.
        fitting = int(device.shared_memory * SHARED_MEMORY_PART) // (batch_bytes * PREFETCHED_BATCHES)
        return min(wanted, fitting)


NO_ACCELERATION = Acceleration(
    precision="float32",
    loading_processes=0,
    cudnn_benchmark=False,
    channels_last=False,
    fused_optimizer=False,
    micro_batches=False,
)
