"""A fake of Hugging Face's hub on loopback: as much of its HTTP interface as one upload and one download need.

It keeps files in memory and records every call, to see what would leave the machine; what the real hub accepts is
not shown by it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

_REPOSITORY = re.compile(r"/api/models/([^/]+/[^/]+)(?:/(\w+)/main)?")
_FILE = re.compile(r"/([^/]+/[^/]+)/resolve/\w+/(.+)")


@dataclass
class FakeHub:
    """What the fake holds and saw.

    Attributes:
        url: of the server.
        token: that may do all; another one may do nothing.
        repositories: name -> {path: content}.
        private: names of those that are hidden.
        calls: "METHOD PATH" of each request.
        fail: path of a call -> status that it is answered with.
    """

    url: str = ""
    token: str = "right"  # noqa: S105
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    fail: dict[str, int] = field(default_factory=dict)

    def sha(self, name: str) -> str:
        """A commit for the content of a repository."""
        return hashlib.sha1(repr(sorted(self.repositories[name].items())).encode(), usedforsecurity=False).hexdigest()


@contextlib.contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """The fake, while the block lasts."""
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        do_POST = do_HEAD = do_GET

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = unquote(urlsplit(self.path).path)
            hub.calls.append(f"{self.command} {path}")
            if path in hub.fail:
                self._send({"error": "as asked for"}, hub.fail[path])
            elif found := _FILE.fullmatch(path):
                self._file(found[1], found[2])
            elif self.headers.get("authorization") != f"Bearer {hub.token}":
                self._send({"error": "Invalid username or password."}, 401)
            elif path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                hub.repositories.setdefault(name, {".gitattributes": b""})
                hub.private |= {name} if asked.get("visibility") == "private" else set()
                self._send({"url": f"{hub.url}/{name}", "name": name, "id": name})
            elif found := _REPOSITORY.fullmatch(path):
                self._repository(found[1], found[2], body)
            else:
                self._send({}, 200 if path == "/api/validate-yaml" else 404)

        def _repository(self, name: str, doing: str | None, body: bytes) -> None:
            files = hub.repositories.get(name)
            if files is None:
                self._send({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            elif doing == "preupload":
                asked = [each["path"] for each in json.loads(body)["files"]]
                self._send({"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in asked]})
            elif doing == "commit":
                for line in map(json.loads, body.splitlines()):
                    value = line["value"]
                    if line["key"] == "file":
                        files[value["path"]] = base64.b64decode(value["content"])
                    elif line["key"] == "deletedFile":
                        del files[value["path"]]
                self._send({"commitUrl": f"{hub.url}/{name}/commit/{hub.sha(name)}", "commitOid": hub.sha(name)})
            elif doing == "tree":
                self._send([{"type": "file", "path": p, "size": len(c), "oid": "0" * 40} for p, c in files.items()])
            else:
                siblings = [{"rfilename": path} for path in files]
                told = {"id": name, "private": name in hub.private, "siblings": siblings, "sha": hub.sha(name)}
                self._send(told)

        def _file(self, name: str, path: str) -> None:
            content = hub.repositories.get(name, {}).get(path)
            if content is None:
                code = "EntryNotFound" if name in hub.repositories else "RepoNotFound"
                self._send({"error": "not here"}, 404, {"X-Error-Code": code})
                return
            tag = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            self._raw(content, 200, {"X-Repo-Commit": hub.sha(name), "ETag": f'"{tag}"'})

        def _send(self, told: Any, status: int = 200, more: dict[str, str] | None = None) -> None:
            self._raw(json.dumps(told).encode(), status, {"Content-Type": "application/json", **(more or {})})

        def _raw(self, content: bytes, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    return Handler
