"""An adapter that another training begins with: more data for what has learnt much already costs little."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Start:
    """A finished adapter.

    Attributes:
        folder: where it lies.
        rank, alpha: of its matrices, which a training that goes on from it keeps.
        told: its name and the beginning of its weights' SHA-256, for the card.
    """

    folder: Path
    rank: int
    alpha: int
    told: str


def read_start(folder: Path, base_name: str) -> Start:
    """The adapter in `folder`.

    Args:
        folder: with adapter_config.json and adapter_model.safetensors.
        base_name: of the base model that is to be trained on.

    Raises:
        ValueError: no adapter that can be read, one of another base model, or no LoRA.
    """
    try:
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        digest = hashlib.sha256((folder / _WEIGHTS).read_bytes()).hexdigest()
        kind, base, rank, alpha = (config[key] for key in ("peft_type", "base_model_name_or_path", "r", "lora_alpha"))
    except (OSError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{folder} holds no adapter to go on from ({error!r})") from error
    if kind != "LORA" or base != base_name:
        raise ValueError(
            f"the adapter in {folder} is a {kind} of the base model {base!r}; "
            f"to go on from it takes a LORA of {base_name!r}"
        )
    return Start(folder, rank, alpha, f"{folder.name}, SHA-256 {digest[:12]}")
