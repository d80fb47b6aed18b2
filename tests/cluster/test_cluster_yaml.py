"""`cluster.yaml` passes the checks that `ray up` itself makes before it asks a cloud for anything."""

from pathlib import Path

import pytest
import yaml
from jsonschema import ValidationError

CLUSTER = Path(__file__).resolve().parents[2] / "cluster.yaml"


def _validated(config: dict) -> dict:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(config)
    validate_config(prepared)
    return prepared


def test_cluster_yaml_passes_rays_own_validation() -> None:
    prepared = _validated(yaml.safe_load(CLUSTER.read_text(encoding="utf-8")))
    assert prepared["head_node_type"] in prepared["available_node_types"]


def test_head_runs_no_trial_and_dashboard_stays_on_loopback() -> None:
    config = yaml.safe_load(CLUSTER.read_text(encoding="utf-8"))
    assert config["available_node_types"]["head"]["resources"]["CPU"] == 0
    assert any("--dashboard-host=127.0.0.1" in command for command in config["head_start_ray_commands"])


def test_validation_can_fail() -> None:
    config = yaml.safe_load(CLUSTER.read_text(encoding="utf-8"))
    config["no_such_field"] = 1
    with pytest.raises(ValidationError, match="no_such_field"):
        _validated(config)


def test_exactly_five_values_are_marked_for_the_admin() -> None:
    text = CLUSTER.read_text(encoding="utf-8")
    assert [f"CHANGE {n}" in text for n in range(1, 7)] == [True] * 5 + [False]
