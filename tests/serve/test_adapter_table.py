"""The table of adapters: what may enter it, and that a changed adapter is a new path."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from serve.adapters import CONFIG_FILE, WEIGHTS_FILE, AdapterTable
from serve.errors import AdapterError

HIDDEN, MIDDLE = 16, 24
MODULE = "base_model.model.model.layers.0.self_attn.q_proj"


def tensors(rank: int = 8, value: float = 1.0, module: str = MODULE) -> dict[str, np.ndarray]:
    """The two matrices of one layer, q_proj's if none is named."""
    return {
        f"{module}.lora_A.weight": np.full((rank, HIDDEN), value, np.float32),
        f"{module}.lora_B.weight": np.full((HIDDEN, rank), value, np.float32),
    }


def folder_with(path: Path, value: float = 1.0, rank: object = 8) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / CONFIG_FILE).write_text(json.dumps({"r": rank}))
    save_file(tensors(value=value), path / WEIGHTS_FILE)
    return path


def base_model(folder: Path, kind: str = "llama") -> Path:
    folder.mkdir(exist_ok=True)
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 2}
    config = {"model_type": kind, "hidden_size": HIDDEN, "intermediate_size": MIDDLE, **heads}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def table(tmp_path: Path) -> AdapterTable:
    return AdapterTable(tmp_path / "table", max_rank=16)


def test_a_copy_outlives_its_source(table: AdapterTable, tmp_path: Path) -> None:
    source = folder_with(tmp_path / "a")
    weights = (source / WEIGHTS_FILE).read_bytes()
    table.put(table.prepare("hpo", source))
    (source / WEIGHTS_FILE).unlink()
    assert (table.read()["hpo"].path / WEIGHTS_FILE).read_bytes() == weights


def test_changed_weights_are_a_new_path_and_the_same_ones_are_not(table: AdapterTable, tmp_path: Path) -> None:
    first = table.prepare("hpo", folder_with(tmp_path / "a"))
    assert table.prepare("hpo", folder_with(tmp_path / "b")).path == first.path
    assert table.prepare("hpo", folder_with(tmp_path / "a", 2)).path != first.path


def test_each_change_gives_another_stamp(table: AdapterTable, tmp_path: Path) -> None:
    stamps = [table.stamp()]
    table.put(table.prepare("hpo", folder_with(tmp_path / "a")))
    stamps.append(table.stamp())
    table.put(table.prepare("ru", folder_with(tmp_path / "a")))
    stamps.append(table.stamp())
    table.remove("hpo")
    stamps.append(table.stamp())
    assert len(set(stamps)) == 4
    assert list(table.read()) == ["ru"]


def test_copies_of_removed_adapters_are_swept(table: AdapterTable, tmp_path: Path) -> None:
    old, new = (table.prepare("hpo", folder_with(tmp_path / "a", value)) for value in (1, 2))
    table.put(new)
    table.sweep()
    assert not old.path.exists()
    assert new.path.is_dir()


