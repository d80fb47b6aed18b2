"""What `serve-model` takes, and what it says before anything starts."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from autommlab.common.errors import DeploymentError, ModelServiceError, RequestError
from autommlab.common.ports import is_loopback
from autommlab.deployment.delivered import hashes_of
from autommlab.deployment.records import Deployment, Verification
from autommlab.model_service.running import checked, with_port
from autommlab.model_service.settings import ModelServiceSettings, named_bundles
from tests.helpers.program import Ended, autommlab_here
from tests.helpers.tiny_bundles import make_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "runs" / "animals" / "bundle", "classification")


def serve(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Ended:
    """The command, which must end before it starts Ray."""

    def start(*_: Any, **__: Any) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr("autommlab.model_service.running._start_ray", start)
    return autommlab_here("serve-model", *arguments)


def test_names_are_given_or_those_of_the_folders(tmp_path: Path) -> None:
    given = [str(tmp_path / "cells"), str(tmp_path / "animals" / "bundle"), f"x={tmp_path}/a=b"]
    assert named_bundles(given) == {
        "cells": tmp_path / "cells",
        "animals": tmp_path / "animals" / "bundle",
        "x": tmp_path / "a=b",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a/x", "b/x"], r"two models are called 'x': .*a/x and .*b/x\. Name one of them: NAME=.*b/x"),
        (["my model"], r"'my model' cannot be the name of a model: .* NAME="),
        (["=folder"], "'' cannot be the name"),
        ([".hidden"], "'.hidden' cannot be the name"),
        (["x" * 65], "64 at most"),
        (["caf\u00e9=folder"], "cannot be the name"),
    ],
)
def test_names_that_cannot_be_are_told(given: list[str], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        named_bundles(given)


def test_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    models = {"a": Path("a")}
    threads = [ModelServiceSettings(models=models, replicas=n).engine_threads for n in (1, 3, 99)]
    assert threads == [8, 2, 1]
    assert ModelServiceSettings(models=models, replicas=3, threads=5).engine_threads == 5


def test_addresses_are_those_that_a_client_uses() -> None:
    def url(host: str) -> str:
        return ModelServiceSettings(models={"a": Path("a")}, host=host, port=1).url

    assert [url(host) for host in ("127.0.0.1", "0.0.0.0", "::", "::1", "box")] == [  # noqa: S104 - no address to bind to
        "http://127.0.0.1:1", "http://127.0.0.1:1", "http://[::1]:1", "http://[::1]:1", "http://box:1",
    ]  # fmt: skip
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8")] == [True] * 4
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "box", "")))  # noqa: S104


def test_a_broken_bundle_is_told_before_anything_starts(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (bundle / "model.onnx").read_bytes()
    missing = serve(monkeypatch, tmp_path / "nowhere")
    assert (missing.code, "is not a bundle: its bundle.json cannot be read" in missing.err) == (6, True)
    (bundle / "model.onnx").write_bytes(whole[:-40])
    broken = serve(monkeypatch, bundle)
    assert (broken.code, "onnxruntime cannot use the model in" in broken.err) == (6, True)
    (bundle / "model.onnx").unlink()
    assert "lacks model.onnx; copy the whole folder again" in serve(monkeypatch, bundle).err
    (bundle / "model.onnx").write_bytes(whole)
    info = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps(info | {"classes": ["one"]}))
    other = serve(monkeypatch, f"mine={bundle}")
    assert "the model 'mine' does not predict: " in other.err
    assert "Traceback" not in other.err


def test_a_bundle_that_was_changed_since_its_run_is_told(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {name: 0.0 for name, field in Verification.model_fields.items() if field.annotation is float}
    figures["tolerance"] = 0.0
    verification = Verification.model_validate({**figures, "images": 1, "metric": "accuracy", "agrees": True})
    noted = Deployment(
        bundle=Path("bundle"), asked="onnxruntime", engine="onnxruntime", device="cpu", verification=verification,
        limits=(), files=hashes_of(bundle),
    )  # fmt: skip
    (bundle.parent / "deployment.json").write_text(noted.model_dump_json())
    settings = ModelServiceSettings(
        models={"animals": bundle}, port=with_port({"host": "127.0.0.1", "port": 0})["port"]
    )
    (bundle / "labels.txt").write_text("not looked at")
    assert checked(settings) == settings
    (bundle / "model.onnx").write_bytes((bundle / "model.onnx").read_bytes() + b"\0")
    with pytest.raises(
        DeploymentError, match=r"model\.onnx in .* is not what the run delivered; `autommlab run --resume"
    ):
        checked(settings)


def test_a_taken_port_is_told(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = serve(monkeypatch, bundle, "--port", port)
    assert done.code == ModelServiceError.exit_code
    assert f"port {port} of 127.0.0.1 cannot be used (Address already in use): give another one with --port" in done.err


def test_an_address_of_another_machine_is_told(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for port in (0, 8474):
        done = serve(monkeypatch, bundle, "--host", "192.0.2.1", "--port", port)
        assert done.code == ModelServiceError.exit_code
        assert "192.0.2.1" in done.err


def test_beyond_loopback_a_key_is_made_and_kept(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))

    def key(**values: Any) -> str | None:
        values = with_port({"models": {"a": bundle}, "host": "127.0.0.1", "port": 0, **values})
        return checked(ModelServiceSettings.model_validate(values)).api_key

    everywhere = "0.0.0.0"  # noqa: S104 - nothing is started
    assert key() is None
    made = key(host=everywhere)
    assert made is not None
    assert len(made) >= 40
    assert key(host=everywhere) == made
    assert key(host=everywhere, api_key="my-own-key") == "my-own-key"
    file = tmp_path / "home" / "model-service.key"
    assert file.read_text().strip() == made
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_short_key_is_told(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = serve(monkeypatch, bundle, "--api-key", "short")
    assert done.code == RequestError.exit_code
    assert "api_key = 'short': string should have at least 8 characters" in done.err
