"""A fault injected on purpose: a TCP relay whose connections can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading


class DroppingProxy:
    """Relays to a port of this machine until `drop`; new connections work again at once.

    Args:
        port: where to.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def drop(self) -> int:
        """Cut all connections; how many there were."""
        cut, self._open = self._open, []
        for side in cut:
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        return len(cut)

    def close(self) -> None:
        self._server.close()
        self.drop()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_relay, args=(source, sink), daemon=True).start()


def _relay(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for side in (source, sink):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
