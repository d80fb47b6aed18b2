"""Variants of HPO-LLaMA that only a benchmark asks for: what does each of its parts add?

- `hpo-llama-likely`: 4 candidates, the one tried first that the model finds likeliest; without the transfer surrogate.
- `hpo-llama-untuned`: the embedded base model without the adapter `hpo`; with the transfer surrogate.
"""

from __future__ import annotations

from typing import Any

from searchers import StudyContext, StudySettings, names, register
from searchers.llm.hpo_llama import HpoLlama, service_client
from searchers.settings import LlmOptions, llm_options
from searchers.space import SearchSpace
from serve.client import ServiceClient
from serve.settings import EMBEDDED_MODEL

ABLATIONS = {
    "hpo-llama-likely": LlmOptions(samples=4, rank_by="likelihood"),
    "hpo-llama-untuned": LlmOptions(adapter=EMBEDDED_MODEL),
}


class _Variant:
    """Makes HPO-LLaMA with other options; see `searchers.registry.Factory`."""

    needs_service = True

    def __init__(self, name: str, options: LlmOptions) -> None:
        self._name, self._options = name, options

    def __call__(
        self,
        space: SearchSpace,
        study: StudySettings,
        /,
        *,
        context: StudyContext | None = None,
        service: str | ServiceClient | None = None,
        **options: Any,
    ) -> HpoLlama:
        varied = llm_options(self._name, {**self._options.model_dump(exclude_unset=True), **options})
        client = service_client(self._name, service, varied.timeout_s)
        return HpoLlama(space, study, client=client, context=context, options=varied, name=self._name)


def register_ablations() -> None:
    """Make them known to this process as searchers; once is enough."""
    for name, options in ABLATIONS.items():
        if name not in names():
            register(name, _Variant(name, options))
