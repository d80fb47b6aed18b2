"""What the settings become for Ray Serve and vLLM, on machines that the tests do not have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from serve.engine import engine_environment
from serve.settings import ServiceSettings
from serve.testing import running_service, tiny_settings

_ASK_VLLM = """
import json, sys
from serve.engine import engine_arguments
from serve.settings import make_settings
for gpu in (False, True):
    parsed = engine_arguments(make_settings(json.loads(sys.argv[1])), "owner/large", gpu=gpu)
    names = ("model", "served_model_name", "dtype", "tensor_parallel_size", "gpu_memory_utilization", "quantization",
             "max_model_len", "enforce_eager", "kv_cache_memory_bytes", "max_loras", "max_lora_rank")
    print(json.dumps({name: getattr(parsed, name) for name in names}))
"""


def test_replicas_gpus_and_autoscaling_come_from_settings() -> None:
    from serve.app import deployment_options

    one = deployment_options(ServiceSettings())
    assert one["ray_actor_options"] == {"num_cpus": 0, "num_gpus": 0}
    assert one["num_replicas"] == 1
    many = deployment_options(
        ServiceSettings(gpus_per_replica=2, tensor_parallel=2, cpus_per_replica=4, replicas=1, max_replicas=3)
    )
    assert many["ray_actor_options"] == {"num_cpus": 4, "num_gpus": 2}
    assert (many["autoscaling_config"].min_replicas, many["autoscaling_config"].max_replicas) == (1, 3)
    assert "num_replicas" not in many


def test_the_environment_of_a_cpu_and_of_a_gpu() -> None:
    settings = ServiceSettings(cpu_threads=3)
    on_cpu = engine_environment(settings, "owner/large", gpu=False)
    on_gpu = engine_environment(settings, "owner/large", gpu=True)
    assert on_cpu["OMP_NUM_THREADS"] == "3"
    assert on_gpu.keys() < on_cpu.keys()
    assert "HF_HUB_OFFLINE" not in on_cpu, "a hub id needs the hub"
    assert engine_environment(settings, "/", gpu=False)["HF_HUB_OFFLINE"] == "1"


@pytest.mark.slow
def test_vllm_understands_the_arguments() -> None:
    values = {"base_model": "owner/large", "tensor_parallel": 2, "gpu_memory_share": 0.5, "quantization": "fp8",
              "context_length": 8192, "max_adapters": 8, "max_adapter_rank": 64}  # fmt: skip
    asked = subprocess.run(
        [sys.executable, "-c", _ASK_VLLM, json.dumps(values)], capture_output=True, text=True, check=True
    )
    on_cpu, on_gpu = (json.loads(line) for line in asked.stdout.splitlines() if line.startswith("{"))
    for parsed in (on_cpu, on_gpu):
        assert parsed["model"] == "owner/large"
        assert parsed["served_model_name"] == ["large"]
        assert (parsed["tensor_parallel_size"], parsed["max_model_len"], parsed["quantization"]) == (2, 8192, "fp8")
    assert (on_cpu["dtype"], on_cpu["enforce_eager"], on_cpu["kv_cache_memory_bytes"]) == ("float32", True, 2**30)
    assert (on_gpu["dtype"], on_gpu["gpu_memory_utilization"], on_gpu["kv_cache_memory_bytes"]) == ("auto", 0.5, None)
    assert not on_gpu["enforce_eager"]


@pytest.mark.gpu
@pytest.mark.slow
def test_a_constrained_answer_from_a_gpu(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    settings = tiny_settings(tmp_path, gpus_per_replica=1, gpu_memory_share=0.2)
    with running_service(settings) as service:
        answer = service.client().chat([{"role": "user", "content": "A number?"}], model="tiny", schema=schema)
    assert isinstance(json.loads(answer.samples[0].text)["n"], int)
