"""Whether the weights of a LoRA adapter fit a base model, told from names and shapes alone.

vLLM finds a tensor of another shape only when a batch uses it, and then the engine dies with all requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serve.errors import AdapterError

_PART = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])\.(?:[^.]+\.)?weight")
#: Of config.json: architectures whose blocks have the linear layers of a LLaMA.
_KNOWN_TYPES = frozenset({"llama", "gemma3_text"})
_LAYER = re.compile(r"\.layers\.(\d+)\.")
Shape = tuple[int, ...]


def check_weights(file: Path, rank: int, base: Path | None) -> None:
    """Refuse weights that no LoRA of this rank and base model can have.

    Args:
        file: safetensors, as PEFT writes it.
        rank: of the adapter's description.
        base: folder of the base model; None where it is not known here (a hub id), then only rank and pairs count.

    Raises:
        AdapterError: the first tensor that does not fit, with its shape and the right one.
    """
    modules: dict[str, dict[str, Shape]] = {}
    for name, shape in _shapes(file).items():
        part = _PART.fullmatch(name)
        if part is None:
            raise AdapterError(f"{file} holds the tensor {name!r}, which is no part of a LoRA adapter")
        modules.setdefault(part["module"], {})[part["side"]] = shape
    if not modules:
        raise AdapterError(f"{file} holds no tensors: it is no LoRA adapter")
    sizes = _sizes(base) if base is not None else None
    for module, sides in modules.items():
        inner, outer = sizes(module) if sizes else (None, None)
        _check(file, f"{module}.lora_A", sides.get("A"), (rank, inner))
        _check(file, f"{module}.lora_B", sides.get("B"), (outer, rank))


def _check(file: Path, name: str, shape: Shape | None, wanted: tuple[int | None, int | None]) -> None:
    fits = shape is not None and len(shape) == 2
    if shape is None or not fits or any(size not in (None, got) for size, got in zip(wanted, shape, strict=True)):
        right = " x ".join("any" if size is None else str(size) for size in wanted)
        raise AdapterError(f"{file}: {name} is {'missing' if shape is None else shape}; this base model needs {right}")


def _shapes(file: Path) -> dict[str, Shape]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise AdapterError(f"{file} is no safetensors file: {error}") from error


def _sizes(base: Path) -> Callable[[str], tuple[int | None, int | None]] | None:
    """(inputs, outputs) of a block's linear layer by its name; None for base models that are built otherwise."""
    try:
        config: dict[str, Any] = json.loads((base / "config.json").read_text(encoding="utf-8"))
        if config["model_type"] not in _KNOWN_TYPES:
            return None
        hidden, middle, heads = (config[name] for name in ("hidden_size", "intermediate_size", "num_attention_heads"))
        width = config.get("head_dim") or hidden // heads
        queries, keys = heads * width, config.get("num_key_value_heads", heads) * width
        layers = config["num_hidden_layers"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    known = {
        "q_proj": (hidden, queries), "k_proj": (hidden, keys), "v_proj": (hidden, keys), "o_proj": (queries, hidden),
        "gate_proj": (hidden, middle), "up_proj": (hidden, middle), "down_proj": (middle, hidden),
    }  # fmt: skip

    def size_of(module: str) -> tuple[int | None, int | None]:
        layer = _LAYER.search(module)
        if layer is not None and int(layer[1]) >= layers:
            raise AdapterError(f"the adapter changes layer {layer[1]} ({module}); the base model has {layers}")
        return known.get(module.rpartition(".")[2], (None, None))

    return size_of
