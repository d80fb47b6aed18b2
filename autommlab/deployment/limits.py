"""The request's own limits held against measured figures."""

from __future__ import annotations

from autommlab.deployment.records import LimitCheck, Verification
from autommlab.models.records import ModelChoice
from autommlab.tasks import measured_metric
from autommlab.training.records import StudyResult
from autommlab.understanding.request import Device, Engine, Metric, ModelRequest


def check_limits(
    request: ModelRequest,
    choice: ModelChoice,
    study: StudyResult,
    verification: Verification,
    *,
    engine: Engine,
    device: Device,
) -> tuple[LimitCheck, ...]:
    """One check for each demand that the request makes; none for what it leaves open.

    Args:
        engine, device: what was delivered.
    """
    checks = [_metric(study, wanted) for wanted in request.model.metrics]
    part, measured = request.model, choice.measured
    if (millions := part.parameters.millions()) is not None:
        checks.append(_at_most("parameters", measured.params_m, millions, "M"))
    if (giga := part.flops.giga()) is not None:
        checks.append(_at_most("flops", measured.flops_g, giga, "GFLOPs"))
    if (longest := part.speed.ms_per_image()) is not None:
        checks.append(_speed(verification, longest, device))
    if request.deploy.gpu is not Device.NONE:
        checks.append(_same("device", request.deploy.gpu.value, device.value))
    if request.deploy.inference_engine is not Engine.NONE:
        checks.append(_same("inference engine", request.deploy.inference_engine.value, engine.value))
    return tuple(checks)


def _metric(study: StudyResult, wanted: Metric) -> LimitCheck:
    figure = measured_metric(study.task, wanted.name)
    if figure is None or figure.name not in study.test_metrics:
        return LimitCheck(name=wanted.name, wanted=_bound(wanted.value), got="not measured", holds=None)
    value = study.test_metrics[figure.name]
    holds = value >= wanted.value if figure.higher_is_better else value <= wanted.value
    interval = study.test_intervals.get(figure.name)
    return LimitCheck(
        name=wanted.name,
        wanted=_bound(wanted.value, at_least=figure.higher_is_better),
        got=f"{value:.3f} on test ({figure.name}" + (f", 95 % interval {interval})" if interval else ")"),
        holds=holds,
        unsure=interval is not None and interval.low <= wanted.value <= interval.high,
    )


def _bound(value: float, *, at_least: bool = True) -> str:
    return f"at {'least' if at_least else 'most'} {value:g}"


def _at_most(name: str, value: float, limit: float, unit: str) -> LimitCheck:
    return LimitCheck(name=name, wanted=f"at most {limit:g} {unit}", got=f"{value:.3g} {unit}", holds=value <= limit)


def _speed(verification: Verification, longest_ms: float, device: Device) -> LimitCheck:
    got = verification.p50_ms
    return LimitCheck(
        name="speed",
        wanted=f"at most {longest_ms:.4g} ms an image ({1e3 / longest_ms:.4g} fps)",
        got=f"{got:.2f} ms an image ({1e3 / max(got, 1e-6):.4g} fps), median of the engine on this {device.value}",
        holds=got <= longest_ms,
    )


def _same(name: str, wanted: str, got: str) -> LimitCheck:
    return LimitCheck(name=name, wanted=wanted, got=got, holds=wanted == got)
