"""Why the broker cannot be used, in one sentence that names the remedy."""

from __future__ import annotations

import socket
import ssl

from device.mqtt.access import BrokerAccess

REFUSALS = {
    "Bad user name or password": "wrong user name or password; see mqtt.username and mqtt.password_file",
    "Not authorized": "user not accepted; see mqtt.username, mqtt.password_file and the broker's ACL",
    "Unsupported protocol version": 'it does not speak this MQTT version; see mqtt.protocol = "auto"',
    "Client identifier not valid": "client id not accepted; see mqtt.client_id",
    "Banned": "this client is banned there",
}
TAKEN_OVER = "Session taken over"


def explain_failure(error: Exception, access: BrokerAccess) -> str:
    """A connection that could not be made."""
    where = f"broker {access}"
    if isinstance(error, ssl.SSLCertVerificationError):
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
    if isinstance(error, OSError):
        return f"{where}: {error.strerror or error}"
    return f"{where}: {type(error).__name__}: {error}"


def explain_refusal(reason: str, access: BrokerAccess) -> str:
    """A CONNACK that says no."""
    return f"broker {access} refuses: {REFUSALS.get(reason, reason)}"


def explain_loss(reason: str, access: BrokerAccess) -> str:
    """A connection that ended."""
    if reason == TAKEN_OVER:
        return (
            f"broker {access}: session taken over: another client uses the id {access.client_id!r}; "
            "give each device its own device.id (a copied image shares its machine id)"
        )
    return f"broker {access}: connection lost ({reason})"


def explain_flapping(access: BrokerAccess) -> str:
    """Lost soon after every success, as MQTT 3.1.1 shows a taken-over session."""
    return (
        f"broker {access}: lost again and again right after it accepted us; "
        f"does another client use the id {access.client_id!r}? See mqtt.client_id and device.id"
    )


def explain_silence(access: BrokerAccess) -> str:
    """A connection that ended, or stayed mute, before the broker accepted it."""
    hint = (
        "does it want a client certificate (mqtt.cert_file)?"
        if access.tls
        else "does this port want TLS (mqtt.tls)?"
    )
    return f"broker {access}: closed or mute before it accepted us; {hint}"
