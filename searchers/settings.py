"""The one place of this package's defaults that concern the LLM; light to import.

Environment: `AUTOMMLAB_LLM_URL` and `AUTOMMLAB_LLM_KEY` (serve.settings) name the LLM service for searchers that were
given none; `AUTOMMLAB_TRIAL_HISTORY` is the file of past trials for searchers that were given none.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autommlab.common.errors import SearcherError, invalid, unknown

HISTORY_VARIABLE = "AUTOMMLAB_TRIAL_HISTORY"

#: Configurations closer than this in every parameter (fractions of its range) count as the same trial again.
NEAR = 0.02
#: Name of the adapter, alone or with a fact of the context behind it: "hpo-detection".
ADAPTER = "hpo"


class LlmOptions(BaseModel):
    """How an LLM is asked for proposals.

    Attributes:
        adapter: model name to ask for; None = the service's best match: "hpo-" and a fact of the
            context, "hpo", or its base model.
        samples: candidates a call, drawn in one batch; at least one and a half for each trial that runs.
        rank_by: which candidate is tried first: the one of which trials of earlier studies let one expect most (see
            `fit_surrogate`; by likelihood if no earlier study is like this one), or the model's likeliest.
        fresh: with trials side by side, wait for an answer that knows all results of the last proposal.
        temperatures: of the first call and of each retry.
        timeout_s: longest wait for one call.
        patience_s: longest wait for one proposal, retries included.
        probe_every_s: how often a service that was down is tried again.
        probe_timeout_s: longest wait for such a try.
        prompt_chars: longest prompt in characters; about three make a token.
        history_best, history_last: results in the prompt: the best ones and the latest ones.
        trial_history: file of past trials, for the order of candidates and for fallbacks; None =
            AUTOMMLAB_TRIAL_HISTORY, without it this package's for the order, and random configurations as fallbacks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    adapter: str | None = None
    samples: int = Field(default=12, ge=1, le=64)
    rank_by: Literal["past trials", "likelihood"] = "past trials"
    fresh: bool = False
    temperatures: tuple[float, ...] = Field(default=(0.8, 1.1, 1.4), min_length=1)
    timeout_s: float = Field(default=60.0, gt=0)
    patience_s: float = Field(default=90.0, gt=0)
    probe_every_s: float = Field(default=30.0, ge=0)
    probe_timeout_s: float = Field(default=3.0, gt=0)
    prompt_chars: int = Field(default=2400, ge=800)
    history_best: int = Field(default=4, ge=1)
    history_last: int = Field(default=4, ge=1)
    trial_history: str | None = None


def llm_options(name: str, given: dict[str, object], *others: str) -> LlmOptions:
    """Checked options of the searcher `name`.

    Args:
        name: of the searcher, for the message.
        given: option -> value.
        *others: options that the searcher takes besides, for the message.

    Raises:
        SearcherError: an option that does not exist, or a value that is not allowed.
    """
    for option in given:
        if option not in LlmOptions.model_fields:
            known = sorted([*LlmOptions.model_fields, *others])
            raise SearcherError(unknown(f"option of searcher {name!r}", option, known))
    try:
        return LlmOptions.model_validate(given)
    except ValidationError as error:
        raise SearcherError(f"options of searcher {name!r}: {invalid(error)}") from error
