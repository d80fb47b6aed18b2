"""The Kubernetes files, checked with Ray's own code.

KubeRay's CRDs are in no Python package, so a field that only the operator reads (`authOptions`, `backoffLimit` ...) is
not checked here. What Ray reads is: its autoscaler derives its configuration from a RayCluster, and validates it
against Ray's schema; Serve has the schema of `serveConfigV2`.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml

from autommlab.common.placement import resource_request
from serve.settings import make_settings

FILES = Path(__file__).resolve().parents[2] / "autommlab" / "cluster_files"
KINDS = {"raycluster": "RayCluster", "rayjob": "RayJob", "rayservice": "RayService"}
ALL = pytest.mark.parametrize("name", KINDS)
_SPEC_KEY = {"RayJob": "rayClusterSpec", "RayService": "rayClusterConfig"}


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load((FILES / f"{name}.yaml").read_text(encoding="utf-8"))


def _cluster(name: str) -> dict[str, Any]:
    file = _read(name)
    return file["spec"][_SPEC_KEY[file["kind"]]] if file["kind"] in _SPEC_KEY else file["spec"]


def _node_types(name: str) -> dict[str, Any]:
    """The autoscaler's view of the cluster, as Ray computes and validates it inside a head pod."""
    from ray.autoscaler._private.kuberay import autoscaling_config

    resource = {"metadata": {"name": name, "namespace": "default"}, "spec": _cluster(name)}
    return autoscaling_config._derive_autoscaling_config_from_ray_cr(resource)["available_node_types"]


def _environment(name: str) -> dict[str, str]:
    (container,) = _cluster(name)["headGroupSpec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container["env"]}


def _groups(name: str) -> list[dict[str, Any]]:
    spec = _cluster(name)
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


@ALL
def test_is_the_kind_that_it_says(name: str) -> None:
    file = _read(name)
    assert (file["apiVersion"], file["kind"]) == ("ray.io/v1", KINDS[name])
    assert _cluster(name)["rayVersion"] == ray.__version__
    assert _cluster(name)["authOptions"] == {"mode": "token"}


@ALL
def test_rays_autoscaler_reads_it(name: str) -> None:
    types = _node_types(name)
    role = "llm" if name == "rayservice" else "trainer"
    assert types["headgroup"]["resources"]["CPU"] == 0
    assert types[role]["resources"] == {"CPU": 8, "GPU": 1, "memory": 32 * 2**30, role: 1}
    assert 0 <= types[role]["min_workers"] < types[role]["max_workers"]


@ALL
def test_start_parameters_are_options_of_ray_start(name: str) -> None:
    from ray.scripts.scripts import start

    known = {option for parameter in start.params for option in parameter.opts}
    for group in _groups(name):
        for option, value in group["rayStartParams"].items():
            assert f"--{option}" in known
            assert isinstance(value, str), "KubeRay takes strings only"


@ALL
def test_pods_ask_kubernetes_for_no_more_than_their_limit(name: str) -> None:
    for group in _groups(name):
        (container,) = group["template"]["spec"]["containers"]
        asked, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert asked.keys() == limits.keys()
        assert asked["memory"] == limits["memory"], "a pod above its request is the first to be evicted"
        assert int(asked["cpu"]) <= int(limits["cpu"])
        assert group["template"]["spec"]["restartPolicy"] == "Never", "autoscaler v2 replaces pods itself"


def test_the_service_names_our_application_and_lands_on_its_nodes() -> None:
    from ray.serve.schema import ServeDeploySchema

    from serve.app import APP_NAME, deployment_options

    schema = ServeDeploySchema.model_validate(yaml.safe_load(_read("rayservice")["spec"]["serveConfigV2"]))
    (application,) = schema.applications
    module, _, attribute = application.import_path.partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))
    assert application.name == APP_NAME
    options = deployment_options(make_settings(application.args))["ray_actor_options"]
    carried = _node_types("rayservice")["llm"]["resources"]
    assert options["resources"] == resource_request("llm")
    assert options["num_gpus"] <= carried["GPU"]
    assert "llm" in carried


@pytest.mark.parametrize("name", ["raycluster", "rayjob"])
def test_jobs_know_where_trials_run_and_where_the_service_is(name: str) -> None:
    environment, trainer = _environment(name), _node_types(name)["trainer"]
    service = _read("rayservice")
    port = yaml.safe_load(service["spec"]["serveConfigV2"])["http_options"]["port"]
    assert environment["AUTOMMLAB_TRIAL_RESOURCE"] in trainer["resources"]
    assert environment["AUTOMMLAB_TRIALS_AT_ONCE"] == str(trainer["max_workers"])
    # The name that KubeRay gives to the Kubernetes service of a RayService.
    assert environment["AUTOMMLAB_LLM_URL"] == f"http://{service['metadata']['name']}-serve-svc:{port}"


def test_the_request_of_the_job_is_a_command_of_ours() -> None:
    import shlex

    from typer.main import get_command

    from autommlab.cli.main import app

    program, command, *arguments = shlex.split(_read("rayjob")["spec"]["entrypoint"])
    assert program == "autommlab"
    run = get_command(app).commands[command]  # type: ignore[attr-defined]
    known = {option for parameter in run.params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= known


def test_resources_are_the_json_that_ray_start_takes() -> None:
    (group,) = _cluster("raycluster")["workerGroupSpecs"]
    assert json.loads(json.loads(group["rayStartParams"]["resources"])) == {"trainer": 1}
