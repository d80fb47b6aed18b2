"""The table of adapters: what may enter it, and that a changed adapter is a new path."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serve.adapters import CONFIG_FILE, WEIGHTS_FILE, AdapterTable
from serve.errors import AdapterError


def folder_with(path: Path, weights: bytes = b"weights", rank: object = 8) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / CONFIG_FILE).write_text(json.dumps({"r": rank}))
    (path / WEIGHTS_FILE).write_bytes(weights)
    return path


@pytest.fixture
def table(tmp_path: Path) -> AdapterTable:
    return AdapterTable(tmp_path / "table", max_rank=16)


def test_a_copy_outlives_its_source(table: AdapterTable, tmp_path: Path) -> None:
    source = folder_with(tmp_path / "a")
    table.put(table.prepare("hpo", source))
    (source / WEIGHTS_FILE).unlink()
    assert (table.read()["hpo"].path / WEIGHTS_FILE).read_bytes() == b"weights"


def test_changed_weights_are_a_new_path_and_the_same_ones_are_not(table: AdapterTable, tmp_path: Path) -> None:
    first = table.prepare("hpo", folder_with(tmp_path / "a"))
    assert table.prepare("hpo", folder_with(tmp_path / "b")).path == first.path
    assert table.prepare("hpo", folder_with(tmp_path / "a", b"other")).path != first.path


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
    old, new = (table.prepare("hpo", folder_with(tmp_path / "a", weights)) for weights in (b"1", b"2"))
    table.put(new)
    table.sweep()
    assert not old.path.exists()
    assert new.path.is_dir()


def test_adapters_added_at_once_are_all_there(table: AdapterTable, tmp_path: Path) -> None:
    def add(number: int) -> None:
        own = AdapterTable(table.folder, table.max_rank)
        own.put(own.prepare(f"a{number}", folder_with(tmp_path / str(number), str(number).encode())))

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


@pytest.mark.parametrize(("rank", "said"), [(32, "rank 32.*1 to 16"), (0, "rank 0"), ("8", "rank 8")])
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
