"""A LLaMA in a GGUF file as transformers stores one: dense float32 weights and a configuration.

transformers can do it too, but parses the file anew for each part: 42 s of CPU time for the
embedded model, a good part of a first start, where this takes 5 s.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from serve.errors import BaseModelError

_LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.weight")
_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def write_dense(gguf: Path, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` of the LLaMA in a GGUF file.

    Args:
        gguf: any quantisation that the package gguf knows.
        folder: exists.

    Raises:
        BaseModelError: it is not a LLaMA.
    """
    from gguf import GGUFReader, dequantize
    from safetensors.numpy import save_file

    reader = GGUFReader(gguf)
    config = _config(reader)
    weights = {}
    for tensor in reader.tensors:
        dense = dequantize(tensor.data, tensor.tensor_type).astype("float32", copy=False)
        # GGUF keeps the two halves of each rotary pair side by side, transformers one half after the other.
        if ".attn_q." in tensor.name:
            dense = _halves_apart(dense, config["num_attention_heads"])
        elif ".attn_k." in tensor.name:
            dense = _halves_apart(dense, config["num_key_value_heads"])
        weights[_name(tensor.name)] = dense
    config["tie_word_embeddings"] = "lm_head.weight" not in weights
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1))


def _config(reader: Any) -> dict[str, Any]:
    def field(name: str) -> Any:
        return reader.fields[name].contents() if name in reader.fields else None

    if field("general.architecture") != "llama":
        raise BaseModelError(f"the GGUF file holds a {field('general.architecture')!r}, not a LLaMA")
    heads = field("llama.attention.head_count")
    hidden = field("llama.embedding_length")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": field("llama.feed_forward_length"),
        "num_hidden_layers": field("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": field("llama.attention.head_count_kv"),
        "head_dim": hidden // heads,
        "max_position_embeddings": field("llama.context_length"),
        "rms_norm_eps": field("llama.attention.layer_norm_rms_epsilon"),
        "rope_parameters": {"rope_type": "default", "rope_theta": field("llama.rope.freq_base")},
        "vocab_size": field("llama.vocab_size"),
        "bos_token_id": field("tokenizer.ggml.bos_token_id"),
        "eos_token_id": field("tokenizer.ggml.eos_token_id"),
        "pad_token_id": field("tokenizer.ggml.padding_token_id"),
    }


def _name(name: str) -> str:
    layer = _LAYER.fullmatch(name)
    if layer and layer[2] in _LAYER_NAMES:
        return f"model.layers.{layer[1]}.{_LAYER_NAMES[layer[2]]}.weight"
    if name in _NAMES:
        return _NAMES[name]
    raise BaseModelError(f"the GGUF file holds {name!r}, which a LLaMA does not have")


def _halves_apart(weights: Any, heads: int) -> Any:
    rows, columns = weights.shape
    pairs = weights.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns).copy()
