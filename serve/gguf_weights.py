"""A LLaMA or a Gemma 3 in a GGUF file as transformers stores one: dense float32 weights and a configuration.

transformers can do it too, but parses the file anew for each part: 42 s of CPU time for the
embedded model, a good part of a first start, where this takes 5 s.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve.errors import BaseModelError

_LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.weight")
_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_LINEAR_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
#: Every so manieth layer of a Gemma 3 sees the whole text, the others a window; GGUF files do not tell.
_GEMMA_3_PATTERN = 6
#: Base of the rotary positions of the layers with a window; GGUF files do not tell.
_GEMMA_3_LOCAL_THETA = 10_000.0
_Field = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class _Architecture:
    """How a GGUF file of an architecture differs from the folder of transformers.

    Attributes:
        layer_names: of the norms in a layer; the linear layers have the same names everywhere.
        config: what config.json holds beside the fields that all architectures share.
        has_rotary_pairs: GGUF keeps the two halves of each rotary pair side by side, transformers one half after the
            other.
        norm_offset: what GGUF has added to the weights of norms.
    """

    layer_names: dict[str, str]
    config: Callable[[_Field], dict[str, Any]]
    has_rotary_pairs: bool = False
    norm_offset: float = 0.0


def write_dense(gguf: Path, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` of the model in a GGUF file.

    Args:
        gguf: any quantisation that the package gguf knows.
        folder: exists.

    Raises:
        BaseModelError: it is neither a LLaMA nor a Gemma 3.
    """
    from gguf import GGUFReader, dequantize
    from safetensors.numpy import save_file

    reader = GGUFReader(gguf)
    architecture, config = _config(reader)
    weights = {}
    for tensor in reader.tensors:
        dense = dequantize(tensor.data, tensor.tensor_type).astype("float32", copy=False)
        if tensor.name.endswith("norm.weight"):
            dense = dense - architecture.norm_offset
        elif architecture.has_rotary_pairs and ".attn_q." in tensor.name:
            dense = _halves_apart(dense, config["num_attention_heads"])
        elif architecture.has_rotary_pairs and ".attn_k." in tensor.name:
            dense = _halves_apart(dense, config["num_key_value_heads"])
        weights[_name(tensor.name, architecture)] = dense
    config["vocab_size"] = len(weights["model.embed_tokens.weight"])
    config["tie_word_embeddings"] = "lm_head.weight" not in weights
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1))


def _config(reader: Any) -> tuple[_Architecture, dict[str, Any]]:
    def whole(name: str) -> Any:
        return reader.fields[name].contents() if name in reader.fields else None

    kind = whole("general.architecture")
    if kind not in _ARCHITECTURES:
        known = " or ".join(_ARCHITECTURES)
        raise BaseModelError(f"the GGUF file holds a model of the architecture {kind!r}; {known} can be read")

    def field(name: str) -> Any:
        return whole(f"{kind}.{name}")

    architecture = _ARCHITECTURES[kind]
    shared = {
        "dtype": "float32",
        # Without it transformers takes any large vocabulary for one of Mistral's that has to be repaired.
        "transformers_version": importlib.metadata.version("transformers"),
        "hidden_size": field("embedding_length"),
        "intermediate_size": field("feed_forward_length"),
        "num_hidden_layers": field("block_count"),
        "num_attention_heads": field("attention.head_count"),
        "num_key_value_heads": field("attention.head_count_kv"),
        "max_position_embeddings": field("context_length"),
        "rms_norm_eps": field("attention.layer_norm_rms_epsilon"),
        "bos_token_id": whole("tokenizer.ggml.bos_token_id"),
        "eos_token_id": whole("tokenizer.ggml.eos_token_id"),
        "pad_token_id": whole("tokenizer.ggml.padding_token_id"),
    }
    return architecture, shared | architecture.config(field)


def _llama(field: _Field) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "head_dim": field("embedding_length") // field("attention.head_count"),
        "rope_parameters": {"rope_type": "default", "rope_theta": field("rope.freq_base")},
    }


def _gemma3(field: _Field) -> dict[str, Any]:
    width = field("attention.key_length")
    kinds = [
        "sliding_attention" if number % _GEMMA_3_PATTERN else "full_attention"
        for number in range(1, field("block_count") + 1)
    ]
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "hidden_activation": "gelu_pytorch_tanh",
        "head_dim": width,
        "query_pre_attn_scalar": width,  # in all sizes but 27B
        "sliding_window": field("attention.sliding_window"),
        "layer_types": kinds,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": field("rope.freq_base")},
            "sliding_attention": {"rope_type": "default", "rope_theta": _GEMMA_3_LOCAL_THETA},
        },
    }


_ARCHITECTURES = {
    "llama": _Architecture(
        layer_names={"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"},
        config=_llama,
        has_rotary_pairs=True,
    ),
    "gemma3": _Architecture(
        layer_names={
            "attn_norm": "input_layernorm",
            "attn_q_norm": "self_attn.q_norm",
            "attn_k_norm": "self_attn.k_norm",
            "post_attention_norm": "post_attention_layernorm",
            "ffn_norm": "pre_feedforward_layernorm",
            "post_ffw_norm": "post_feedforward_layernorm",
        },
        config=_gemma3,
        norm_offset=1.0,
    ),
}


def _name(name: str, architecture: _Architecture) -> str:
    layer = _LAYER.fullmatch(name)
    inner = {**_LINEAR_NAMES, **architecture.layer_names}.get(layer[2]) if layer else None
    if layer and inner:
        return f"model.layers.{layer[1]}.{inner}.weight"
    if name in _NAMES:
        return _NAMES[name]
    raise BaseModelError(f"the GGUF file holds {name!r}, which a model of its architecture does not have")


def _halves_apart(weights: Any, heads: int) -> Any:
    rows, columns = weights.shape
    pairs = weights.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns).copy()
