"""What a request must be before it reaches vLLM: an allowed route and host, the key, and no more than its share.

vLLM guards only paths that begin with /v1 and comes with dozens of others, a full completion among them
(`/invocations`); new versions bring more. So everything is refused but the routes listed here.
"""

from __future__ import annotations

import json
from typing import Any

from autommlab.common.ports import LOOPBACK
from serve.door import Door, Message, Receive, Refused, Route, Send, Terms
from serve.settings import ServiceSettings

_CHAT = ("POST", "/v1/chat/completions")
#: Everything that the service answers, and all of it but `_OPEN` with the key only.
ROUTES = frozenset(
    {
        _CHAT,
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("GET", "/v1/models"),
        ("POST", "/v1/load_lora_adapter"),
        ("POST", "/v1/unload_lora_adapter"),
    }
)
#: For whoever watches the service: tells that it lives, and nothing else.
_OPEN = ("GET", "/health")
#: Fields of a chat request whose cost `max_sequences` does not bound: an answer for each token of the prompt, and
#: a search that keeps several texts for each one asked for.
REFUSED_FIELDS = ("prompt_logprobs", "use_beam_search")


class Gate(Door):
    """ASGI app around vLLM's that sees only requests that are let in.

    Args:
        app: gets them.
        settings: key, hosts and bounds.
    """

    def __init__(self, app: Any, settings: ServiceSettings) -> None:
        terms = Terms(
            key=settings.api_key,
            hosts=frozenset({*LOOPBACK, settings.host, *settings.allowed_hosts}),
            most_bytes=int(settings.max_body_mb * 2**20),
            most_at_once=settings.client_requests,
            wrong_host="name it in allowed_hosts of the settings",
        )
        super().__init__(app, terms)

    def is_open(self, route: Route) -> bool:
        """Only what tells that the service lives."""
        return route == _OPEN

    def check_route(self, route: Route) -> None:
        """Let the listed ones pass."""
        if route not in ROUTES:
            raise Refused(404, f"no such route; there are {', '.join(sorted(path for _, path in ROUTES))}")

    async def pass_on(self, scope: Message, body: bytes, receive: Receive, send: Send) -> None:
        """Look into a body that is to be JSON, then pass it on."""
        route = (str(scope["method"]), str(scope["path"]))
        if route[0] == "POST":
            _check_body(body, chat=route == _CHAT)
        await super().pass_on(scope, body, receive, send)


def _check_body(body: bytes, *, chat: bool) -> None:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body is not valid JSON") from error
    if not isinstance(asked, dict):
        raise Refused(400, "the body is not a JSON object")
    for field in REFUSED_FIELDS if chat else ():
        if asked.get(field):
            raise Refused(400, f"{field} is not served here: it would take the service from all others")
