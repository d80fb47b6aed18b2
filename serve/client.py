"""The client of the LLM service: chat completions with a JSON schema, several samples a call.

It speaks the OpenAI API through OpenAI's own library, so that it also works with any other
server of that API. Retries are the caller's business: a searcher and a person at a terminal
have different patience.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from autommlab.common.storage import shown_uri
from serve.errors import ServiceNonsense, ServiceRefused, ServiceSettingsError, ServiceTimeout, ServiceUnreachable
from serve.settings import KEY_VARIABLE, service_folder
from serve.state import service_key

if TYPE_CHECKING:
    from openai import OpenAI

#: {"role": "system" | "user" | "assistant", "content": text}
Message = Mapping[str, str]

DEFAULT_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Sampling:
    """How texts are drawn.

    Attributes:
        samples: how many texts, at least 1; more than one needs `temperature` above 0.
        temperature: 0 takes the most likely token each time.
        top_p: share of the probability that may be drawn from.
        seed: of all draws of the call.
        max_tokens: longest text.
    """

    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    max_tokens: int = 512


GREEDY = Sampling()


@dataclass(frozen=True)
class Generation:
    """One generated text.

    Attributes:
        text: what was generated.
        logprob: sum of the log-probabilities of its tokens in nats, None if the server gives none.
        tokens: how many were generated.
        complete: it ended by itself; False if `max_tokens` cut it off.
    """

    text: str
    logprob: float | None
    tokens: int
    complete: bool


@dataclass(frozen=True)
class Answer:
    """All samples of one call.

    Attributes:
        samples: in the server's order, not ranked.
        model: the adapter or base model that answered.
        prompt_tokens: tokens of the prompt, counted once.
        seconds: from sending to the complete answer.
    """

    samples: tuple[Generation, ...]
    model: str
    prompt_tokens: int
    seconds: float

    @property
    def tokens(self) -> int:
        """Tokens generated in all samples."""
        return sum(sample.tokens for sample in self.samples)


@dataclass(frozen=True)
class Load:
    """Requests at the replica that was asked: being answered, and in its queue."""

    running: int
    waiting: int


def known_key(url: str) -> str | None:
    """The key for the service at this address: AUTOMMLAB_LLM_KEY, else that of our own service if it is there."""
    return os.environ.get(KEY_VARIABLE) or service_key(url.rstrip("/").removesuffix("/v1"), service_folder())


class ServiceClient:
    """A connection to one service; can be shared by threads, and pickled, but a pickle holds no key.

    Args:
        url: base address, with or without "/v1"; without a secret, for it is shown and stored.
        api_key: what the service asks for, if anything.
        timeout_s: longest wait for a complete answer.

    Raises:
        ServiceSettingsError: a secret in the address; the text does not repeat it.
    """

    def __init__(self, url: str, *, api_key: str | None = None, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        if shown_uri(url) != url:
            raise ServiceSettingsError(
                f"the address of the LLM service, {shown_uri(url)}, carries a secret, and an address is shown and "
                f"stored. Give the service's key in {KEY_VARIABLE} instead, and change the secret"
            )
        self.url = url.rstrip("/").removesuffix("/v1")
        self.api_key = api_key
        self.timeout_s = timeout_s
        self._connection: OpenAI | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the open connection and the key: Ray Tune pickles searchers into files."""
        return {**self.__dict__, "_connection": None, "api_key": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The key is that of the environment (AUTOMMLAB_LLM_KEY), or of our own service's state file."""
        self.__dict__.update(state, api_key=known_key(state["url"]))

    def models(self, *, timeout_s: float | None = None) -> tuple[str, ...]:
        """Names that `chat` takes: the base model, then its adapters.

        Raises:
            ServiceError: see the classes in `serve.errors`.
        """
        return tuple(entry.id for entry in self._listed(timeout_s))

    def adapters(self) -> dict[str, str]:
        """Adapters by name, with the folder that each is read from on the service's machine.

        Raises:
            ServiceError: see the classes in `serve.errors`.
        """
        return {entry.id: str(getattr(entry, "root", "")) for entry in self._listed() if getattr(entry, "parent", None)}

    def add_adapter(self, name: str, folder: Path) -> None:
        """Serve a LoRA adapter from now on, in place of the one of that name if there is one.

        Args:
            name: what `chat` takes as `model`.
            folder: as PEFT writes it, on the service's machine.

        Raises:
            ServiceError: see the classes in `serve.errors`.
        """
        body = {"lora_name": name, "lora_path": str(folder.absolute()), "load_inplace": True}
        self._call(lambda api: self._timed(api).post("/load_lora_adapter", body=body, cast_to=str))

    def remove_adapter(self, name: str) -> None:
        """Serve an adapter no more; answers under way are finished.

        Raises:
            ServiceError: see the classes in `serve.errors`.
        """
        self._call(lambda api: self._timed(api).post("/unload_lora_adapter", body={"lora_name": name}, cast_to=str))

    def load(self) -> Load:
        """How busy the service is, from vLLM's own metrics.

        Raises:
            ServiceError: see the classes in `serve.errors`; a server without these metrics talks nonsense.
        """
        from prometheus_client.parser import text_string_to_metric_families

        text = self._call(lambda api: self._timed(api).with_options(base_url=self.url).get("/metrics", cast_to=str))
        found = {"vllm:num_requests_running": 0.0, "vllm:num_requests_waiting": 0.0}
        try:
            samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        except ValueError:
            samples = []
        if not any(sample.name in found for sample in samples):
            raise ServiceNonsense(f"{self.url}/metrics tells nothing of vLLM")
        for sample in samples:
            if sample.name in found:
                found[sample.name] += sample.value
        running, waiting = (round(value) for value in found.values())
        return Load(running, waiting)

    def chat(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        schema: dict[str, Any] | None = None,
        sampling: Sampling = GREEDY,
        timeout_s: float | None = None,
    ) -> Answer:
        """Generate in one batch.

        Args:
            messages: the conversation; the prompt is made with the model's own chat template.
            model: adapter or base model, one of `models()`.
            schema: JSON schema; each complete sample's text is then valid by construction.
            sampling: how many, and how they are drawn.
            timeout_s: None = the client's.

        Raises:
            ServiceError: see the classes in `serve.errors`.
        """
        # Any: the library's types tell roles apart, ours leave them to the server.
        said: Any = [dict(message) for message in messages]
        shape: dict[str, Any] = {}
        if schema is not None:
            shape["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        started = time.monotonic()
        given = self._call(
            lambda api: self._timed(api, timeout_s).chat.completions.create(
                model=model, messages=said, logprobs=True,
                n=sampling.samples, temperature=sampling.temperature, top_p=sampling.top_p, seed=sampling.seed,
                max_tokens=sampling.max_tokens, **shape,
            )
        )  # fmt: skip
        return _answer(given, sampling.samples, self.url, time.monotonic() - started)

    def _listed(self, timeout_s: float | None = None) -> list[Any]:
        listed = self._call(lambda api: self._timed(api, timeout_s).models.list())
        try:
            entries = list(listed.data)
        except (AttributeError, TypeError) as error:
            raise self._no_models(listed) from error
        if not all(isinstance(getattr(entry, "id", None), str) for entry in entries):
            raise self._no_models(listed)
        return entries

    def _no_models(self, answered: Any) -> ServiceNonsense:
        return ServiceNonsense(f"{self.url} answered {str(answered)[:200]!r} instead of a list of models")

    def _require_address(self) -> None:
        """Refuse what the library would raise errors of another library for."""
        try:
            _ = urlsplit(self.url).port
        except ValueError as error:
            raise ServiceUnreachable(f"{self.url} is no address: {error}") from error

    def _timed(self, api: OpenAI, timeout_s: float | None = None) -> OpenAI:
        return api.with_options(timeout=timeout_s or self.timeout_s)

    def _call(self, ask: Any) -> Any:
        import openai

        self._require_address()
        try:
            if self._connection is None:
                # The library insists on a key; one that asks for none ignores it.
                key = self.api_key or "none"
                self._connection = openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)
            return ask(self._connection)
        except openai.APITimeoutError as error:
            raise ServiceTimeout(f"{self.url} gave no answer in time") from error
        except openai.APIConnectionError as error:
            cause = f": {error.__cause__}" if error.__cause__ else ""
            raise ServiceUnreachable(f"{self.url} cannot be reached{cause}") from error
        except openai.APIStatusError as error:
            raise ServiceRefused(f"{self.url} refused ({error.status_code}): {error.message[:500]}") from error
        except (openai.APIError, ValueError, AttributeError, TypeError) as error:
            raise ServiceNonsense(f"{self.url} does not speak the OpenAI API: {error}") from error


def _answer(given: Any, samples: int, url: str, seconds: float) -> Answer:
    try:
        texts = tuple(
            Generation(
                text=choice.message.content,
                logprob=sum(token.logprob for token in choice.logprobs.content) if choice.logprobs else None,
                tokens=len(choice.logprobs.content) if choice.logprobs else 0,
                complete=choice.finish_reason == "stop",
            )
            for choice in given.choices
        )
        answer = Answer(texts, given.model, given.usage.prompt_tokens, seconds)
    except (AttributeError, TypeError) as error:
        raise ServiceNonsense(f"{url} answered {str(given)[:200]!r} instead of a chat completion") from error
    if len(texts) != samples or not all(isinstance(sample.text, str) for sample in texts):
        raise ServiceNonsense(f"{url} answered with {len(texts)} texts, asked for {samples}: {str(given)[:200]!r}")
    return answer
