"""The planning stage: look at the machine, then decide."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from autommlab import settings
from autommlab.analysis.limits import reserved_seconds
from autommlab.cfg_options import read_option
from autommlab.data.records import Bag
from autommlab.models.limits import Limit, broken, limits_of_profile, limits_of_request, measured_figures
from autommlab.models.recipe import default_configuration
from autommlab.models.records import Measured, ModelChoice
from autommlab.options import RunOptions
from autommlab.planning.again import Earlier
from autommlab.planning.circumstances import Circumstances
from autommlab.planning.decide import decide
from autommlab.planning.measure import Costs, measure_costs
from autommlab.planning.records import Plan, SearchFidelity, Size, SizeCost, TimeBudget, size_words
from autommlab.planning.run_time import trials_fixed
from autommlab.planning.sizes import candidate_sizes, cost_at, pixels, within_limits
from autommlab.progress.events import Events
from autommlab.settings import Profile
from autommlab.training.runner_config import TrialSetup
from autommlab.training.search_space import search_space
from autommlab.understanding.request import Engine, ModelRequest

#: Seconds of the program's own start and of the report.
_START_AND_REPORT_S = 8.0
#: Seconds to export and convert a model, without comparing it with PyTorch.
_EXPORT_S = 15.0
#: Test pictures that the exported model is compared on, once with PyTorch and once with the engine.
_COMPARED = 2 * 100
#: Calibration and conversion of a small model; pictures of val that decide, by the float and the first INT8 model.
_INT8_S = 10.0
_INT8_VAL = 200
#: Seconds until a language model answers that has to be started.
_SERVICE_START_S = 75.0
#: A size whose training would take so many times the whole time is the last one that is measured.
_HOPELESS = 3


Measure = Callable[[TrialSetup, Sequence[Size], float], Costs]


@dataclass(frozen=True, slots=True)
class Machine:
    """What trainings can have.

    Attributes:
        slots: trials at once.
        cpus, gpus: for trainings side by side.
        measure: what training costs there, with the CPUs of a trial.
        together: the same with all CPUs; None where a training cannot have them.
    """

    slots: int
    cpus: float
    gpus: float = 0.0
    measure: Measure = measure_costs
    together: Measure | None = None


@dataclass(frozen=True, slots=True)
class TimeOfRun:
    """The time that a plan divides.

    Attributes:
        asked_s: of the whole run.
        spent: seconds of it until now.
        earlier: what was done by an earlier plan.
    """

    asked_s: float
    spent: Callable[[], float]
    earlier: Earlier | None = None


def make_plan(
    options: RunOptions,
    request: ModelRequest,
    bag: Bag,
    choice: ModelChoice,
    *,
    time: TimeOfRun,
    machine: Machine,
    events: Events,
) -> Plan:
    """A plan for the rest of a run's time.

    Args:
        options, request, bag, choice: of the run.
        time: of the whole run.
        machine: that trains.
        events: told what is measured.
    """
    profile, fixed = options.budget, options.fixed(bag.task)
    limits = (*limits_of_request(request), *(() if _named(options, request) else limits_of_profile(profile)))
    sizes = (fixed.input_size,) if fixed.input_size else _sizes(profile, bag, choice, limits)
    kept = _kept(time.earlier)
    default = default_configuration(choice.entry, space=search_space(profile.tasks[bag.task]))
    setup = TrialSetup(
        bag=bag,
        choice=choice,
        reports=1,
        seed=options.seed,
        acceleration=profile.acceleration,
        cfg_options=options.cfg_options,
    )
    events.emit("progress", "plan", f"measuring a few steps at {' and '.join(map(size_words, _tried(sizes)))}")
    here = Circumstances(
        task=bag.task,
        images=tuple(bag.splits[split].images for split in ("train", "val", "test")),  # type: ignore[arg-type]
        pretrained=choice.pretrained.kind != "none",
        budget=profile.tasks[bag.task],
        sizes=sizes,
        costs=(),
        iterations_fixed=fixed.iterations is not None,
        trials=profile.trials,
        trials_fixed=trials_fixed(options),
        slots=options.concurrent or machine.slots,
        cpus=machine.cpus,
        gpus=machine.gpus,
        speedup=1.0,
        measured=choice.measured,
        time=TimeBudget(asked_s=time.asked_s, spent_s=0, reserved_s={}),
        default_batch=int(default["batch_size"]),
        kept=kept,
        done=time.earlier.trials if time.earlier else 0,
        no_refit=_why_no_refit(options, request, choice),
    )
    dearest = _HOPELESS * time.asked_s / here.enough
    costs = machine.measure(setup, _tried(sizes), dearest)
    if costs.failed:
        events.emit("note", "plan", f"no size from {size_words(costs.failed)} on: {costs.why}")
        here = replace(here, sizes=tuple(size for size in sizes if pixels(size) < pixels(costs.failed)))
    here = replace(here, costs=costs.measured, speedup=_speedup(machine, setup, costs.measured[-1]))
    while True:
        plan = decide(_with_time(here, time, options, request.deploy.inference_engine))
        chosen = plan.full
        if chosen is None or chosen.input_size == choice.measured.input_size:
            return plan
        measured = _measured(choice, bag, chosen.input_size, options)
        if not broken(limits, measured_figures(measured)):
            return plan.model_copy(update={"full": chosen.model_copy(update={"measured": measured})})
        here = replace(here, sizes=tuple(size for size in here.sizes if size != chosen.input_size))


def _speedup(machine: Machine, setup: TrialSetup, cost: SizeCost) -> float:
    """How much faster a training is with all CPUs, measured at the largest size that was measured without."""
    if machine.together is None:
        return 1.0
    (faster,) = machine.together(setup, (cost.input_size,), math.inf).measured
    return cost.train_s / faster.train_s


def _named(options: RunOptions, request: ModelRequest) -> bool:
    return options.model is not None or request.model.specific_model.lower() != "none"


def _sizes(profile: Profile, bag: Bag, choice: ModelChoice, limits: tuple[Limit, ...]) -> tuple[Size, ...]:
    """From the profile's input size up to that of GPUs, as far as the request's limits allow."""
    smallest = profile.tasks[bag.task].input_size
    largest = settings.profile("gpu").tasks[bag.task].input_size
    found = candidate_sizes(smallest, max(smallest, largest), bag)
    return tuple(size for size in found if size == smallest or within_limits(size, choice.measured, limits))


def _tried(sizes: tuple[Size, ...]) -> tuple[Size, ...]:
    """The smallest, a middle one and the largest."""
    return tuple(dict.fromkeys((sizes[0], sizes[len(sizes) // 2], sizes[-1])))


def _kept(earlier: Earlier | None) -> SearchFidelity | None:
    """The search whose trials count."""
    if earlier is None or earlier.plan.search is None or not earlier.trials:
        return None
    return earlier.plan.search.model_copy(update={"before_s": earlier.searched_s})


def _with_time(here: Circumstances, run: TimeOfRun, options: RunOptions, engine: Engine) -> Circumstances:
    """With the time as it stands, and what TEST and export would take at the largest size that is likely."""
    slowdown = statistics.median(cost.slowdown for cost in here.costs)
    time = TimeBudget(asked_s=run.asked_s, spent_s=run.spent(), reserved_s={}, slowdown=slowdown)
    size = here.sizes[0]
    for _ in range(2):  # the size depends on the time, and what is reserved on the size
        val_s = cost_at(size, here.costs).val_s
        reserved = {
            "export and verification": _EXPORT_S * slowdown + min(_COMPARED, 2 * here.images[2]) * val_s,
            "TEST": here.images[2] * val_s,
            "figures by class": reserved_seconds(here.images[2], val_s) * slowdown,
            "start and report": _START_AND_REPORT_S * slowdown,
        }
        if options.quantize == settings.Quantize.ALWAYS and engine not in settings.NO_INT8:
            compared = 2 * min(_INT8_VAL, here.images[1]) + min(_COMPARED, 2 * here.images[2])
            reserved["INT8"] = _INT8_S * slowdown + compared * val_s
        service_s = _SERVICE_START_S * slowdown if _starts_service(options) else 0.0
        time = time.model_copy(update={"reserved_s": reserved, "service_s": service_s})
        full = decide(replace(here, time=time)).full
        size = full.input_size if full else size
    return replace(here, time=time)


def _why_no_refit(options: RunOptions, request: ModelRequest, choice: ModelChoice) -> str | None:
    """Why val stays out of the final training whatever the data, "" where nobody wants it in; None = it need not."""
    policy, alone = options.quantize_policy, "The delivered model is trained on train alone"
    if options.refit == settings.Refit.NEVER:
        return ""
    if options.workers_per_trial > 1:
        return f"{alone}: trainings of several workers (--workers-per-trial) are not repeated over folds."
    if request.deploy.inference_engine in settings.NO_INT8:
        return None
    longest_ms = request.model.speed.ms_per_image()
    slow = longest_ms is not None and choice.measured.ms_per_image > longest_ms
    if policy.when is settings.Quantize.ALWAYS or (policy.when is settings.Quantize.AUTO and slow):
        return f"{alone}: an INT8 model may be made, and val has to tell what it loses (--quantize never makes none)."
    return None


def _starts_service(options: RunOptions) -> bool:
    import searchers
    from serve.lifecycle import find_service

    return options.searches and searchers.needs_service(options.searcher) and find_service() is None


def _measured(choice: ModelChoice, bag: Bag, size: Size, options: RunOptions) -> Measured:
    from autommlab.models.measure import measure

    return measure(choice.entry, bag, size, options=[read_option(text) for text in options.cfg_options])
