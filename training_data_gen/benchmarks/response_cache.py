"""Answers of the LLM in `bench hpo`: each question is asked once and kept for later benchmarks.

A study whose first trials are known must hear the same answers again to go on from there. Another machine generates
them slowly, and not always the same: other processors round otherwise. With the answers kept beside the trainings, a
benchmark with more trials, seeds or searchers goes on where another machine stopped, and anybody can repeat a study.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict

from autommlab.common.errors import DataError
from autommlab.common.keyed_lines import KeyedFile, read_keyed
from serve.client import GREEDY, Answer, Message, Sampling, ServiceClient

_NOUN = "answer"


class CachedAnswer(BaseModel):
    """What the LLM said to a question.

    Attributes:
        key: of the question.
        answer: as it came, with the seconds that it took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    answer: Answer


class ResponseCache:
    """All answers of a benchmark. Used by many threads at once.

    Args:
        file: grows with each new one; read if it exists.
        known: answers of other benchmarks.

    Raises:
        DataError: a line that is no answer.
    """

    def __init__(self, file: Path, known: Sequence[CachedAnswer] = ()) -> None:
        self._file = KeyedFile(file, CachedAnswer, _NOUN)
        self._known = {one.key: one.answer for one in (*known, *self._file.records.values())}
        self._asking: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: str, ask: Callable[[], Answer]) -> Answer:
        """The answer to a question, asked once even if several studies come with it at the same time.

        Raises:
            StorageError: the file cannot be written.
            Exception: what `ask` raises; it is asked again the next time.
        """
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            if key not in self._known:
                answer = ask()
                with self._lock:
                    self._file.add([CachedAnswer(key=key, answer=answer)])
                self._known[key] = answer
            return self._known[key]


class CachingClient(ServiceClient):
    """A client that asks the service only what is not known.

    A question is decided by the model, the messages, the schema and the sampling. An adapter counts by the name of its
    folder, in which our service puts a digest of its weights; behind another service, put a new one into a new folder.

    Args:
        service: who is asked.
        answers: what is known, and grows.
    """

    def __init__(self, service: ServiceClient, answers: ResponseCache) -> None:
        super().__init__(service.url, api_key=service.api_key, timeout_s=service.timeout_s)
        self._answers = answers
        self._identities: dict[str, str] = {}

    def chat(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        schema: dict[str, Any] | None = None,
        sampling: Sampling = GREEDY,
        timeout_s: float | None = None,
    ) -> Answer:
        """See `ServiceClient.chat`; a known answer tells the seconds that it once took."""
        asked = [self._identity(model), [dict(message) for message in messages], schema, dataclasses.asdict(sampling)]
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:20]
        ask = super().chat
        return self._answers.get(
            key, lambda: ask(messages, model=model, schema=schema, sampling=sampling, timeout_s=timeout_s)
        )

    def _identity(self, model: str) -> str:
        if model not in self._identities:
            self._identities[model] = PurePosixPath(self.adapters().get(model, model)).name
        return self._identities[model]


def read_answers(path: Path) -> list[CachedAnswer]:
    """All answers of a file (`answers.jsonl`, also compressed).

    Raises:
        DataError: no such file, or a line that is no answer.
    """
    try:
        return read_keyed(path, CachedAnswer, _NOUN)
    except OSError as error:
        raise DataError(f"the answers {path} cannot be read: {error}. `bench hpo` writes answers.jsonl") from error
