"""All options of a run looked at before anything starts; every problem is told, not only the first."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence

from autommlab import settings
from autommlab.budget import READERS
from autommlab.cfg_options import read_option, why_not_set
from autommlab.common.errors import AutoMMLabError, ModelError, RequestError, unknown
from autommlab.options import RunOptions
from autommlab.planning.run_time import asked_seconds
from autommlab.tasks import Task
from autommlab.trackers.targets import Target, require_usable, targets_of
from autommlab.understanding.request import Device, Engine, ModelPart, ModelRequest
from autommlab.understanding.text import clean


def check_options(
    options: RunOptions,
    address: str | None = None,
    problems: Sequence[AutoMMLabError] = (),
    searchers: Sequence[str] = (),
) -> None:
    """Refuse what cannot work.

    Args:
        options: of a run.
        address: of the Ray cluster that was named, if one was.
        problems: what is known to be wrong already.
        searchers: those that share the searcher's options, in a comparison; none = the run's.

    Raises:
        AutoMMLabError: the only problem, or a RequestError that lists all of them.
    """
    checks: tuple[Callable[[], object], ...] = (
        lambda: _request(options),
        lambda: _data(options),
        lambda: _model(options),
        lambda: _weights(options),
        lambda: _address(address),
        *(functools.partial(require_usable, target) for target in _targets(options)),
    )
    looked_at = (found for check in checks for found in _problems(check))
    all_problems = [
        *problems,
        *_names(options),
        *_searcher_options(options, searchers),
        *_numbers(options, timed=not searchers),
        *_bounds(options),
        *_overrides(options),
        *_quantize(options),
        *_problems(lambda: targets_of(options.track, options.optuna_storage)),
        *looked_at,
    ]
    if not all_problems and not options.searches and asked_seconds(options) is None:
        words = "--trials 0 trains the default configuration for a time, and there is none: say --time MINUTES"
        all_problems = [RequestError(words)]
    if len(all_problems) == 1:
        raise all_problems[0]
    if all_problems:
        told = "\n".join(f"  {problem}" for problem in all_problems)
        raise RequestError(f"the options have {len(all_problems)} problems:\n{told}")


def _problems(check: Callable[[], object]) -> list[AutoMMLabError]:
    try:
        check()
    except AutoMMLabError as error:
        return [error]
    return []


def _names(options: RunOptions) -> Iterator[AutoMMLabError]:
    import searchers
    from searchers.tune import schedulers

    known: tuple[tuple[str, str | None, Sequence[str]], ...] = (
        ("profile", options.profile, list(settings.PROFILES)),
        ("searcher", options.searcher, searchers.names()),
        ("scheduler", options.scheduler, schedulers.scheduler_names()),
        ("task", options.task, list(Task)),
        ("engine", options.engine, [engine for engine in Engine if engine is not Engine.NONE]),
        ("device", options.device, [device for device in Device if device is not Device.NONE]),
        ("value of --quantize", options.quantize, list(settings.Quantize)),
        ("value of --refit", options.refit, list(settings.Refit)),
    )
    for what, name, allowed in known:
        if name is not None and name not in allowed:
            yield RequestError(unknown(what, name, allowed))


def _searcher_options(options: RunOptions, searchers: Sequence[str]) -> Iterator[AutoMMLabError]:
    from searchers import names, read_options, require_options

    try:
        if searchers:
            require_options(searchers, options.searcher_options)
        elif options.searcher in names():
            read_options(options.searcher, options.searcher_options)
    except AutoMMLabError as error:
        yield RequestError(f"--searcher-option: {error}")


def _numbers(options: RunOptions, *, timed: bool) -> Iterator[AutoMMLabError]:
    least = 0 if timed else 1
    limits: tuple[tuple[str, float | None, bool, str], ...] = (
        ("trials", options.trials, (options.trials or 0) >= least, f"a whole number, {least} or more"),
        ("time", options.time_min, _above_zero(options.time_min), "minutes above 0"),
        ("concurrent", options.concurrent, options.concurrent >= 0, "a whole number; 0 = as many as fit"),
        ("cpus-per-trial", options.cpus_per_trial, _above_zero(options.cpus_per_trial), "a number above 0"),
        ("gpus-per-trial", options.gpus_per_trial, _from_zero(options.gpus_per_trial), "0 or more"),
        ("workers-per-trial", options.workers_per_trial, options.workers_per_trial >= 1, "a whole number, 1 or more"),
        ("quantize-loss", options.quantize_loss, 0 <= options.quantize_loss <= 1, "a fraction from 0 to 1"),
        (
            "seed",
            options.seed,
            0 <= options.seed <= settings.LARGEST_SEED,
            f"a whole number from 0 to {settings.LARGEST_SEED}",
        ),
    )
    for name, value, fits, allowed in limits:
        if value is not None and not fits:
            yield RequestError(f"--{name} is {value}; it takes {allowed}")


def _bounds(options: RunOptions) -> Iterator[AutoMMLabError]:
    names = {"batch_size": "batch"}
    for field, read in READERS.items():
        text = getattr(options, field)
        try:
            if text is not None:
                read(text)
        except ValueError as error:
            yield RequestError(f"--{names.get(field, field).replace('_', '-')} is {text!r}; {error}")


def _overrides(options: RunOptions) -> Iterator[AutoMMLabError]:
    for text in options.cfg_options:
        try:
            option = read_option(text)
        except ValueError as error:
            yield RequestError(f"--cfg-options {text[:80]!r}: {error}")
            continue
        if reason := why_not_set(option):
            yield RequestError(f"--cfg-options {option.key} is not to be set: {reason}")


def _quantize(options: RunOptions) -> Iterator[AutoMMLabError]:
    """INT8 that was asked for in so many words, and an engine that has none."""
    named = next((engine for engine in settings.NO_INT8 if options.engine == engine), None)
    if named is not None and options.quantize == settings.Quantize.ALWAYS:
        yield RequestError(
            f"--quantize always does not go with --engine {named}: {settings.NO_INT8[named]}. Take "
            "--engine onnxruntime or openvino, or --quantize never"
        )


def _above_zero(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def _from_zero(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value >= 0


def _request(options: RunOptions) -> None:
    if options.parse is not None:
        ModelRequest.read(options.parse)
    else:
        clean(options.text)


def _data(options: RunOptions) -> None:
    if options.data is not None:
        from autommlab.data.bag_choice import require_known

        require_known(options.data)


def _model(options: RunOptions) -> None:
    """The model that will be trained is one of the zoo, and for the task where that is known already."""
    from autommlab.models.names import require_known_model

    parsed: ModelPart | None = None
    if options.parse is not None:
        with contextlib.suppress(RequestError):  # `_request` tells of it
            parsed = ModelRequest.read(options.parse).model
    task = Task(options.task) if options.task in list(Task) else parsed.task if parsed else None
    if options.model is not None:
        require_known_model(options.model, task)
    elif parsed and parsed.specific_model.lower() != "none" and task is parsed.task:
        require_known_model(parsed.specific_model, task)


def _weights(options: RunOptions) -> None:
    if options.weights is not None and not options.weights.is_file():
        raise ModelError(
            f"the weights file {options.weights} does not exist. Give the path of a PyTorch checkpoint (.pth)."
        )


def _targets(options: RunOptions) -> tuple[Target, ...]:
    """The trackers, if they are named as they should be."""
    with contextlib.suppress(RequestError):
        return targets_of(options.track, options.optuna_storage)
    return ()


def _address(address: str | None) -> None:
    if address:
        from autommlab.common.ray_address import require_ray

        require_ray(address)
