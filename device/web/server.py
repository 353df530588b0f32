"""The one HTTP server: takes its ports at once, answers in a thread of its own."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

from device.certificates import explain_certificate, load_certificate
from device.errors import ConfigurationError, MienError
from device.files import may_pass
from device.settings.hosts import join_address
from device.settings.tree import Web
from device.web.guard import Application

log = logging.getLogger("mien")

BACKLOG = 128
CLOSE_WAIT_S = 5.0
RETRY_S = 5.0  # between two tries for a port
PASSES = {  # what may be over by itself, in words
    errno.EADDRINUSE: os.strerror(errno.EADDRINUSE),
    errno.EADDRNOTAVAIL: "not an address of this device now",
}


def _nobody_waits() -> None:
    """The server has not begun, or has ended."""


class WebServer:
    """Listens from the start; answers once it has an application.

    What may pass by itself does not end the appliance: an address that comes later (DHCP after a
    power cut) and a port that another program has are tried again.

    Args:
        retry_s: between two tries.
    """

    def __init__(self, retry_s: float = RETRY_S) -> None:
        self._retry_s = retry_s
        self._sockets: list[tuple[socket.socket, ssl.SSLContext | None, int]] = []
        self._num_served = 0  # of them
        self._later: list[tuple[str, str, int, int, ssl.SSLContext | None]] = []
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._wake: Callable[[], None] = _nobody_waits

    def listen(
        self, key: str, address: str, port: int, threads: int, tls: ssl.SSLContext | None = None
    ) -> int:
        """Takes a port, or does so later; returns its number.

        Whoever connects waits for the application.

        Args:
            key: of the settings, for the message.
            address: IPv4 or IPv6; ``::`` stands for both.
            port: 0 for any that is free.
            threads: requests that are answered at the same time.
            tls: encrypts; None for plain HTTP.

        Raises:
            ConfigurationError: this program may not have the port, now or later.
        """
        try:
            listening = _bind(address, port)
        except OSError as error:
            if error.errno not in PASSES:
                reason = os.strerror(error.errno or 0)
                raise ConfigurationError(
                    f"{key} = {port}: cannot listen on {address}: {reason}"
                ) from error
            reason = PASSES[error.errno]
            log.warning(
                "%s = %d: cannot listen on %s: %s; trying again", key, port, address, reason
            )
            self._later.append((key, address, port, threads, tls))
            return port
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

        serve(make_application(), self._take_new, self._stop, keep, self._retry_s)

    def _take_new(self) -> list[tuple[socket.socket, ssl.SSLContext | None, int]]:
        """What listens and is not served yet; tries again for the rest."""
        later, self._later = self._later, []
        for key, address, port, threads, tls in later:
            try:
                self._sockets.append((_bind(address, port), tls, threads))
                log.info("%s = %d: listening on %s now", key, port, address)
            except OSError:
                self._later.append((key, address, port, threads, tls))
        new = self._sockets[self._num_served :]
        self._num_served = len(self._sockets)
        return new


def _bind(address: str, port: int) -> socket.socket:
    """Listens; OSError where the port is taken, not for this program, or the address not ours."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server(
        (address, port), family=family, backlog=BACKLOG, dualstack_ipv6=address == "::"
    )


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
    try:
        _bind(address, port).close()
    except OSError:
        return False
    return True


def tls_context(web: Web) -> ssl.SSLContext | None:
    """What encrypts, with the user's certificate; None where there is none.

    Raises:
        ConfigurationError: certificate or key cannot be used.
        MienError: nor can they now, but perhaps soon: they are being renewed, or the disk fails.
    """
    if not web.cert_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        load_certificate(context, web.cert_file, web.key_file)
    except (OSError, ValueError) as error:
        files = f"web.cert_file = {web.cert_file!r}, {web.key_file!r}"
        problem = f"{files}: cannot use it: {explain_certificate(error)}"
        raise (MienError if may_pass(error) else ConfigurationError)(problem) from error
    return context
