"""Settings from a file, in the environment, and what is told about wrong ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from serve.errors import BaseModelError, ServiceSettingsError
from serve.settings import EMBEDDED_MODEL, ServiceSettings, load_settings, make_settings, service_folder

EXAMPLE = Path(__file__).parents[2] / "serve" / "service.yaml"


def test_defaults_listen_on_loopback_only() -> None:
    settings = ServiceSettings()
    assert settings.host == "127.0.0.1"
    assert settings.base_model == settings.model_name == EMBEDDED_MODEL
    assert settings.cpus_per_replica == 0
    assert settings.folder == service_folder()


def test_a_file_and_what_overrides_it(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("port: 9000\nbase_model: owner/some-model\nmax_adapters: 2\n")
    settings = load_settings(file, port=9001, api_key=None)
    assert (settings.port, settings.max_adapters, settings.model_name) == (9001, 2, "some-model")


def test_the_users_file_is_read_without_being_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path))
    assert load_settings().port == 8473
    (tmp_path / "serve").mkdir()
    (tmp_path / "serve" / "settings.yaml").write_text("port: 0")
    assert load_settings().port == 0


def test_all_problems_are_told_together() -> None:
    with pytest.raises(
        ServiceSettingsError, match=r"port = 70000.*dtype = 'int3'.*colour = 'red'.*Known names: .*host"
    ):
        make_settings({"port": 70000, "dtype": "int3", "colour": "red"})


@pytest.mark.parametrize("text", ["- a\n- b", "a: [", "\x00"])
def test_a_file_that_holds_no_settings(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(ServiceSettingsError, match=r"settings\.yaml"):
        load_settings(file)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ServiceSettingsError, match="cannot read"):
        load_settings(tmp_path / "none.yaml")


def test_the_example_for_a_cluster_holds_settings_that_exist() -> None:
    config = yaml.safe_load(EXAMPLE.read_text())
    assert config["http_options"]["host"] == "127.0.0.1"
    applications = config["applications"]
    assert [application["import_path"] for application in applications] == ["serve.app:build"]
    for application in applications:
        make_settings(application["args"])


def test_nothing_heavy_is_imported_to_find_a_service() -> None:
    code = (
        "import sys; from serve.lifecycle import find_service; find_service(); "
        "heavy = {'ray', 'vllm', 'torch', 'transformers', 'openai'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no-such-model", "give 'smollm2-135m-instruct', 'gemma-3-270m', a folder that exists, or a hub id"),
        ("./nowhere", "no base model './nowhere'"),
        ("{tmp}", "it has no config.json"),
    ],
)
def test_a_base_model_that_is_none(tmp_path: Path, name: str, said: str) -> None:
    from serve.base_models import base_model

    with pytest.raises(BaseModelError, match=said):
        base_model(name.format(tmp=tmp_path))


def test_a_hub_id_and_a_folder_stand_as_they_are(tmp_path: Path) -> None:
    from serve.base_models import base_model

    assert base_model("owner/model") == "owner/model"
    (tmp_path / "config.json").write_text("{}")
    assert base_model(str(tmp_path)) == str(tmp_path)
