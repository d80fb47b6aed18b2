"""A server of the OpenAI API that misbehaves on demand, to inject faults; no model is in it.

While it works, it draws each answer evenly from the enumerations of the request's schema, by the
request's seed: enough to play searchers against it, nothing that stands in for a model.
"""

from __future__ import annotations

import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from serve.client import ServiceClient

FAULTS = ("works", "rubbish", "stall", "error", "refuses", "empty", "cut", "outside", "same")


class FaultServer:
    """Listens on a free port of loopback inside a `with` block.

    Attributes:
        fault: one of FAULTS; may be changed at any time.
        requests: bodies of the generation requests so far.
        calls: requests of every kind so far.
        delay_s: of every generation.
        answering: while clear, no generation is answered.
    """

    def __init__(self, fault: str = "works", *, delay_s: float = 0.0, stall_s: float = 30.0) -> None:
        self.fault, self.delay_s, self.stall_s = fault, delay_s, stall_s
        self.requests: list[dict[str, Any]] = []
        self.calls = 0
        self.answering, self._stop = threading.Event(), threading.Event()
        self.answering.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self, {"object": "list", "data": [_model("base"), _model("hpo")]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                time.sleep(outer.delay_s)
                outer.answering.wait()
                outer._answer(self, outer._completion(body))

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def client(self, timeout_s: float = 10.0) -> ServiceClient:
        return ServiceClient(self.url, timeout_s=timeout_s)

    def __enter__(self) -> FaultServer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, content: Any) -> None:
        self.calls += 1
        status, text = 200, json.dumps(content)
        if self.fault == "stall":
            self._stop.wait(self.stall_s)
        elif self.fault == "error":
            status, text = 500, json.dumps({"error": {"message": "the engine died"}})
        elif self.fault == "rubbish":
            text = "<html>welcome to another program</html>"
        elif self.fault == "refuses" and "choices" in content:
            status, text = 404, json.dumps({"error": {"message": "the adapter does not exist"}})
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.end_headers()
            handler.wfile.write(text.encode())
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has given up

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        schema = body["response_format"]["json_schema"]["schema"]
        samples = body.get("n", 1)
        seeds: list[int | str] = (
            [0] * samples if self.fault == "same" else [f"{body['seed']}/{n}" for n in range(samples)]
        )
        choices = [self._choice(number, schema, random.Random(seed)) for number, seed in enumerate(seeds)]
        usage = {"prompt_tokens": 100, "completion_tokens": 3 * samples, "total_tokens": 100 + 3 * samples}
        return {
            "id": "x", "object": "chat.completion", "created": 0, "model": body["model"],
            "choices": choices, "usage": usage,
        }  # fmt: skip

    def _choice(self, index: int, schema: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        text = json.dumps({name: rng.choice(entry["enum"]) for name, entry in schema["properties"].items()})
        text = {"empty": "", "cut": text[: len(text) // 2], "outside": '{"lr": 9000}'}.get(self.fault, text)
        logprob = {"token": "x", "logprob": -rng.random(), "bytes": None, "top_logprobs": []}
        return {
            "index": index,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "length" if self.fault == "cut" else "stop",
            "logprobs": {"content": [logprob] * 3, "refusal": None},
        }


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "tests"}
