"""How to reach the broker: address, credentials and TLS, checked before anything connects."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from device.errors import ConfigurationError
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
        return f"{self.host}:{self.port}"


def broker_access(mqtt: Mqtt, device_id: str) -> BrokerAccess:
    """Access to the configured broker.

    Raises:
        ConfigurationError: a password, certificate or key file cannot be used.
    """
    return BrokerAccess(
        host=mqtt.host,
        port=mqtt.port or (TLS_PORT if mqtt.tls else PLAIN_PORT),
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
        with Path(mqtt.password_file).open("rb") as file:
            return file.read(MAX_PASSWORD_BYTES).decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigurationError(
            f"mqtt.password_file = {mqtt.password_file!r}: cannot read it: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"mqtt.password_file = {mqtt.password_file!r}: not a text file (UTF-8)"
        ) from error


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
    key = "ca_file"
    try:
        context = ssl.create_default_context(cafile=mqtt.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = _TidySocket
        if mqtt.cert_file:
            key = "cert_file/key_file"
            context.load_cert_chain(mqtt.cert_file, mqtt.key_file)
    except (OSError, ssl.SSLError) as error:
        path = mqtt.ca_file if key == "ca_file" else f"{mqtt.cert_file}, {mqtt.key_file}"
        reason = error.strerror if isinstance(error, FileNotFoundError) else error
        raise ConfigurationError(f"mqtt.{key} = {path!r}: cannot use it: {reason}") from error
    return context
