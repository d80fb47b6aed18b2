"""A real MLflow server on this machine, asked by MLflow's own client."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from autommlab.trackers.targets import Target, require_usable
from tests.helpers.tracked_run import LOSSES, Interrupted, RunWriter

pytestmark = pytest.mark.slow
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class Server:
    """`mlflow server`, which a test may stop and start again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._folder = folder
        self.uri = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port)]
        line += ["--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db", "--workers", "1"]
        line += ["--artifacts-destination", str(self._folder / "artifacts")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                line, stdout=log, stderr=log, env={**os.environ, **_QUIET}, start_new_session=True
            )
        deadline = time.monotonic() + 200
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.uri}/health", timeout=2).ok
        except requests.RequestException:
            return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def own_experiment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = request.node.name
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for variable, value in _QUIET.items():
        monkeypatch.setenv(variable, value)
    return name


@pytest.mark.timeout(600)
def test_a_run_its_trials_and_its_bundle_are_there_though_it_was_interrupted_and_the_server_away(
    run: RunWriter, server: Server, own_experiment: str, tmp_path: Path
) -> None:
    target = Target("mlflow", server.uri)
    require_usable(target)
    with run.followed(target):
        run.trial("a_0")
        run.begin("a_1")
        run.report("a_1", range(1, 5))
        raise Interrupted
    with run.followed(target):
        server.stop()
        run.report("a_1", range(3, 9))
        run.end("a_1", "diverged")
        deadline = time.monotonic() + 60
        while not run.warnings and time.monotonic() < deadline:
            time.sleep(0.05)
        server.start()
    assert ["fails" in run.warnings[0], "works again" in run.warnings[-1]] == [True, True], run.warnings

    from mlflow.tracking import MlflowClient

    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name(own_experiment)
    found = {one.info.run_name: one for one in client.search_runs([experiment.experiment_id])}
    assert sorted(found) == ["bricks", "search 1", "search 2"]
    parent, first, second = (found[name] for name in ("bricks", "search 1", "search 2"))
    assert {one.data.tags["mlflow.parentRunId"] for one in (first, second)} == {parent.info.run_id}
    assert [one.info.status for one in (parent, first, second)] == ["FINISHED", "FINISHED", "FAILED"]
    for one in (first, second):
        history = client.get_metric_history(one.info.run_id, "train/loss")
        assert [(point.step, point.value) for point in history] == list(LOSSES.items())
        scores = client.get_metric_history(one.info.run_id, "val/score")
        assert [(point.step, point.value) for point in scores] == [(4, 0.4), (8, 0.8)]
    assert first.data.metrics["val/top-5 accuracy"] == 1.0
    assert float(first.data.params["lr"]) == 0.001
    assert (first.data.tags["proposed_by"], first.data.tags["source"]) == ("tpe:start-up", "tpe")
    assert second.data.tags["reason"] == "the loss became nan"
    assert parent.data.metrics["test/accuracy"] == 0.75
    assert parent.data.params["request"] == "tell bricks apart"
    bundle = client.download_artifacts(parent.info.run_id, "bundle", str(tmp_path))
    assert (Path(bundle) / "bundle.json").read_text() == "{}"
