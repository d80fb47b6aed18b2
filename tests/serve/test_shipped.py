"""The adapters that come with the package: found by base model, small, and such as the service takes."""

from __future__ import annotations

import json
from pathlib import Path

from serve.adapters import CONFIG_FILE, WEIGHTS_FILE, table_of
from serve.settings import ServiceSettings
from serve.shipped import FOLDER, shipped_adapters

#: All of them together may weigh so much; they are in the repository.
MOST_BYTES = 40_000_000


def test_an_adapter_belongs_to_its_base_model(tmp_path: Path) -> None:
    for name in ("ru", "hpo"):
        folder = tmp_path / "some-llama" / name
        folder.mkdir(parents=True)
        (folder / CONFIG_FILE).write_text("{}")
    (tmp_path / "some-llama" / "half-written").mkdir()
    mine = ServiceSettings(base_model="/models/some-llama")
    assert shipped_adapters(mine, tmp_path) == {name: tmp_path / "some-llama" / name for name in ("ru", "hpo")}
    assert shipped_adapters(ServiceSettings(base_model="/models/another"), tmp_path) == {}


def test_those_of_the_embedded_model_can_be_served(tmp_path: Path) -> None:
    settings = ServiceSettings(folder=tmp_path)
    found = shipped_adapters(settings)
    assert {"ru", "hpo"} <= set(found)
    for name, folder in found.items():
        assert table_of(settings).prepare(name, folder).name == name
        assert json.loads((folder / CONFIG_FILE).read_text())["base_model_name_or_path"] == settings.model_name
        assert (folder / "README.md").is_file()
    assert sum(file.stat().st_size for file in FOLDER.rglob(WEIGHTS_FILE)) < MOST_BYTES
