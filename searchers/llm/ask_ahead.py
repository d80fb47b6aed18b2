"""A request that is being answered while trials run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from searchers.llm.asking import Reply, Request


class AskAhead:
    """One request and, unless it was unpickled or restored, the thread that waits for its answer.

    The thread is a daemon: a study that ends does not wait for an answer nobody needs. What is
    asked depends on the request alone, so a copy without the thread asks again and gets the same.

    Args:
        request: what is asked.
        ask: answers it; must not raise.
    """

    def __init__(self, request: Request, ask: Callable[[], Reply]) -> None:
        self.request = request
        self._ask = ask
        self._thread: threading.Thread | None = None
        self._replies: list[Reply] = []

    def start(self) -> AskAhead:
        """Begin in the background."""
        self._thread = threading.Thread(target=self._run, name="ask-ahead", daemon=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        self._replies.append(self._ask())

    def reply(self, patience_s: float) -> Reply:
        """The answer, waited for at most `patience_s`, or asked for now if no thread is at it."""
        if self._thread is None:
            return self._ask()
        started = time.monotonic()
        self._thread.join(patience_s)
        if self._replies:
            return self._replies[0]
        return Reply(failure=f"service too slow: no answer after another {time.monotonic() - started:.0f} s")

    def finished(self) -> Reply | None:
        """The answer if it is already there."""
        return self._replies[0] if self._replies else None

    def __getstate__(self) -> dict[str, Any]:
        """Without the thread and what it found."""
        return {**self.__dict__, "_thread": None, "_replies": []}
