"""Certificates and keys in files, for the broker's TLS and the page's."""

from __future__ import annotations

import ssl
from pathlib import Path

from device.files import RENEWED, read_file

MAX_PEM_BYTES = 4 << 20  # a list of all authorities has a quarter of a million


def require_pem(*paths: str) -> None:
    """Refuses what OpenSSL would wait for: it opens a pipe and reads until somebody writes.

    Raises:
        OSError: not there, not readable, no regular file.
    """
    for path in paths:
        read_file(Path(path), MAX_PEM_BYTES)


def load_certificate(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    """Gives a TLS context a certificate and its key.

    Raises:
        OSError: one cannot be read; as ``ssl.SSLError``: they cannot be used.
    """
    require_pem(cert_file, key_file)
    # An empty passphrase: OpenSSL would ask the terminal for that of an encrypted key.
    context.load_cert_chain(cert_file, key_file, password=lambda: "")


def explain_certificate(error: Exception) -> str:
    """Why ``load_certificate`` failed, in words; OpenSSL itself says no more than ``PEM lib``."""
    if not isinstance(error, ssl.SSLError):
        return str(getattr(error, "strerror", None) or error)
    if error.reason in RENEWED:
        return "the key is not that of the certificate"
    return "the first is no certificate in PEM, or the second no PEM key without a passphrase"
