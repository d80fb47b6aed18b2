"""LoRA training on a real, tiny LLaMA: what carries loss, that it learns, that it goes on after a crash."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.testing import tiny_llama
from training_data_gen.adapters.examples import IGNORED, Encoded, Example, batches, encode, split_by_group

ANIMALS = ("cat", "dog", "horse", "sheep", "goat", "cow", "duck", "goose")


def example(animal: str, group: str) -> Example:
    messages = (
        {"role": "system", "content": "Say the animal."},
        {"role": "user", "content": f"I see a {animal}."},
        {"role": "assistant", "content": f'{{"animal":"{animal}"}}'},
        {"role": "user", "content": "Again."},
        {"role": "assistant", "content": animal},
    )
    return Example(messages, group)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base") / "tiny")


@pytest.mark.slow
def test_only_answers_carry_loss(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    encoded = encode(example("cat", ""), tokenizer)
    learnt = tokenizer.decode([label for label in encoded.labels if label != IGNORED])
    assert learnt.replace("\n", "") == '{"animal":"cat"}<|im_end|>cat<|im_end|>'
    assert tokenizer.decode(encoded.ids) == tokenizer.apply_chat_template(
        list(example("cat", "").messages), tokenize=False
    )


@given(st.lists(st.integers(1, 90), min_size=1, max_size=60), st.integers(1, 200), st.integers(0, 9))
def test_batches_hold_every_example_once_and_keep_the_limit(lengths: list[int], limit: int, seed: int) -> None:
    encoded = [Encoded((number,) * length, (number,) * length) for number, length in enumerate(lengths)]
    made = list(batches(encoded, limit, seed))
    assert Counter(e.ids for batch in made for e in batch) == Counter(e.ids for e in encoded)
    assert all(len(b) == 1 or max(len(e.ids) for e in b) * len(b) <= limit for b in made)
    assert made == list(batches(encoded, limit, seed))


def test_a_group_lies_on_one_side_of_the_split() -> None:
    examples = [example(animal, f"g{number % 4}") for number, animal in enumerate(ANIMALS)]
    train, held_out = split_by_group(examples, 0.25, seed=1)
    assert {e.group for e in train} & {e.group for e in held_out} == set()
    assert len(train) == 6
    assert len(held_out) == 2


@pytest.mark.slow
def test_training_learns_stops_the_same_after_a_crash_and_names_no_path(base: Path, tmp_path: Path) -> None:
    from training_data_gen.adapters.lora import LOG_FILE, LoraSettings, finetune

    train = [example(animal, f"t{number}") for number, animal in enumerate(ANIMALS * 3)]
    held_out = [example(animal, "held out") for animal in ANIMALS[:3]]
    settings = LoraSettings(rank=4, lr=2e-2, epochs=3, batch_tokens=400, evaluations=1)

    def run(folder: Path, **more: Any) -> Any:
        return finetune(base, train, held_out, folder, settings, base_name="tiny", device="cpu", **more)

    whole = run(tmp_path / "whole")
    assert whole.best_loss < 0.7 * whole.first_loss

    def crash(step: int, *_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", progress=crash)
    again = run(tmp_path / "cut")
    assert again.steps == whole.steps
    assert again.best_loss == pytest.approx(whole.best_loss, rel=1e-3)
    assert len((tmp_path / "cut" / LOG_FILE).read_text().splitlines()) == 3

    config = json.loads((tmp_path / "whole" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert str(tmp_path) not in (tmp_path / "whole" / "adapter_config.json").read_text()


@pytest.mark.slow
def test_a_crash_between_two_evaluations_costs_no_more_than_the_time_since_the_last_snapshot(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training_data_gen.adapters import lora

    train = [example(animal, f"t{number}") for number, animal in enumerate(ANIMALS * 3)]
    settings = lora.LoraSettings(rank=4, lr=2e-2, epochs=1, batch_tokens=200, evaluations=1)
    done: list[int] = []
    faults = ["killed in mid-epoch"]
    real_step = lora.LoraTraining.step

    def step(self: Any, batch: Any, number: int, total: int) -> float:
        if number == 4 and faults:
            raise KeyboardInterrupt(faults.pop())
        done.append(number)
        return real_step(self, batch, number, total)

    def run(folder: Path) -> Any:
        return lora.finetune(
            base, train, [example("cat", "held out")], folder, settings, base_name="tiny", device="cpu"
        )

    whole = run(tmp_path / "whole")
    monkeypatch.setattr(lora, "SNAPSHOT_S", 0.0)
    monkeypatch.setattr(lora.LoraTraining, "step", step)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut")
    again = run(tmp_path / "cut")
    assert done == list(range(1, whole.steps + 1)), "no step is done twice or left out"
    assert again.best_loss == pytest.approx(whole.best_loss, rel=1e-3)


@pytest.mark.slow
def test_a_group_on_both_sides_is_refused(base: Path, tmp_path: Path) -> None:
    from training_data_gen.adapters.lora import LoraSettings, finetune

    with pytest.raises(ValueError, match=r"share groups \['a'\]"):
        finetune(base, [example("cat", "a")], [example("dog", "a")], tmp_path, LoraSettings(), base_name="tiny")


@pytest.mark.slow
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("kind", ["llama", "capped", "gemma3"])
def test_the_loss_is_the_models_own(base: Path, tmp_path: Path, kind: str, mixed: bool) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training_data_gen.adapters.lora import LoraSettings, finetune

    folder = base if kind == "llama" else gemma(base, tmp_path / kind, kind)
    held_out = example("cat", "held out")
    longer = example("hippopotamus amphibius", "held out too")  # answers that begin and end elsewhere
    settings = LoraSettings(rank=2, epochs=1, evaluations=1, mixed=mixed)
    result = finetune(
        folder, [example("dog", "t")], [held_out, longer], tmp_path / "out", settings, base_name="tiny", device="cpu"
    )
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer, summed, answers = AutoTokenizer.from_pretrained(folder), 0.0, 0
    for one in (encode(held_out, tokenizer), encode(longer, tokenizer)):
        own = model(input_ids=torch.tensor([one.ids]), labels=torch.tensor([one.labels])).loss
        summed, answers = summed + float(own.detach()) * one.answers, answers + one.answers
    assert result.first_loss == pytest.approx(summed / answers, rel=0.02 if mixed else 1e-4)
    assert result.mixed is mixed


def gemma(base: Path, folder: Path, kind: str) -> Path:
    """A tiny Gemma 3, or a Gemma 2, whose logits are not the output layer's alone: they are capped."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma2Config, Gemma3TextConfig

    tokenizer = AutoTokenizer.from_pretrained(base)
    size = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "initializer_range": 0.3,
    }  # fmt: skip
    config: Any = (
        Gemma3TextConfig(**size, layer_types=["sliding_attention", "full_attention"], sliding_window=8)
        if kind == "gemma3"
        else Gemma2Config(**size, final_logit_softcapping=0.02)
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_the_logits_of_answers_alone_are_computed(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large vocabulary they are most of the work."""
    import torch

    from training_data_gen.adapters.lora import LoraSettings, LoraTraining

    for kind in ("gemma3", "capped"):
        run = LoraTraining(gemma(base, tmp_path / kind, kind), tmp_path / "out", LoraSettings(rank=2), "tiny", "cpu")
        head = run.model.get_base_model().get_output_embeddings()
        rows: list[int] = []
        head.register_forward_hook(lambda _, inputs, __, rows=rows: rows.append(inputs[0].shape[:-1].numel()))
        (encoded,) = run.encoded([example("cat", "")])
        with torch.no_grad():
            run.loss([encoded])
        assert rows == [encoded.answers]


@pytest.mark.slow
def test_bases_are_compared_on_the_same_batches(base: Path, tmp_path: Path) -> None:
    from training_data_gen.adapters.lora import LoraSettings
    from training_data_gen.benchmarks.base_speed import same_batches, steps_on

    made = same_batches([example(animal, animal) for animal in ANIMALS], 150, base)
    assert sorted(one.group for batch in made for one in batch) == sorted(ANIMALS)
    assert len(made) > 1
    llama, other = (
        list(steps_on(name, folder, made[:2], LoraSettings(rank=2)))
        for name, folder in (("llama", base), ("gemma", gemma(base, tmp_path / "gemma3", "gemma3")))
    )
    assert [(cost.examples, cost.tokens, cost.answers) for cost in llama] == [
        (cost.examples, cost.tokens, cost.answers) for cost in other
    ], "the two have the same tokenizer"
    assert all(cost.cpu_s > 0 and cost.loss > 0 for cost in (*llama, *other))


@pytest.mark.slow
def test_a_base_without_chat_template_is_refused(base: Path, tmp_path: Path) -> None:
    from training_data_gen.adapters.lora import LoraSettings, finetune

    shutil.copytree(base, tmp_path / "plain")
    (tmp_path / "plain" / "chat_template.jinja").unlink()
    with pytest.raises(ValueError, match=r"the base model plain has no chat template: take the instruct model"):
        finetune(
            tmp_path / "plain", [example("cat", "a")], [example("dog", "b")], tmp_path / "out", LoraSettings(),
            base_name="plain", device="cpu",
        )  # fmt: skip
