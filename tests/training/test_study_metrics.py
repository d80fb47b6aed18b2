"""The figures of a study at a real Ray's Prometheus endpoint, and the Grafana dashboard that reads them."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from autommlab.training import study_metrics
from autommlab.training.records import Hyperparameters, TrialRecord

DASHBOARD = Path(study_metrics.__file__).parents[1] / "cluster_files" / "grafana.json"
POINT = {"iterations": 9, "batch_size": 4, "optimizer": "SGD", "lr": 1e-3, "weight_decay": 0, "lr_schedule": "StepLR"}
ASKED = {"seconds": 2.0, "prompt_tokens": 300, "tokens": 30, "fallback": "service too slow: no answer within 30 s"}
RECORD = TrialRecord(
    number=1, trial_id="a", hyperparameters=Hyperparameters.model_validate(POINT), score=0.5, status="ok",
    proposed_by="hpo-llama:fallback", proposal=ASKED, train_s=4, val_s=1,
)  # fmt: skip
#: As a request in German or Chinese names its folder; Ray's own tags are ASCII only.
RUN = "20261130-erkenne-hunde-für-画"
#: Counts a trial in a Ray of its own and prints what the endpoint says once it says it.
_SCRAPE = """
import sys, time, urllib.request
from autommlab.common.private_ray import prepare_ray_environment, start_private_ray
prepare_ray_environment()
from autommlab.training.records import TrialRecord
from autommlab.training.study_metrics import StudyMetrics
record, port, run = TrialRecord.model_validate_json(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
start_private_ray(num_cpus=1, _metrics_export_port=port)
StudyMetrics(run).add(record, 0.5)
StudyMetrics(run).add(record, 0.75)
deadline, text = time.monotonic() + 150, ""
while "autommlab_trials" not in text and time.monotonic() < deadline:
    time.sleep(1)
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    except OSError:
        pass
print(text)
"""


@pytest.fixture(scope="module")
def scraped() -> dict[tuple[str, str], float]:
    """(name, the tag that is not the run's) -> value."""
    from prometheus_client.parser import text_string_to_metric_families

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [sys.executable, "-c", _SCRAPE, RECORD.model_dump_json(), str(port), RUN]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = {}
    for family in text_string_to_metric_families(done.stdout):
        for sample in family.samples:
            if "autommlab" in sample.name:
                assert sample.labels["run"] == study_metrics.tag(RUN)
                tag = next((sample.labels[name] for name in ("status", "kind", "reason") if name in sample.labels), "")
                found[sample.name, tag] = sample.value
    return found


@pytest.mark.slow
def test_a_real_endpoint_shows_what_happened(scraped: dict[tuple[str, str], float]) -> None:
    assert scraped["ray_autommlab_trials_total", "ok"] == 2
    assert scraped["ray_autommlab_trial_seconds_total", ""] == 10
    assert scraped["ray_autommlab_best_score", ""] == 0.75
    assert scraped["ray_autommlab_llm_tokens_total", "prompt"] == 600
    assert scraped["ray_autommlab_llm_tokens_total", "generated"] == 60
    assert scraped["ray_autommlab_llm_seconds_count", ""] == 2
    assert scraped["ray_autommlab_llm_fallbacks_total", "service too slow"] == 2


@pytest.mark.slow
def test_the_dashboard_asks_for_exactly_what_is_there(scraped: dict[tuple[str, str], float]) -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = set(re.findall(r"ray_autommlab_\w+", " ".join(t["expr"] for panel in panels for t in panel["targets"])))
    shown = {name for name, _ in scraped}
    assert asked <= shown
    parts = re.compile(r"_(bucket|count|sum)$")
    assert {parts.sub("", name) for name in asked} == {parts.sub("", name) for name in shown}, "one is on no panel"


@pytest.mark.parametrize("text", ["cats", "für", "画", "a\u2028b", "\udcff", ""])
def test_any_text_becomes_a_tag(text: str) -> None:
    assert study_metrics.tag(text).isascii()
    assert study_metrics.tag("cats") == "cats"


def test_a_failure_is_told_once_and_reaches_nobody() -> None:
    told: list[str] = []
    metrics = study_metrics.StudyMetrics("cats", told.append)
    metrics._metrics = object()  # type: ignore[assignment]
    metrics.add(RECORD, 0.5)
    metrics.add(RECORD, 0.5)
    assert len(told) == 1
    assert "figures for Prometheus end here: AttributeError" in told[0]


def test_without_ray_nothing_happens() -> None:
    import ray

    assert not ray.is_initialized()
    study_metrics.StudyMetrics("cats").add(RECORD, 0.5)
