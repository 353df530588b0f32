"""How to reach the broker: address, credentials, TLS, pace; and in one line why it failed."""

from __future__ import annotations

import random
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from device.certificates import explain_certificate, load_certificate, require_pem
from device.errors import ConfigurationError, MienError
from device.files import may_pass, read_file
from device.settings.hosts import join_address
from device.settings.tree import Mqtt

PLAIN_PORT, TLS_PORT = 1883, 8883
MAX_PASSWORD_BYTES = 4096
ACK_WITHIN_S = 20.0


@dataclass(frozen=True)
class BrokerAccess:
    """Everything a connection needs.

    Attributes:
        host: name or address.
        port: TCP port.
        client_id: unique at the broker.
        protocol: ``auto``, ``5`` or ``3.1.1``.
        tls: None for plain text.
        ack_within_s: a broker that takes longer to acknowledge is taken for broken.
    """

    host: str
    port: int
    client_id: str
    protocol: str = "auto"
    username: str = ""
    password: str = ""
    keepalive_s: int = 30
    tls: ssl.SSLContext | None = None
    ack_within_s: float = ACK_WITHIN_S

    def __str__(self) -> str:
        """``broker.local:1883``, for messages."""
        return join_address(self.host, self.port)


def broker_port(mqtt: Mqtt) -> int:
    """The configured port, else the usual one with TLS or without."""
    return mqtt.port or (TLS_PORT if mqtt.tls else PLAIN_PORT)


def broker_access(mqtt: Mqtt, device_id: str) -> BrokerAccess:
    """Access to the configured broker.

    Raises:
        ConfigurationError: a password, certificate or key file cannot be used.
        MienError: nor can it now, but perhaps soon: it is being renewed, or the disk fails.
    """
    return BrokerAccess(
        host=mqtt.host,
        port=broker_port(mqtt),
        client_id=mqtt.client_id or f"mien-{device_id}",
        protocol=mqtt.protocol,
        username=mqtt.username,
        password=_password(mqtt),
        keepalive_s=mqtt.keepalive_s,
        tls=_tls_context(mqtt) if mqtt.tls else None,
    )


def embedded_access(port: int, device_id: str) -> BrokerAccess:
    """Access to the demo's own broker, which speaks 3.1.1 on loopback."""
    return BrokerAccess("127.0.0.1", port, f"mien-{device_id}", protocol="3.1.1")


def _password(mqtt: Mqtt) -> str:
    if not mqtt.password_file:
        return mqtt.password
    try:
        content = read_file(Path(mqtt.password_file), MAX_PASSWORD_BYTES)
        return content.decode("utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "not a text file (UTF-8)")
        problem = f"mqtt.password_file = {mqtt.password_file!r}: cannot read it: {reason}"
        raise (MienError if may_pass(error) else ConfigurationError)(problem) from error


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho would leave that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        """Performs the TLS handshake."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _tls_context(mqtt: Mqtt) -> ssl.SSLContext:
    """A verifying context; there is deliberately no setting that turns verification off."""
    try:
        if mqtt.ca_file:
            require_pem(mqtt.ca_file)
        context = ssl.create_default_context(cafile=mqtt.ca_file or None)
    except OSError as error:
        found = "no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        problem = f"mqtt.ca_file = {mqtt.ca_file!r}: cannot use it: {found or error}"
        raise (MienError if may_pass(error) else ConfigurationError)(problem) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TidySocket
    if not mqtt.cert_file:
        return context
    try:
        load_certificate(context, mqtt.cert_file, mqtt.key_file)
    except (OSError, ValueError) as error:
        files = f"mqtt.cert_file/key_file = {mqtt.cert_file!r}, {mqtt.key_file!r}"
        problem = f"{files}: cannot use it: {explain_certificate(error)}"
        raise (MienError if may_pass(error) else ConfigurationError)(problem) from error
    return context


class Backoff:
    """Delays between attempts: doubling, with jitter so that a fleet does not march."""

    def __init__(
        self, first_s: float = 1.0, most_s: float = 60.0, rng: random.Random | None = None
    ) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._rng = rng or random.Random()
        self._next_s = first_s

    def reset(self) -> None:
        """After a success."""
        self._next_s = self._first_s

    def leap(self) -> None:
        """Straight to the longest delay, where trying again soon would do harm."""
        self._next_s = self._most_s

    def next_s(self) -> float:
        """Half to all of the current delay; the one after it is twice as long."""
        delay_s = self._next_s
        self._next_s = min(self._next_s * 2, self._most_s)
        return delay_s * self._rng.uniform(0.5, 1.0)


REFUSALS = {
    "Bad user name or password": "wrong user name or password; see mqtt.username and mqtt.password_file",
    "Not authorized": "user not accepted; see mqtt.username, mqtt.password_file and the broker's ACL",
    "Unsupported protocol version": 'it does not speak this MQTT version; see mqtt.protocol = "auto"',
    "Client identifier not valid": "client id not accepted; see mqtt.client_id",
    "Banned": "this client is banned there",
}
CLOCK_ERRORS = (9, 10)  # OpenSSL: a certificate is not yet valid, has expired
TAKEN_OVER = "Session taken over"


def explain_failure(error: OSError, access: BrokerAccess, now_s: float | None = None) -> str:
    """A connection that could not be made; ``now_s``: by the clock on the wall."""
    where = f"broker {access}"
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in CLOCK_ERRORS:
            clock = time.strftime("clock, which says %Y-%m-%d", time.localtime(now_s))
            return f"{where}: {error.verify_message} by this device's {clock}; is the time right?"
        return f"{where}: certificate not accepted: {error.verify_message}; see mqtt.ca_file and mqtt.host"
    is_cut = access.tls is not None and isinstance(error, ConnectionResetError)
    if isinstance(error, ssl.SSLError) or is_cut:
        reason = getattr(error, "reason", None) or "handshake failed"
        return f"{where}: TLS: {reason}; does this port speak TLS, and does it want mqtt.cert_file?"
    if isinstance(error, socket.gaierror):
        return f"{where}: host name not found; see mqtt.host and the network's DNS"
    if isinstance(error, ConnectionRefusedError):
        return f"{where}: nothing listens there; is the broker running, is mqtt.port right?"
    if isinstance(error, TimeoutError):
        return f"{where}: no answer; see mqtt.host, mqtt.port and firewalls"
    return f"{where}: {error.strerror or error}"


def explain_refusal(access: BrokerAccess, reason: str) -> str:
    """A CONNACK that says no; without a reason: a connection that ended or stayed mute before."""
    if reason:
        return f"broker {access} refuses: {REFUSALS.get(reason, reason)}"
    wants = "want a client certificate (mqtt.cert_file)" if access.tls else "want TLS (mqtt.tls)"
    return f"broker {access}: closed or mute before it accepted us; does this port {wants}?"


def explain_end(access: BrokerAccess, reason: str, is_flapping: bool) -> str:
    """A connection that ended; ``is_flapping``: one more that ended soon.

    So MQTT 3.1.1 shows that another client uses our id.
    """
    if is_flapping:
        return (
            f"broker {access}: lost again and again right after it accepted us; "
            f"does another client use the id {access.client_id!r}? See mqtt.client_id and device.id"
        )
    if reason == TAKEN_OVER:
        return (
            f"broker {access}: session taken over: another client uses the id {access.client_id!r}; "
            "give each device its own device.id (a copied image shares its machine id)"
        )
    return f"broker {access}: connection lost ({reason})"
