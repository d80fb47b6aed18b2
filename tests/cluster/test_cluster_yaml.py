"""The files for `ray up` pass the checks that it makes itself before it asks a cloud or a machine for anything."""

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError

from serve.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "cluster.yaml"
MACHINES = ROOT / "autommlab" / "cluster_files" / "machines.yaml"
BOTH = pytest.mark.parametrize("path", [CLUSTER, MACHINES], ids=lambda path: path.stem)


def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _validated(config: dict[str, Any]) -> dict[str, Any]:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    return prepared


@BOTH
def test_passes_rays_own_validation(path: Path) -> None:
    prepared = _validated(_read(path))
    assert prepared["head_node_type"] in prepared["available_node_types"]


def test_as_many_machines_as_addresses() -> None:
    config = _read(MACHINES)
    (node_type,) = _validated(config)["available_node_types"].values()
    assert node_type["max_workers"] == len(config["provider"]["worker_ips"])


@BOTH
def test_validation_can_fail(path: Path) -> None:
    with pytest.raises(ValidationError, match="no_such_field"):
        _validated({**_read(path), "no_such_field": 1})


@BOTH
def test_dashboard_stays_on_loopback_and_everybody_needs_the_token(path: Path) -> None:
    config = _read(path)
    (head,) = (command for command in config["head_start_ray_commands"] if "ray start" in command)
    (worker,) = (command for command in config["worker_start_ray_commands"] if "ray start" in command)
    assert "--dashboard-host=127.0.0.1" in head
    assert "RAY_AUTH_MODE=token" in head
    assert "RAY_AUTH_MODE=token" in worker
    assert "~/.ray/auth_token" in config["file_mounts"]


def test_head_runs_no_trial() -> None:
    assert _read(CLUSTER)["available_node_types"]["head"]["resources"]["CPU"] == 0
    assert any("--num-cpus=0" in command for command in _read(MACHINES)["head_start_ray_commands"])


def test_trainers_are_spot_and_llm_nodes_are_not() -> None:
    nodes = _read(CLUSTER)["available_node_types"]
    assert nodes["trainer"]["resources"] == {"trainer": 1}
    assert nodes["llm"]["resources"] == {"llm": 1}
    assert nodes["trainer"]["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
    assert "InstanceMarketOptions" not in nodes["llm"]["node_config"]


def test_the_head_asks_for_what_the_nodes_carry_and_for_all_trainers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _read(CLUSTER)
    for command in config["head_setup_commands"]:
        if "uv sync" not in command:
            subprocess.run(
                ["/bin/bash", "-c", command], env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, check=True
            )
    exported = (tmp_path / ".autommlab").read_text()
    nodes = config["available_node_types"]
    for line in (
        "AUTOMMLAB_TRIAL_RESOURCE=trainer",
        "AUTOMMLAB_LLM_RESOURCE=llm",
        f"AUTOMMLAB_TRIALS_AT_ONCE={nodes['trainer']['max_workers']}",
    ):
        assert line in exported
    assert config["max_workers"] == nodes["trainer"]["max_workers"] + nodes["llm"]["max_workers"]
    settings = load_settings(tmp_path / ".cache" / "autommlab" / "serve" / "settings.yaml")
    assert (settings.gpus_per_replica, settings.start_timeout_s) == (1, 3600)


@BOTH
def test_environments_are_those_of_pyproject(path: Path) -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    config = _read(path)
    commands = [*config["setup_commands"], *config["head_setup_commands"], *config["worker_setup_commands"]]
    asked = " ".join(command for command in commands if "uv sync" in command).split("--extra ")[1:]
    named = {words.split()[0].rstrip(";") for words in asked}
    assert named == {"cpu", "gpu"}  # the others are for a person's own machine
    assert named <= set(extras)


@BOTH
def test_exactly_five_values_are_marked_for_the_admin(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [text.count(f"CHANGE {n}") for n in range(1, 7)] == [1] * 5 + [0]
