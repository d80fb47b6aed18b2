"""From generated requests to an adapter: conversations, the command, the entry for a machine without our packages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autommlab.cli.main import app
from autommlab.common.errors import RequestError
from autommlab.understanding.answer import NoTask, parse_answer
from autommlab.understanding.prompt import messages
from serve.shipped import FOLDER
from training_data_gen.adapters.card import CARD_FILE, PLOT_FILE
from training_data_gen.adapters.examples import TuningData
from training_data_gen.adapters.state import read_start
from training_data_gen.adapters.tune_on_gpu import BASE_NAME, read_examples, settings_of, tune, write_examples
from training_data_gen.adapters.understanding_examples import ru_data
from training_data_gen.requests.no_task import no_task_texts

ROOT = Path(__file__).resolve().parents[2]
FEW = 440


@pytest.fixture(scope="module")
def data() -> TuningData:
    return ru_data(FEW, seed=1, held_out=20)


def test_conversations_ask_as_the_service_does(data: TuningData) -> None:
    for one in (*data.train, *data.held_out):
        *asked, answered = one.messages
        assert asked == messages(asked[-1]["content"], tuned=True)
        assert answered["role"] == "assistant"


def test_every_answer_can_be_read_and_texts_without_a_task_say_so(data: TuningData) -> None:
    refused = 0
    for one in (*data.train, *data.held_out):
        try:
            parse_answer(one.messages[-1]["content"])
        except NoTask:
            refused += 1
            assert one.messages[-2]["content"] in no_task_texts()
    assert refused == len(no_task_texts())


def test_sides_share_no_group_and_the_facts_count_them(data: TuningData) -> None:
    assert not {one.group for one in data.train} & {one.group for one in data.held_out}
    assert data.facts["training pairs"] + data.facts["held-out pairs"] + len(no_task_texts()) == len(data.train) + len(
        data.held_out
    )
    assert data.facts["pairs"] == FEW


def test_files_give_back_the_examples(data: TuningData, tmp_path: Path) -> None:
    write_examples(tmp_path / "examples", data.train, data.held_out, data.facts)
    assert read_examples(tmp_path / "examples") == (data.train, data.held_out, data.facts)


def test_a_folder_without_examples_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="alone with --examples-only"):
        read_examples(tmp_path)


def test_the_bare_entry_pulls_in_none_of_our_environment() -> None:
    code = (
        "import sys, training_data_gen.adapters.tune_on_gpu, training_data_gen.adapters.lora\n"
        "import training_data_gen.adapters.card\n"
        "ours = {'ray', 'vllm', 'mmengine', 'openai', 'autommlab', 'serve', 'searchers', 'rapidfuzz', 'typer'}\n"
        "print(sorted(ours & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_bare_entry_explains_itself_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from training_data_gen.adapters.tune_on_gpu import main\nmain(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--examples" in done.stdout


def test_only_examples_are_written_when_asked(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["tune", "ru", "--out", str(tmp_path), "--pairs", "450", "--examples-only"])
    assert done.exit_code == 0, done.output
    assert "examples to learn from" in done.output
    assert len(read_examples(tmp_path / "examples")[0]) > 300


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--device", "tpu"], "unknown device 'tpu'"), (["--base", "no/such/folder"], "no base model"),
     (["--pairs", "10"], "cannot hold out 1 of"), (["--from", "rru"], "unknown adapter 'rru'. Did you mean 'ru'?"),
     (["--from", "ru", "--rank", "8"], "keeps its rank"), (["--dtype", "int4"], "unknown dtype 'int4'")],
)  # fmt: skip
def test_what_cannot_be_trained_is_said_at_once(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["tune", "ru", "--out", str(tmp_path), "--pairs", "410", *arguments])
    assert isinstance(done.exception, RequestError)
    assert says in str(done.exception)


@pytest.mark.slow
def test_a_real_adapter_with_card_and_plot_goes_on_and_refuses_other_settings(data: TuningData, tmp_path: Path) -> None:
    from serve.testing import tiny_llama

    base = tiny_llama(tmp_path / "tiny")
    examples, out = tmp_path / "examples", tmp_path / "adapter"
    write_examples(examples, data.train[:40], data.held_out[:6], data.facts)
    settings = settings_of(epochs=1, rank=4, lr=1e-2, batch_tokens=1500, seed=0)
    assert settings.alpha == 8
    said: list[str] = []
    result = tune(examples, base, out, settings, base_name="tiny", device="cpu", say=said.append)
    assert result.best_loss < result.first_loss
    assert said[0].startswith("40 examples to learn from, 6 held out")
    assert any(line.startswith("step ") for line in said)
    card = (out / CARD_FILE).read_text()
    for told in ("held-out loss before", "| rank | 4 |", "| data seed | 1 |", "held-out voices", "tokens", "torch"):
        assert told in card, told
    assert str(tmp_path) not in card
    assert (out / PLOT_FILE).stat().st_size > 1000
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == "tiny"

    again = tune(examples, base, out, settings, base_name="tiny", device="cpu", say=said.append)
    assert again.steps == result.steps
    with pytest.raises(ValueError, match=r"holds another training: .*rank was 4, now 8"):
        tune(examples, base, out, settings_of(epochs=1, rank=8), base_name="tiny", device="cpu")

    more = settings_of(epochs=3, lr=5e-3, batch_tokens=1500, start=out)
    further = tune(examples, base, tmp_path / "further", more, base_name="tiny", device="cpu", say=said.append)
    assert further.first_loss == pytest.approx(result.best_loss, rel=0.02), "it begins where the other ended"
    assert further.best_loss < result.best_loss
    card = (tmp_path / "further" / CARD_FILE).read_text()
    assert "| gone on from the adapter | adapter, SHA-256 " in card
    assert "| rank | 4 |" in card


@pytest.mark.slow
def test_a_base_by_hub_id_is_fetched_named_by_its_id_and_its_terms_go_along(
    data: TuningData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command as for a real LLaMA 3.2, of which the hub gives a tiny untrained one."""
    tiny_llama_3_2(tmp_path / "snapshot")
    (tmp_path / "snapshot" / "LICENSE.txt").write_text("the community licence")
    (tmp_path / "snapshot" / "USE_POLICY.md").write_text("the policy")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(tmp_path / "snapshot"))
    few = TuningData(data.train[:24], data.held_out[:4], data.facts)
    monkeypatch.setattr("training_data_gen.adapters.understanding_examples.ru_data", lambda *_: few)
    name = "meta-llama/Llama-3.2-1B-Instruct"
    words = ["--base", name, "--rank", "4", "--lr", "1e-2", "--epochs", "1", "--batch-tokens", "1500"]
    done = CliRunner().invoke(app, ["tune", "ru", "--out", str(tmp_path / "ru"), *words, "--dtype", "bfloat16"])
    assert done.exit_code == 0, done.output
    config = json.loads((tmp_path / "ru" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == name
    assert (tmp_path / "ru" / "LICENSE.txt").read_text() == "the community licence"
    card = (tmp_path / "ru" / CARD_FILE).read_text()
    assert f"The terms of {name} hold for this adapter too: [LICENSE.txt](LICENSE.txt), [USE_POLICY.md]" in card
    assert str(tmp_path) not in card
    again = ["tune", "ru", "--out", str(tmp_path / "more"), "--from", str(tmp_path / "ru"), "--base", name, *words[4:]]
    assert CliRunner().invoke(app, again).exit_code == 0


def tiny_llama_3_2(folder: Path) -> None:
    """Tied embeddings, grouped keys and the stretched rotary positions of LLaMA 3.2, untrained."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    from serve.base_models import embedded_tokenizer

    tokenizer = embedded_tokenizer()
    stretched = {
        "rope_type": "llama3", "rope_theta": 500_000.0, "factor": 32.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 512,
    }  # fmt: skip
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=4096, tie_word_embeddings=True,
        rope_parameters=stretched, initializer_range=0.1,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def test_only_an_adapter_of_the_same_base_is_gone_on_from(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no adapter to go on from"):
        read_start(tmp_path, "tiny")
    other = FOLDER / BASE_NAME / "ru"
    with pytest.raises(
        ValueError, match=f"LORA of the base model '{BASE_NAME}'; to go on from it takes a LORA of 'tiny'"
    ):
        read_start(other, "tiny")
    assert read_start(other, BASE_NAME).rank == 16
