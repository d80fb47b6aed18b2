"""What `--track` and `--optuna-storage` take; what cannot be used is told before anything starts."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autommlab.common.errors import RequestError, TrackerError
from autommlab.options import RunOptions
from autommlab.trackers import targets
from autommlab.trackers.targets import Target, anchored, anchored_target, read_target, require_usable, targets_of
from tests.helpers.program import autommlab_here


def test_targets_are_read_once_each() -> None:
    asked = ("tensorboard", "mlflow=http://host:5000", "wandb=me/project", "tensorboard")
    assert targets_of(asked, "sqlite:////x/study.db") == (
        Target("tensorboard"), Target("mlflow", "http://host:5000"), Target("wandb", "me/project"),
        Target("optuna", "sqlite:////x/study.db"),
    )  # fmt: skip
    assert targets_of((), None) == targets_of((), "") == ()


def test_an_unknown_tracker_is_told_with_near_ones() -> None:
    with pytest.raises(RequestError, match=r"unknown tracker 'mlfow'\. Did you mean 'mlflow'.*wandb, none"):
        read_target("mlfow=http://host")


@pytest.mark.parametrize(
    "address",
    ["https://me:s3cret@host", "https://s3cret@host", "https://host/?token=s3cret", "postgresql://me:s3cret@host/db"],
)
@pytest.mark.parametrize("option", ["--track=mlflow=", "--optuna-storage="])
def test_secrets_are_neither_stored_nor_shown(address: str, option: str, tmp_path: Path) -> None:
    done = autommlab_here("run", "a cat", f"{option}{address}", "--searcher", "random", "--out", tmp_path / "run")
    assert done.code != 0
    assert "s3cret" not in done.err + done.out
    assert "carries a secret" in done.err
    assert not (tmp_path / "run").exists()
    with pytest.raises(RequestError, match=r"\*\*\*.*carries a secret.*MLFLOW_TRACKING_USERNAME") as error:
        targets_of([f"mlflow={address}"], None) if "mlflow" in option else targets_of([], address)
    assert "s3cret" not in str(error.value)


def test_paths_no_longer_depend_on_where_they_were_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert anchored("study.log") == f"{tmp_path}/study.log"
    assert anchored("sqlite:///study.db") == f"sqlite:///{tmp_path}/study.db"
    assert anchored("sqlite:////x/study.db") == "sqlite:////x/study.db"
    assert anchored("mysql://host/db") == "mysql://host/db"
    assert anchored_target("tensorboard=logs") == f"tensorboard={tmp_path}/logs"
    for unchanged in ("tensorboard", "wandb=project", "mlflow=http://host:5000", "mlfow"):
        assert anchored_target(unchanged) == unchanged


@pytest.mark.parametrize("kind", ["mlflow", "wandb"])
def test_a_missing_package_is_named_with_its_extra(kind: targets.Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrackerError) as error:
        require_usable(Target(kind))
    assert f"--track {kind}: the package {kind} is not installed" in str(error.value)
    assert f"uv sync --inexact --extra {kind}" in str(error.value)


def test_a_server_that_is_not_there_is_told_before_anything_starts(tmp_path: Path, parse: Path, shapes: Path) -> None:
    done = autommlab_here(
        "run", "x", "--parse", parse, "--data", shapes, "--out", tmp_path / "run", "--searcher", "random",
        "--track", "mlflow=http://127.0.0.1:9", "--optuna-storage", "/proc/study.db",
    )  # fmt: skip
    assert done.code != 0
    assert "nobody answers at http://127.0.0.1:9 (ConnectionError). Start a server (`mlflow server`)" in done.err
    assert "--optuna-storage /proc/study.db: /proc/study.db cannot be written" in done.err
    assert not (tmp_path / "run").exists()


def test_wandb_without_a_key_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(TrackerError, match=r"no key for https://api\.wandb\.ai is set.*WANDB_MODE=offline"):
        require_usable(Target("wandb"))
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(TrackerError, match=r"nobody answers at http://127\.0\.0\.1:9.*wandb sync"):
        require_usable(Target("wandb"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    require_usable(Target("wandb"))


@pytest.fixture
def failing_server() -> Iterator[str]:
    """One that answers with an error of its own."""

    class Failing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(502)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Failing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_server_that_fails_is_told(failing_server: str) -> None:
    with pytest.raises(TrackerError, match="answers with status 502"):
        require_usable(Target("mlflow", failing_server))


def test_other_trackers_are_no_other_run() -> None:
    stored = RunOptions(text="x", track=("tensorboard",))
    asked = RunOptions(text="x", track=(), optuna_storage="/x/study.log")
    differences = stored.differences(asked)
    assert differences.refused == []
    assert len(differences.allowed) == 2
