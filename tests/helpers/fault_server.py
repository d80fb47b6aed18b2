"""A server that does one wrong thing on purpose, to see what the client makes of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def fault_server(body: bytes = b"", *, status: int = 200, stall_s: float = 0, hang_up: bool = False) -> Iterator[str]:
    """Its address.

    Args:
        body: what it answers to everything.
        status: of HTTP.
        stall_s: silence before the answer; ends when the server does.
        hang_up: close the connection without a word.
    """
    ended = threading.Event()

    class Fault(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            ended.wait(stall_s)
            if hang_up:
                self.close_connection = True
                return
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fault)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
