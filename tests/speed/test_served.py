"""The benchmark of `serve-model`: its figures add up, and they land in its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autommlab.speed import served
from autommlab.speed.served import Rate, ServedResult, measure_served
from tests.helpers.program import autommlab_here
from tests.helpers.tiny_bundles import make_bundle, make_picture


def test_one_process_alone_is_timed(tmp_path: Path) -> None:
    bundle, picture = make_bundle(tmp_path / "bundle", "detection"), make_picture(tmp_path / "photo.png")
    found = served._alone(bundle, picture, 0.2)
    assert sum(found.taken) == pytest.approx(0.2, abs=0.15)
    assert 0 < found.cpu_s < 1
    rate = served._rate([0.01] * 90 + [0.05] * 10, seconds=2.0, cpu_s=0.5)
    assert (rate.per_second, rate.cpu_ms, rate.ratio) == (50, 5, 1)
    assert (rate.p50_ms, rate.p95_ms) == pytest.approx((10, 50))


def test_the_made_picture_is_a_photo_of_its_size(tmp_path: Path) -> None:
    width, height, size = served._shape(served._make_picture(tmp_path / "made.jpg"))
    assert (width, height) == served.PICTURE_SIZE
    assert 20_000 < size < 300_000


def _result(task: str, per_second: float) -> ServedResult:
    alone = Rate(per_second=10, p50_ms=1, p95_ms=2, cpu_ms=3)
    rate = Rate(replicas=2, threads=1, clients=8, per_second=per_second, p50_ms=4, p95_ms=5, cpu_ms=6, ratio=1.5)
    return ServedResult(
        model="tiny", task=task, engine="ncnn", input_size=(8, 8), picture=(640, 480, 70000), cores=2, alone=alone,
        drift=1.0, served=(rate,),
    )  # fmt: skip


def test_figures_are_told_and_kept_a_bundle_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [_result("detection", 15), _result("keypoint", 16), _result("detection", 17)]
    monkeypatch.setattr("autommlab.speed.served.measure_served", lambda *_, **__: results.pop(0))
    file = tmp_path / "figures.json"
    for _ in range(3):
        done = autommlab_here("bench", "serve-model", tmp_path, "--out", file)
        assert done.code == 0, done.err
    assert "service, 2 replica(s), batch 1,  8 client(s):    17.0 a second" in done.out
    assert "1.50 times" in done.out
    kept = [ServedResult.model_validate(line) for line in json.loads(file.read_text())]
    assert [(line.task, line.served[0].per_second) for line in kept] == [("keypoint", 16), ("detection", 17)]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_real_service_is_measured(tmp_path: Path) -> None:
    said: list[Any] = []
    bundle = make_bundle(tmp_path / "bundle", "classification")
    result = measure_served(bundle, replicas=[1], clients=[1, 2], batches=[1, 2], seconds=1.0, tell=said.append)
    assert [(rate.replicas, rate.batch, rate.clients) for rate in result.served] == [
        (1, 1, 1), (1, 1, 2), (1, 2, 1), (1, 2, 2),
    ]  # fmt: skip
    for rate in result.served:
        assert rate.per_second > 1
        assert rate.ratio == pytest.approx(rate.per_second / result.alone.per_second)
        assert rate.cpu_ms > result.alone.cpu_ms
    assert said[0] == "one process alone"
