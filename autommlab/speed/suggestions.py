"""Do slots wait for the LLM? And how many suggestions a second does the service give, against plain transformers?"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from autommlab import settings
from autommlab.common.private_ray import prepare_ray_environment, start_private_ray, stop_private_ray
from autommlab.common.trial_status import SCORE
from autommlab.tasks import Task
from autommlab.training.search_space import search_space
from autommlab.training.tune_settings import quiet_tune
from searchers import create
from searchers.context import StudyContext
from searchers.llm.answer_schema import proposal_schema
from searchers.llm.prompt import proposal_messages
from searchers.space import SearchSpace
from serve.client import Sampling

if TYPE_CHECKING:
    from serve.lifecycle import ServiceAddress

ASKERS = (1, 4, 16)
CONTEXT = StudyContext(
    facts={"task": "classification", "model": "EfficientNet-Lite0", "params M": 3.38, "classes": 4, "train images": 640}
)
_MAX_TOKENS = 96


class SlotUse(BaseModel):
    """How the slots of one study spent their time.

    Attributes:
        waiting: fraction of the slots' time between the end of one trial and the start of the next one.
        longest_s: longest such pause.
        fallbacks: trials that the searcher's fallback proposed.
    """

    model_config = ConfigDict(frozen=True)

    searcher: str
    trials: int
    waiting: float
    longest_s: float
    fallbacks: int


class SuggestionResult(BaseModel):
    """Figures of one run of the benchmark.

    Attributes:
        slots, trial_s: trials at once, and how long each sleeps.
        use: per searcher; "random" shows what Ray Tune itself takes between two trials.
        per_second: number of concurrent askers -> suggestions a second of the service.
        transformers_per_second: the same prompt by `transformers` alone, one after the other.
    """

    model_config = ConfigDict(frozen=True)

    slots: int
    trial_s: float
    use: tuple[SlotUse, ...]
    model: str
    per_second: dict[int, float]
    transformers_per_second: float | None


def measure_suggestions(
    address: ServiceAddress,
    base: Path | None,
    *,
    searchers: tuple[str, ...] = ("random", "hpo-llama", "llm+grid"),
    slots: int = 4,
    trials: int = 16,
    trial_s: float = 10.0,
    tell: Callable[[str], None] = lambda _: None,
) -> SuggestionResult:
    """Measure against a running service; trials only sleep.

    Args:
        address: of the service.
        base: folder of the service's base model, for the comparison; None leaves it out.
        searchers: compared on slot use.
        slots, trials, trial_s: of each study.
        tell: told what is being measured.
    """
    space = search_space(settings.profile("laptop").tasks[Task.CLASSIFICATION])
    per_second = {}
    for askers in ASKERS:
        tell(f"{askers} askers at once")
        per_second[askers] = _service_rate(address, space, askers)
    plain = None
    if base is not None:
        tell("transformers alone")
        plain = _transformers_rate(base, space)
    use = []
    for name in searchers:
        tell(f"{trials} sleeping trials by {name}")
        use.append(_slot_use(name, address, space, slots, trials, trial_s))
    return SuggestionResult(
        slots=slots, trial_s=trial_s, use=tuple(use), model=address.models[0],
        per_second=per_second, transformers_per_second=plain,
    )  # fmt: skip


def pauses(reports: list[dict[str, Any]]) -> tuple[float, float]:
    """(fraction of the slots' time between trials, longest pause in seconds) from began/ended/worker of each trial."""
    by_worker: dict[int, list[dict[str, Any]]] = {}
    for report in sorted(reports, key=lambda r: r["began"]):
        by_worker.setdefault(report["worker"], []).append(report)
    gaps, spans = [], 0.0
    for own in by_worker.values():
        gaps += [after["began"] - before["ended"] for before, after in itertools.pairwise(own)]
        spans += own[-1]["began"] - own[0]["began"]
    return (sum(gaps) / spans if spans else 0.0), max(gaps, default=0.0)


def _slot_use(
    name: str, address: ServiceAddress, space: SearchSpace, slots: int, trials: int, trial_s: float
) -> SlotUse:
    prepare_ray_environment()
    quiet_tune()
    from ray import tune

    from autommlab.speed.sleeping_trial import SleepingTrial
    from autommlab.training.study_log import Silent

    start_private_ray(num_cpus=slots)
    try:
        searcher: Any = create(name, space, metric=SCORE, seed=0, context=CONTEXT, service=address.client())
        with tempfile.TemporaryDirectory(prefix="autommlab-bench-") as folder:
            done = tune.run(
                tune.with_parameters(SleepingTrial, seconds=trial_s),
                name="bench",
                storage_path=folder,
                search_alg=searcher,
                num_samples=trials,
                max_concurrent_trials=slots,
                resources_per_trial={"cpu": 1},
                reuse_actors=True,
                verbose=0,
                progress_reporter=Silent(),
            )
            reports = [trial.last_result for trial in done.trials]
    finally:
        stop_private_ray()
    waiting, longest = pauses(reports)
    fallbacks = searcher.usage()["fallbacks"] if hasattr(searcher, "usage") else 0
    return SlotUse(searcher=name, trials=trials, waiting=waiting, longest_s=longest, fallbacks=fallbacks)


def _service_rate(address: ServiceAddress, space: SearchSpace, askers: int) -> float:
    """Schema-constrained suggestions a second with so many asking at once, after one to warm up."""
    client, schema = address.client(timeout_s=300), proposal_schema(space)
    messages = proposal_messages(CONTEXT, space, [])

    def ask(seed: int) -> None:
        sampling = Sampling(temperature=1.0, seed=seed, max_tokens=_MAX_TOKENS)
        client.chat(messages, model=address.models[0], schema=schema, sampling=sampling)

    ask(0)
    asked = max(8, 2 * askers)
    started = time.monotonic()
    with ThreadPoolExecutor(askers) as pool:
        list(pool.map(ask, range(1, asked + 1)))
    return asked / (time.monotonic() - started)


def _transformers_rate(base: Path, space: SearchSpace, asked: int = 4) -> float:
    """Answers a second by `generate`, one after the other, each as long as the service's may be."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    messages = proposal_messages(CONTEXT, space, [])
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    length = len(tokenizer('{"iterations":60,"batch_size":16,"optimizer":"AdamW","lr":1.0e-3}')["input_ids"])

    def generate() -> None:
        with torch.no_grad():
            model.generate(**inputs, min_new_tokens=length, max_new_tokens=length, do_sample=True)

    generate()
    started = time.monotonic()
    for _ in range(asked):
        generate()
    return asked / (time.monotonic() - started)
