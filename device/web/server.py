"""The one HTTP server: takes its ports at once, answers in a thread of its own."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

from device.errors import ConfigurationError
from device.settings.hosts import join_address
from device.settings.tree import Web
from device.web.guard import Application

BACKLOG = 128
CLOSE_WAIT_S = 5.0


def _nobody_waits() -> None:
    """The server has not begun, or has ended."""


class WebServer:
    """Listens from the start; answers once it has an application."""

    def __init__(self) -> None:
        self._sockets: list[tuple[socket.socket, ssl.SSLContext | None, int]] = []
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._wake: Callable[[], None] = _nobody_waits

    def listen(
        self, key: str, address: str, port: int, threads: int, tls: ssl.SSLContext | None = None
    ) -> int:
        """Takes a port; returns its number. Whoever connects waits for the application.

        Args:
            key: of the settings, for the message.
            address: IPv4 or IPv6; ``::`` stands for both.
            port: 0 for any that is free.
            threads: requests that are answered at the same time.
            tls: encrypts; None for plain HTTP.

        Raises:
            ConfigurationError: the port is taken, or the address is not this device's.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            listening = socket.create_server(
                (address, port), family=family, backlog=BACKLOG, dualstack_ipv6=address == "::"
            )
        except OSError as error:
            raise ConfigurationError(
                f"{key} = {port}: cannot listen on {address}: {os.strerror(error.errno or 0)}"
            ) from error
        self._sockets.append((listening, tls, threads))
        return int(listening.getsockname()[1])

    @property
    def ports(self) -> list[int]:
        """On which it listens."""
        return [int(listening.getsockname()[1]) for listening, *_ in self._sockets]

    def start(self, make_application: Callable[[], Application]) -> None:
        """Answers in a thread of its own, where the application is made too: its imports are slow."""
        self._thread = threading.Thread(
            target=self._run, args=(make_application,), name="web", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Ends it and gives the ports back; harmless when it has ended."""
        self._stop.set()
        wake, self._wake = self._wake, _nobody_waits
        with suppress(OSError):  # it has noticed by itself, and has just ended
            wake()
        if self._thread:
            self._thread.join(CLOSE_WAIT_S)
        for listening, *_ in self._sockets:
            listening.close()

    def _run(self, make_application: Callable[[], Application]) -> None:
        from device.web.connections import serve  # its library is slow to import

        def keep(wake: Callable[[], None]) -> None:
            self._wake = wake

        serve(make_application(), self._sockets, self._stop, keep)


def page_url(web: Web, port: int) -> str:
    """Where people find the page: under its first name, else its address.

    Args:
        web: the settings.
        port: that it listens on.
    """
    host = web.host_names.split(",")[0].strip() or web.address
    if host in ("0.0.0.0", "::"):
        own = socket.gethostname()
        host = own if "." in own else f"{own}.local"  # by mDNS, as on Raspberry Pi OS
    return f"{'https' if web.cert_file else 'http'}://{join_address(host, port)}/"


def url_for_others(web: Web) -> str:
    """The page as other machines reach it; empty where they cannot."""
    if not web.enabled or ipaddress.ip_address(web.address).is_loopback:
        return ""
    return page_url(web, web.port) if web.port else ""


def is_free(address: str, port: int) -> bool:
    """Whether somebody could listen there now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.create_server((address, port), family=family).close()
    except OSError:
        return False
    return True


def tls_context(web: Web) -> ssl.SSLContext | None:
    """What encrypts, with the user's certificate; None where there is none.

    Raises:
        ConfigurationError: certificate or key cannot be used.
    """
    if not web.cert_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An empty passphrase: OpenSSL would ask the terminal for that of an encrypted key.
        context.load_cert_chain(web.cert_file, web.key_file, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = _what_is_wrong(error) if isinstance(error, ssl.SSLError) else error
        reason = getattr(reason, "strerror", None) or reason
        raise ConfigurationError(
            f"web.cert_file = {web.cert_file!r}, {web.key_file!r}: cannot use it: {reason}"
        ) from error
    return context


def _what_is_wrong(error: ssl.SSLError) -> str:
    """Of a certificate and its key; OpenSSL itself says no more than ``PEM lib``."""
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    return "the first is no certificate in PEM, or the second no PEM key without a passphrase"
