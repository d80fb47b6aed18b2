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
    checks = [_metric(study, wanted, verification) for wanted in request.model.metrics]
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


def _metric(study: StudyResult, wanted: Metric, check: Verification) -> LimitCheck:
    figure = measured_metric(study.task, wanted.name)
    if figure is None or figure.name not in study.test_metrics:
        return LimitCheck(name=wanted.name, wanted=_bound(wanted.value), got="not measured", holds=None)
    bound = _bound(wanted.value, at_least=figure.higher_is_better)
    # TEST was measured with the trained model. What INT8 changes is known of the study's own figure alone.
    if check.precision == "int8" and figure.name != check.metric:
        got = f"{study.test_metrics[figure.name]:.3f} on test by the float model; not measured for INT8"
        return LimitCheck(name=wanted.name, wanted=bound, got=got, holds=None)
    change = check.bundle_metric - check.torch_metric if check.precision == "int8" else 0.0
    value = study.test_metrics[figure.name] + change
    interval = study.test_intervals.get(figure.name)
    if interval is not None:  # of the trained model
        interval = interval.model_copy(update={"low": interval.low + change, "high": interval.high + change})
    of_int8 = f", of which INT8 changes {change:+.3f} on {check.images} images" if check.precision == "int8" else ""
    return LimitCheck(
        name=wanted.name,
        wanted=bound,
        got=f"{value:.3f} on test ({figure.name}{of_int8}" + (f", 95 % interval {interval})" if interval else ")"),
        holds=value >= wanted.value if figure.higher_is_better else value <= wanted.value,
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
