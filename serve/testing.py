"""Small real models and services for tests: a real vLLM on real files, only tiny and untrained."""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

from serve.base_models import embedded_tokenizer
from serve.lifecycle import ServiceAddress, ensure_service, stop_service
from serve.settings import KEY_VARIABLE, URL_VARIABLE, ServiceSettings

TINY_CONTEXT = 4096
TINY_LAYERS = 2
TINY_RANK = 8
#: Large enough that an untrained adapter changes the most likely token.
_ADAPTER_SCALE = 0.6


def tiny_llama(folder: Path, seed: int = 0) -> Path:
    """A LLaMA with two layers and random weights, with SmolLM2's tokenizer and chat template.

    Args:
        folder: to make; an existing model in it is kept.
        seed: of the weights.

    Returns:
        The folder.
    """
    if (folder / "config.json").is_file():
        return folder
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = embedded_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=TINY_LAYERS,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=TINY_CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        # Far above the usual 0.02: its answers depend on the prompt, and differ between adapters.
        initializer_range=0.3,
        dtype="float32",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_adapter(base: Path, folder: Path, seed: int, rank: int = TINY_RANK) -> Path:
    """A LoRA adapter with random weights that visibly changes the answers of `base`.

    Args:
        base: a model that `tiny_llama` made, or another LLaMA in a local folder.
        folder: to make; what is there is replaced.
        seed: of the weights: another seed, other answers.
        rank: of the LoRA matrices.

    Returns:
        The folder.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    shutil.rmtree(folder, ignore_errors=True)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj", "gate_proj"]
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(base, local_files_only=True)
        wrapped = get_peft_model(model, LoraConfig(r=rank, lora_alpha=rank, target_modules=targets))
        for name, weights in wrapped.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weights, std=_ADAPTER_SCALE)
        wrapped.save_pretrained(str(folder))
    return folder


def tiny_settings(folder: Path, **overrides: object) -> ServiceSettings:
    """Settings of a service in `folder` on a tiny model, a free port and one thread.

    Args:
        folder: for model, state, log and adapters.
        **overrides: other fields of the settings.
    """
    values: dict[str, object] = {
        "folder": folder / "serve",
        "port": 0,
        "base_model": str(tiny_llama(folder / "tiny")),
        "context_length": TINY_CONTEXT,
        "kv_cache_gb": 0.25,
        "max_sequences": 64,
        "cpu_threads": 1,
    }
    return ServiceSettings.model_validate({**values, **overrides})


@contextlib.contextmanager
def running_service(settings: ServiceSettings) -> Iterator[ServiceAddress]:
    """The service of these settings, up inside the block and gone after it; AUTOMMLAB_LLM_KEY is its key meanwhile.

    Raises:
        ServiceError: it does not come up.
    """
    kept = {name: os.environ.pop(name, None) for name in (URL_VARIABLE, KEY_VARIABLE, "RAY_ADDRESS")}
    try:
        address = ensure_service(settings)
        os.environ[KEY_VARIABLE] = str(address.api_key)
        yield address
    finally:
        stop_service(settings.folder)
        os.environ.pop(KEY_VARIABLE, None)
        os.environ.update({name: value for name, value in kept.items() if value is not None})
