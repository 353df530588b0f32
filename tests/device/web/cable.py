"""The way to a device whose power can fail: nothing is said to whoever is connected."""

from __future__ import annotations

import select
import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closes with RST


class Cable:
    """A TCP proxy.

    While the power is off, nothing is forwarded, accepted or closed. Afterwards the device does not
    know the connections from before: it answers RST, but only to one that sends something.

    Args:
        port: of the server, on loopback.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._power, self._starts = threading.Event(), 1
        self._power.set()
        self._sockets: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept)
        self._forwarding: list[threading.Thread] = []

    def __enter__(self) -> Cable:
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._power.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join()  # first: then no socket is added any more
        for each in self._sockets:
            with suppress(OSError):  # it has ended by itself
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._forwarding:
            thread.join()
        for each in (self._listening, *self._sockets):
            each.close()

    def power_off(self) -> None:
        """From now on nothing arrives."""
        self._power.clear()

    def power_on(self) -> None:
        """The device has started again."""
        self._starts += 1
        self._power.set()

    def _accept(self) -> None:
        with suppress(OSError):  # the end
            while True:
                browser, _ = self._listening.accept()
                self._sockets.append(browser)
                self._power.wait()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._sockets.append(server)
                for ends in ((browser, server), (server, browser)):
                    thread = threading.Thread(target=self._forward, args=(*ends, self._starts))
                    self._forwarding.append(thread)
                    thread.start()

    def _forward(self, source: socket.socket, sink: socket.socket, start: int) -> None:
        with suppress(OSError):  # one of both has gone
            while True:
                select.select([source], [], [])
                self._power.wait()
                if self._starts != start:
                    source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    source.close()
                    return
                if not (data := source.recv(65536)):
                    sink.shutdown(socket.SHUT_RDWR)
                    return
                sink.sendall(data)