def test_adapters_added_at_once_are_all_there(table: AdapterTable, tmp_path: Path) -> None:
    def add(number: int) -> None:
        own = AdapterTable(table.folder, table.max_rank)
        own.put(own.prepare(f"a{number}", folder_with(tmp_path / str(number), number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(16)))
    assert len(table.read()) == 16


def test_an_adapter_of_other_layers_is_refused(tmp_path: Path) -> None:
    table = AdapterTable(tmp_path / "table", max_rank=16, layers=("q_proj", "v_proj"))
    source = folder_with(tmp_path / "a")
    for layers in (["v_proj"], ["model.layers.0.self_attn.q_proj"]):
        (source / CONFIG_FILE).write_text(json.dumps({"r": 8, "target_modules": layers}))
        assert table.prepare("hpo", source).rank == 8
    (source / CONFIG_FILE).write_text(json.dumps({"r": 8, "target_modules": ["q_proj", "lm_head"]}))
    with pytest.raises(AdapterError, match=r"changes the layers lm_head.*adapter_layers"):
        table.prepare("hpo", source)


@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden", "two words", "x" * 65, "a\nb"])
def test_names_that_cannot_be_used(table: AdapterTable, tmp_path: Path, name: str) -> None:
    with pytest.raises(AdapterError, match="an adapter cannot be called"):
        table.prepare(name, folder_with(tmp_path / "a"))


@pytest.mark.parametrize(
    ("rank", "said"), [(32, "rank 32.*1 to 16"), (0, "rank 0"), ("8", "rank 8"), (True, "rank True")]
)
def test_ranks_that_the_service_was_not_started_for(
    table: AdapterTable, tmp_path: Path, rank: object, said: str
) -> None:
    with pytest.raises(AdapterError, match=said):
        table.prepare("hpo", folder_with(tmp_path / "a", rank=rank))


def test_folders_that_hold_no_adapter(table: AdapterTable, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"adapter_config\.json and adapter_model\.safetensors missing"):
        table.prepare("hpo", tmp_path / "nowhere")
    pickled = folder_with(tmp_path / "a")
    (pickled / WEIGHTS_FILE).rename(pickled / "adapter_model.bin")
    with pytest.raises(AdapterError, match=r"adapter_model\.safetensors missing"):
        table.prepare("hpo", pickled)
    (folder_with(tmp_path / "b") / CONFIG_FILE).write_text("{}")
    with pytest.raises(AdapterError, match="is not the description of a LoRA adapter"):
        table.prepare("hpo", tmp_path / "b")


def test_removing_what_is_not_there(table: AdapterTable, tmp_path: Path) -> None:
    table.put(table.prepare("ru", folder_with(tmp_path / "a")))
    with pytest.raises(AdapterError, match="no adapter 'hpo'; there are: ru"):
        table.remove("hpo")


def test_a_damaged_table_is_named(table: AdapterTable) -> None:
    table.folder.mkdir()
    (table.folder / "table.json").write_text('[{"name": 1}]')
    with pytest.raises(AdapterError, match=r"table\.json is damaged"):
        table.read()


@pytest.mark.parametrize("kind", ["llama", "gemma3_text"])
def test_an_adapter_of_another_shape_is_refused_and_leaves_no_copy(tmp_path: Path, kind: str) -> None:
    table = AdapterTable(tmp_path / "table", max_rank=16, base=base_model(tmp_path / "base", kind))
    assert table.prepare("hpo", folder_with(tmp_path / "right")).rank == 8
    a, b = tensors()
    keys = MODULE.replace("q_proj", "k_proj")
    for number, (wrong, said) in enumerate(
        (
            ({**tensors(), a: np.zeros((8, HIDDEN + 1), np.float32)}, r"lora_A is \(8, 17\).*needs 8 x 16"),
            ({**tensors(), b: np.zeros((HIDDEN, 4), np.float32)}, r"lora_B is \(16, 4\).*needs 16 x 8"),
            ({**tensors(), a: np.zeros((8, HIDDEN, 1), np.float32)}, r"lora_A is \(8, 16, 1\)"),
            ({a: tensors()[a]}, "lora_B is missing"),
            (tensors(module=keys), r"k_proj.lora_B is \(16, 8\).*needs 8 x 8"),
            (tensors(module=MODULE.replace("layers.0", "layers.7")), "changes layer 7.*has 2"),
            ({"weight": np.zeros(3, np.float32)}, "no part of a LoRA adapter"),
            ({}, "holds no tensors"),
        )
    ):
        source = folder_with(tmp_path / str(number))
        save_file(wrong, source / WEIGHTS_FILE)
        with pytest.raises(AdapterError, match=said):
            table.prepare("wrong", source)
    (source / WEIGHTS_FILE).write_bytes(b"no safetensors")
    with pytest.raises(AdapterError, match="is no safetensors file"):
        table.prepare("wrong", source)
    assert not list(table.folder.glob("wrong*"))


def test_what_could_not_be_used_is_deleted_unless_the_table_refers_to_it(table: AdapterTable, tmp_path: Path) -> None:
    kept, failed = (table.prepare("hpo", folder_with(tmp_path / "a", value)) for value in (1, 2))
    table.put(kept)
    for adapter in (kept, failed):
        table.discard(adapter)
    assert kept.path.is_dir()
    assert not failed.path.exists()
