"""LoRA on a CPU: vLLM's own results where those are right, and nothing for tokens without an adapter."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

SLOTS, WIDE, RANK, VOCABULARY = 3, 12, 4, 20
SLICES = (WIDE, 3)


def run(wrapper_class: Any, slots: list[int], *, prefill: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Hidden values and logits after LoRA; a text a token, adapter `slot + 1` in each slot, none for -1."""
    from vllm.lora.layers import LoRAMapping

    wrapper = wrapper_class(max_num_batched_tokens=32, max_batches=32, device="cpu")
    asked = tuple(slot + 1 if slot >= 0 else 0 for slot in slots)
    wrapper.update_metadata(LoRAMapping(asked, asked, is_prefill=prefill), [1, 2, 3], SLOTS + 1, VOCABULARY)
    drawn = torch.Generator().manual_seed(len(slots))
    x = torch.randn(len(slots), WIDE, generator=drawn)
    shrink = tuple(torch.randn(SLOTS, 1, RANK, WIDE, generator=drawn) for _ in SLICES)
    expand = tuple(torch.randn(SLOTS, 1, width, RANK, generator=drawn) for width in SLICES)
    head = torch.randn(SLOTS, 1, VOCABULARY, RANK, generator=drawn)
    hidden, logits = torch.ones(len(slots), sum(SLICES)), torch.ones(len(slots), VOCABULARY)
    wrapper.add_lora_linear(hidden, x, shrink, expand, 0.5, SLICES)
    wrapper.add_lora_logits(logits, x, shrink[0], head, 2.0)
    return hidden, logits


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, SLOTS - 1), min_size=1, max_size=9), st.booleans())
def test_the_results_are_those_of_vllm(slots: list[int], prefill: bool) -> None:
    from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

    from serve.cpu_lora import GroupedLora

    for theirs, ours in zip(run(PunicaWrapperCPU, slots, prefill=prefill), run(GroupedLora, slots), strict=True):
        assert torch.allclose(theirs, ours, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1, SLOTS - 1), min_size=1, max_size=9))
def test_tokens_without_an_adapter_stay_as_they_are_and_the_others_are_as_if_alone(slots: list[int]) -> None:
    from serve.cpu_lora import GroupedLora

    everywhere = [max(0, slot) for slot in slots]
    for mixed, whole in zip(run(GroupedLora, slots), run(GroupedLora, everywhere), strict=True):
        for token, slot in enumerate(slots):
            wanted = whole[token] if slot >= 0 else torch.ones_like(whole[token])
            assert torch.allclose(mixed[token], wanted, atol=1e-4)


@pytest.mark.slow
def test_vllm_loads_it_as_a_plugin() -> None:
    code = (
        "from vllm.plugins import load_general_plugins\nload_general_plugins()\n"
        "from vllm.lora.punica_wrapper.punica_selector import get_punica_wrapper\n"
        "print('>', type(get_punica_wrapper(8, max_batches=8, device='cpu')).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "> GroupedLora" in done.stdout, "install the package again: uv sync"
