"""A broker's host and port, as people write them."""

from __future__ import annotations

import ipaddress
import re


def is_host(text: str) -> bool:
    """True for an address (IPv6 without brackets) and for a name that a resolver takes.

    A name has at most 253 characters, in labels of 1 to 63 (RFC 1035, section 2.3.4).
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if re.search(r"[^\w.-]", text):
            return False
    else:
        return True
    try:
        return 0 < len(text.encode("idna")) <= 254  # with a dot at the end
    except UnicodeError:
        return False


def split_address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST``, ``HOST:PORT``, ``[IPv6]:PORT`` or an IPv6 address alone.

    Returns:
        The host without brackets, and the port, 0 where none is given.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"\[(.*:.*)\](?::([0-9]{1,5}))?|([^:]*):([0-9]{1,5})", text)
    host, port = (match[1] or match[3], match[2] or match[4]) if match else (text, None)
    if not is_host(host) or not 1 <= int(port or "1") <= 65535:
        raise ValueError("expected HOST, HOST:PORT or [IPV6]:PORT, with a PORT from 1 to 65535")
    return host, int(port or "0")


def join_address(host: str, port: int) -> str:
    """``broker.lan:1883``, ``[::1]:1883``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def without_password(text: str) -> str:
    """The text without what stands before an ``@``, as in ``user:password@host``."""
    return re.sub(r".*@", "(secret)@", text, flags=re.DOTALL)
