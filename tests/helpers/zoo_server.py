"""A server of checkpoints that knows ranges, and can break off in the middle of a file."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class ZooServer:
    """What is served and what was asked.

    Attributes:
        url: without a slash at its end.
        files: path without the first slash -> content.
        asked: "METHOD /path range" of each request.
        breaks: bytes after which the next answers break off, one for each answer.
        ranges: whether ranges are answered as such.
    """

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.breaks: list[int] = []
        self.ranges = True

    def add(self, file: Path, folder: str = "") -> str:
        """Serve a file under a name that tells its hash, as the zoo does.

        Returns:
            Its path on the server.
        """
        content = file.read_bytes()
        path = f"{folder}{file.stem}-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        self.files[path] = content
        return path


@contextlib.contextmanager
def serving() -> Iterator[ZooServer]:
    """A server on a free port of this machine, for as long as the block lasts."""
    zoo = ZooServer()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._head()

        def do_GET(self) -> None:
            content = self._head()
            end = zoo.breaks.pop(0) if zoo.breaks else len(content)
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content[:end])

        def _head(self) -> bytes:
            asked = self.headers.get("Range", "")
            zoo.asked.append(f"{self.command} {self.path} {asked}".strip())
            content = zoo.files.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(404)
                return b""
            begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and zoo.ranges else 0
            if begin and begin >= len(content):
                self.send_error(416)
                return b""
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            return content[begin:]

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    zoo.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield zoo
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
