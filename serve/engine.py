"""The settings in vLLM's own words: its arguments and its environment."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path

from serve.settings import ServiceSettings

_GIB = 2**30


def engine_environment(settings: ServiceSettings, model: str, *, gpu: bool) -> dict[str, str]:
    """Variables that vLLM reads; to be set before it is imported.

    Args:
        settings: of the service.
        model: what to load, as `serve.base_models.base_model` gives it.
        gpu: the replica has a GPU.
    """
    variables = {
        "VLLM_HOST_IP": "127.0.0.1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "INFO"),
        # vLLM's own way to change adapters reaches one replica only; ours (serve.adapters) reaches all.
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "0",
        # A request of thousands of texts would keep all others waiting for minutes.
        "VLLM_MAX_N_SEQUENCES": str(settings.max_sequences),
    }
    if Path(model).is_dir():
        # Otherwise each start asks the hub for files that a local model does not have, and waits where there is none.
        variables |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if gpu:
        return variables
    return variables | {
        # One process for engine and model instead of two: the second import of vLLM costs 10 s and more.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        # Small kernels of the sampler would still be compiled, at the first answer and again for each batch size.
        "TORCH_COMPILE_DISABLE": "1",
        "TORCHDYNAMO_DISABLE": "1",
        "OMP_NUM_THREADS": str(settings.threads),
        # Threads that wait must not spin: trials share these cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "CUDA_VISIBLE_DEVICES": "",
    }


def engine_arguments(settings: ServiceSettings, model: str, *, gpu: bool) -> Namespace:
    """What `vllm serve` would have parsed from its command line.

    Args:
        settings: of the service.
        model: what to load.
        gpu: the replica has a GPU.
    """
    from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    dtype = "float32" if settings.dtype == "auto" and not gpu else settings.dtype
    words = [
        *("--model", model),
        *("--served-model-name", settings.model_name),
        *("--dtype", dtype),
        *("--seed", "0"),
        *("--max-model-len", str(settings.context_length)),
        *("--max-num-seqs", str(settings.max_sequences)),
        *("--tensor-parallel-size", str(settings.tensor_parallel)),
        *("--max-loras", str(settings.max_adapters)),
        *("--max-lora-rank", str(settings.max_adapter_rank)),
        *(("--lora-target-modules", *settings.adapter_layers) if settings.adapter_layers else ()),
        # Without it a small model may fill its answer with blanks between two fields until it is cut off.
        *("--structured-outputs-config", json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})),
        # The base model's own sampling habits would change what a client asked for.
        *("--generation-config", "vllm"),
        "--enable-lora",
        "--disable-fastapi-docs",
        "--disable-uvicorn-access-log",
    ]
    if settings.quantization:
        words += ["--quantization", settings.quantization]
    if gpu:
        words += ["--gpu-memory-utilization", str(settings.gpu_memory_share)]
    else:
        # Compiling takes longer than a small model ever wins back on a CPU, and LoRA rules it out there anyway.
        words += ["--enforce-eager", "--kv-cache-memory-bytes", str(int(settings.kv_cache_gb * _GIB))]
        # A prompt read in two steps kills the engine if its request has a seed: vLLM 0.32 then turns the sampler's
        # generator back, which CPU generators cannot ("CPU Generator does not use offset"). One step holds any
        # prompt and a token of every running text.
        words += ["--no-enable-chunked-prefill"]
        words += ["--max-num-batched-tokens", str(settings.context_length + settings.max_sequences)]
    arguments: Namespace = make_arg_parser(FlexibleArgumentParser()).parse_args(words)
    validate_parsed_serve_args(arguments)
    return arguments
