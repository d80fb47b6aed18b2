"""Where a training goes on from: its own last snapshot after a kill, or a finished adapter."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

STATE_FOLDER = "resume"
_WEIGHTS, _STATE = "state.pt", "state.json"


@dataclass
class TrainingState:
    """Counters of a training.

    Attributes:
        step: optimiser steps done.
        best_loss, best_step: lowest held-out loss and when.
        first_loss: held-out loss of the base model.
        unimproved: evaluations since the best one.
        tokens, seconds: spent so far.
    """

    step: int = 0
    best_loss: float = float("inf")
    best_step: int = 0
    first_loss: float = 0.0
    unimproved: int = 0
    tokens: int = 0
    seconds: float = 0.0


def snapshot(folder: Path, model: Any, optimizer: torch.optim.Optimizer, state: TrainingState) -> None:
    """Write adapter weights, optimiser and counters; a crash leaves the previous ones whole."""
    into = folder / STATE_FOLDER
    into.mkdir(exist_ok=True)
    trained = {name: p.detach().cpu() for name, p in model.named_parameters() if p.requires_grad}
    content = {"adapter": trained, "optimizer": optimizer.state_dict(), "random": torch.get_rng_state()}
    torch.save({**content, "counters": asdict(state)}, into / f".{_WEIGHTS}")
    (into / f".{_WEIGHTS}").replace(into / _WEIGHTS)
    (into / _STATE).write_text(json.dumps(asdict(state)), encoding="utf-8")


def restore_state(folder: Path, model: Any, optimizer: torch.optim.Optimizer) -> TrainingState | None:
    """Put model and optimiser where the last snapshot left them; None if there is none.

    Raises:
        ValueError: it is damaged, or of another model.
    """
    file = folder / STATE_FOLDER / _WEIGHTS
    if not file.exists():
        return None
    try:
        stored = torch.load(file, map_location="cpu", weights_only=True)
        model.load_state_dict(stored["adapter"], strict=False)
        optimizer.load_state_dict(stored["optimizer"])
        torch.set_rng_state(stored["random"])
        return TrainingState(**stored["counters"])
    except Exception as error:  # a torn archive and a foreign pickle end in errors of any type
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{file} cannot be gone on from ({reason}). Delete {file.parent} to train anew") from error


_CONFIG, _ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


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
        digest = hashlib.sha256((folder / _ADAPTER_WEIGHTS).read_bytes()).hexdigest()
        kind, base, rank, alpha = (config[key] for key in ("peft_type", "base_model_name_or_path", "r", "lora_alpha"))
        if not (type(rank) is type(alpha) is int and rank > 0 and alpha > 0):
            raise TypeError(f"rank {rank!r} and alpha {alpha!r} are no whole numbers above 0")
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{folder} holds no adapter to go on from ({error!r})") from error
    if kind != "LORA" or base != base_name:
        raise ValueError(
            f"the adapter in {folder} is a {kind} of the base model {base!r}; "
            f"to go on from it takes a LORA of {base_name!r}"
        )
    return Start(folder, rank, alpha, f"{folder.name}, SHA-256 {digest[:12]}")
