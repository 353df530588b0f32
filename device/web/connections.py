"""Connections: waitress, with fewer, shorter and if so set encrypted ones.

waitress reads all connections in one thread, so a slow one holds no thread of the pool. But it
keeps any that sends a byte now and then, stops listening when it has too many, and lets a thread
wait for ever for a browser that asks and does not read. The channels here give each request and
each answer a time, and the newest connections room.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.wasyncore import loop

from device.web.guard import Application

MOST_CONNECTIONS = 48
READ_WITHIN_S = 10.0  # a whole request, and the pause between two
SEND_WITHIN_S = 15.0  # until a browser has taken all that was said to it
POLL_S = 1.0
CLOSE_WAIT_S = 3.0
LIMITS = {
    "connection_limit": MOST_CONNECTIONS * 4,  # never reached: the channel sees to it
    "channel_timeout": int(READ_WITHIN_S),
    "cleanup_interval": 2,
    "max_request_header_size": 16 << 10,
    "max_request_body_size": 8 << 10,
    "outbuf_high_watermark": 128 << 10,  # whoever is so far behind does not read
    "log_socket_errors": False,
    "clear_untrusted_proxy_headers": False,  # nothing here believes them
    "ident": "",
}


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection whose request must be complete in time, and which gives way to newer ones."""

    def __init__(self, server: Any, *others: Any, **named: Any) -> None:
        self._begun_s = self._taken_s = time.monotonic()
        super().__init__(server, *others, **named)
        idle = [c for c in server.active_channels.values() if not c.requests]
        if len(server.active_channels) > MOST_CONNECTIONS and idle:
            idle[0].will_close = True

    def received(self, data: bytes) -> Any:
        """Takes what has arrived; the time runs from a request's first byte."""
        now_s = time.monotonic()
        if self.request is None:
            self._begun_s = now_s
        if now_s - self._begun_s > READ_WITHIN_S:
            self.will_close = True
            return False
        return super().received(data)

    def end_if_over(self, now_s: float) -> None:
        """Closes it where that was decided, or what was said is not taken; no poll tells of it."""
        if not self.total_outbufs_len:
            self._taken_s = now_s
        if self.will_close or now_s - self._taken_s > SEND_WITHIN_S:
            self.handle_close()

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Breaks off where waitress would have the thread wait."""
        most = self.adj.outbuf_high_watermark
        if self.total_outbufs_len > most:
            self._flush_exception(self._flush_some, do_close=False)
            if self.total_outbufs_len > most:
                self.will_close, self.connected = True, False  # who writes sees that it is over
                self.server.pull_trigger()


class TlsChannel(Channel):
    """The same, encrypted. The pool's threads write while the server's reads: one at a time."""

    def __init__(self, *others: Any, **named: Any) -> None:
        self._turn = threading.Lock()
        self._arrived = b""
        super().__init__(*others, **named)

    def handle_read(self) -> None:
        """Reads to the end of what is decrypted already, which no poll would tell of."""
        is_more = True
        while is_more:
            try:
                with self._turn:
                    self._arrived = self.socket.recv(self.adj.recv_bytes)
                    is_more = self.socket.pending() > 0
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                self._arrived = b""
            if not self._arrived:
                self.handle_close()
                return
            super().handle_read()

    def recv(self, buffer_size: int) -> bytes:
        """What ``handle_read`` has read."""
        return self._arrived

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Bytes sent; 0 where nothing can be sent yet."""
        try:
            with self._turn:
                return int(self.socket.send(data))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError:
            if do_close:
                self.handle_close()
            else:
                self.will_close = True
            return 0


def serve(
    application: Application,
    take_new: Callable[[], Iterable[tuple[socket.socket, ssl.SSLContext | None, int]]],
    stop: threading.Event,
    tell: Callable[[Callable[[], None]], None],
    retry_s: float,
) -> None:
    """Answers until ``stop`` is set and the loop is woken.

    Args:
        application: answers requests.
        take_new: sockets that listen and are not served yet, each with what encrypts there (None:
            nothing) and its threads.
        stop: ends it.
        tell: is given what wakes the loop.
        retry_s: how often new sockets are asked for.
    """
    logging.getLogger("waitress").setLevel(logging.WARNING)  # browsers come and go
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # and wait for each other
    connections: dict[int, Any] = {}
    servers: list[Any] = []
    due_s = time.monotonic()
    while not stop.is_set():
        if time.monotonic() >= due_s:
            servers += [_serve_on(application, connections, *new) for new in take_new()]
            due_s = time.monotonic() + retry_s
            if servers:
                tell(servers[0].pull_trigger)
        if not servers:
            stop.wait(min(POLL_S, retry_s))
            continue
        loop(timeout=POLL_S, use_poll=True, map=connections, count=1)
        for connection in list(connections.values()):
            if isinstance(connection, Channel):
                connection.end_if_over(time.monotonic())
    for server in servers:
        server.task_dispatcher.shutdown(timeout=CLOSE_WAIT_S)
    for connection in list(connections.values()):
        connection.close()


def _serve_on(
    application: Application,
    connections: dict[int, Any],
    listening: socket.socket,
    tls: ssl.SSLContext | None,
    threads: int,
) -> Any:
    """Answers on one socket, as soon as the loop runs."""
    server = create_server(
        application,
        map=connections,
        sockets=[listening],
        threads=threads,
        url_scheme="https" if tls else "http",
        **LIMITS,
    )
    server.channel_class = _encrypt(tls) if tls else Channel
    return server


def _encrypt(tls: ssl.SSLContext) -> Callable[..., None]:
    """What makes a channel of a connection that has just come."""

    def connect(server: Any, sock: socket.socket, *others: Any, **named: Any) -> None:
        sock.setblocking(False)
        try:
            wrapped = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError):  # gone already; waitress would stop to listen
            sock.close()
            return
        TlsChannel(server, wrapped, *others, **named)

    return connect
