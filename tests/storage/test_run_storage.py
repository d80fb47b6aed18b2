"""`run --out URI`: killed in mid-study, its working folder lost, it goes on from the storage alone."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers.program import autommlab, autommlab_here, command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def finished(storage: Path) -> list[str]:
    path = storage / "study" / "trials.jsonl"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.long
def test_killed_and_its_folder_lost_it_goes_on_from_the_storage(
    home: Path, shapes: Path, parse: Path, tmp_path: Path
) -> None:
    storage = tmp_path / "storage" / "run"
    uri = f"file://{storage}"
    line, environment = command(
        home,
        "run",
        "which material",
        "--parse",
        parse,
        "--data",
        shapes,
        "--trials",
        4,
        "--searcher",
        "tpe+default",
        "--out",
        uri,
    )
    process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    try:
        while not finished(storage):
            assert process.poll() is None, "the run ended before its first trial"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = finished(storage)
    assert list((storage / "study" / "ray").iterdir()), "Ray's state is on the storage"
    shutil.rmtree(home / "runs")

    done = autommlab(home, "run", "--resume", uri)
    assert done.returncode == 0, done.stderr
    assert f"Results: {uri}" in done.stdout
    after = finished(storage)
    assert after[: len(before)] == before
    points = [json.dumps(json.loads(line)["hyperparameters"], sort_keys=True) for line in after]
    assert len(points) == len(set(points)) >= 4
    for name in ("bundle/predict.py", "report.html", "deployment.json", "events.jsonl"):
        assert (storage / name).exists(), name
    assert not (storage / "study" / "ray").exists()


def test_a_storage_that_cannot_be_written_is_refused_before_anything_is_done(
    home: Path, shapes: Path, parse: Path
) -> None:
    asked = ("run", "x", "--parse", parse, "--data", shapes)
    done = autommlab_here(*asked, "--out", "file:///proc/autommlab-run", home=home)
    assert done.code == 7
    assert "cannot write file:///proc/autommlab-run" in done.err
    assert "Traceback" not in done.err
