"""`submit`, `jobs`, `logs`, `stop`, `fetch` and Ray's own `ray job submit` against a real local Ray head."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from autommlab.jobs.client import OURS, Jobs
from autommlab.jobs.following import follow
from tests.helpers.dropping_proxy import DroppingProxy
from tests.helpers.program import EXAMPLES, Ended, autommlab, autommlab_here
from tests.helpers.ray_head import BIN, TOKEN, ray_head

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def head(home: Path) -> Iterator[str]:
    with ray_head(AUTOMMLAB_HOME=str(home), RAY_worker_niceness="0") as address:
        yield address


@pytest.fixture(autouse=True)
def _token() -> Iterator[None]:
    """Ray keeps what it has once read of its token; other tests of this process have none, so it reads again."""
    from ray._private.authentication_test_utils import reset_auth_token_state

    with pytest.MonkeyPatch.context() as patch:
        for name, value in TOKEN.items():
            patch.setenv(name, value)
        patch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
        reset_auth_token_state()
        yield
    reset_auth_token_state()


def say(jobs: Jobs, name: str, code: str) -> str:
    jobs.client.submit_job(
        entrypoint=f"{sys.executable} -u -c '{code}'", submission_id=name, metadata={OURS: "run", "out": "s3://x"}
    )
    return name


def job_of(done: Ended) -> str:
    assert done.code == 0, done.out + done.err
    return done.out.split()[1].rstrip(",")


def workers_over_time(out: Path) -> list[tuple[float, float]]:
    """(start, end) of each trial's work, seconds since the epoch."""
    records = [json.loads(line) for line in (out / "study" / "trials.jsonl").read_text().splitlines()]
    spent = [record["train_s"] + record["val_s"] + record["setup_s"] for record in records]
    return [(record["ended_at"] - s, record["ended_at"]) for record, s in zip(records, spent, strict=True)]


def test_a_request_is_sent_followed_and_fetched(
    head: str, home: Path, shapes: Path, parse: Path, tmp_path: Path
) -> None:
    asked = ["which stuff", "--parse", parse, "--data", shapes, "--trials", 1, "--iterations", 20, "--batch", "4..8"]
    asked += ["--searcher", "tpe", "--out", f"file://{tmp_path}/storage"]
    job = job_of(autommlab_here("submit", *asked, "--address", head, "--detach", home=home))
    end = autommlab_here("logs", job, "--follow", "--address", head, home=home)
    assert end.code == 0, end.out + end.err
    listed = autommlab_here("jobs", "--address", head, home=home)
    assert job in listed.out, listed.out + listed.err
    fetched = autommlab_here("fetch", job, "--to", tmp_path / "mine", "--address", head, home=home)
    assert fetched.code == 0, fetched.err
    assert (tmp_path / "mine" / "report.html").exists()
    image = next((shapes / "test" / "sky").iterdir())
    predicted = autommlab_here("predict", tmp_path / "mine" / "bundle", image, "--json", "--out", tmp_path / "drawn")
    assert json.loads(predicted.out)["label"] in {"brick", "leaf", "sky"}, predicted.err


@pytest.mark.long
def test_two_requests_at_once_share_the_cluster(
    head: str, home: Path, shapes: Path, parse: Path, tmp_path: Path
) -> None:
    """One is sent by `autommlab submit`, one by `ray job submit`."""
    outs = [tmp_path / "storage" / name for name in ("one", "two")]
    asked = ["which stuff", "--parse", parse, "--data", shapes, "--trials", 2, "--searcher", "tpe", "--out"]
    ours = job_of(autommlab_here("submit", *asked, f"file://{outs[0]}", "--address", head, "--detach", home=home))
    line = [BIN / "ray", "job", "submit", "--address", head, "--", "autommlab", "run", *asked, f"file://{outs[1]}"]
    with subprocess.Popen([*map(str, line)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as rays:
        end = autommlab_here("logs", ours, "--follow", "--address", head, home=home)
        said = rays.communicate(timeout=1200)[0]
    assert (end.code, rays.returncode) == (0, 0), end.out + said
    assert "succeeded" in said
    first, second = (workers_over_time(out) for out in outs)
    assert len(first) == len(second) == 2
    assert min(start for start, _ in second) < max(end for _, end in first), "the second waited for the first"
    assert min(start for start, _ in first) < max(end for _, end in second), "the first waited for the second"


def test_a_job_that_fails_hands_its_exit_code_and_message_on(head: str, home: Path, tmp_path: Path) -> None:
    request = json.loads((EXAMPLES / "classify_animals.json").read_text())
    request["data"]["object"] = ["unicorn", "zeppelin"]
    (tmp_path / "parse.json").write_text(json.dumps(request))
    line = ["submit", "x", "--parse", tmp_path / "parse.json", "--out", tmp_path / "run", "--address", head]
    done = autommlab(home, *line)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "unicorn" in done.stdout
    nothing = autommlab_here("fetch", "no-such-job", "--address", head, home=home)
    assert nothing.code == 10
    assert "unknown job 'no-such-job'" in nothing.err


def test_a_dropped_connection_loses_and_repeats_no_line(head: str) -> None:
    proxy = DroppingProxy(urlsplit(head).port or 0)
    jobs = Jobs(f"http://127.0.0.1:{proxy.port}")
    job = say(jobs, "talker", "import time\nfor n in range(12): print(n); time.sleep(0.5)")
    shown: list[str] = []
    told: list[str] = []

    def show(text: str) -> None:
        shown.append(text)
        if "4" in text:
            assert proxy.drop()

    ended = follow(jobs, job, show, told.append)
    proxy.close()
    assert str(ended.status) == "SUCCEEDED"
    numbers = [int(line) for line in "".join(shown).splitlines() if line.strip().isdigit()]
    assert numbers == list(range(12))


def test_a_stopped_job_ends(head: str, home: Path) -> None:
    jobs = Jobs(head)
    job = say(jobs, "sleeper", "import time; time.sleep(300)")
    while str(jobs.find(job).status) == "PENDING":
        time.sleep(0.2)
    done = autommlab_here("stop", job, "--address", head, home=home)
    assert done.code == 0, done.err
    watched = autommlab_here("logs", job, "--follow", "--address", head, home=home)
    assert watched.code != 0
    assert "sleeper stopped" in watched.err
