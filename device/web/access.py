"""Who may look and change: sessions, the pace of logins, and under which names the page is known.

Sessions are kept in memory alone, so a restart ends them.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from device.web.password import PasswordHash

SESSION_S = 12 * 3600.0
MOST_SESSIONS = 32
TRIES, EACH_S = 5, 30.0  # at once from one address, and the time after which one more is given
TRIES_OF_ALL, EACH_OF_ALL_S = 30, 5.0
MOST_ADDRESSES = 256


@dataclass(frozen=True)
class Session:
    """Somebody who may look.

    Attributes:
        csrf: what a change must carry, so that no other page can ask for one.
        until_s: monotonic time of its end.
    """

    csrf: str
    until_s: float = float("inf")


class LoginPace:
    """How soon an address may try a password again: a bucket of tries each, and one for all.

    Args:
        clock: monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._spent: OrderedDict[str, float] = OrderedDict()  # when each bucket is full again
        self._all_spent_s = float("-inf")

    def wait_s(self, address: str) -> float:
        """0 where a try may be made now, which then counts; else seconds until the next."""
        address = _network_of(address)
        with self._lock:
            now_s = self._clock()
            full_s = max(now_s, self._spent.get(address, now_s))
            all_full_s = max(now_s, self._all_spent_s)
            wait_s = max(
                full_s - now_s - (TRIES - 1) * EACH_S,
                all_full_s - now_s - (TRIES_OF_ALL - 1) * EACH_OF_ALL_S,
                0.0,
            )
            if wait_s <= 0:
                self._spent[address] = full_s + EACH_S
                self._spent.move_to_end(address)
                self._all_spent_s = all_full_s + EACH_OF_ALL_S
                while len(self._spent) > MOST_ADDRESSES:
                    self._spent.popitem(last=False)
            return wait_s

    def forget(self, address: str) -> None:
        """After a right password."""
        with self._lock:
            self._spent.pop(_network_of(address), None)


class Access:
    """Decides who may look.

    Args:
        password: None where everybody on this device may.
        clock: monotonic.
    """

    def __init__(
        self, password: PasswordHash | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._password, self._clock = password, clock
        self.pace = LoginPace(clock)
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._everybody = None if password else Session(secrets.token_urlsafe())
        self._key = secrets.token_bytes(32)
        self._known = b""  # a right password, as a keyed hash: collectors ask every few seconds

    @property
    def needs_password(self) -> bool:
        """Whether one has to log in."""
        return self._password is not None

    def session(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None where there is none, or its time is over."""
        if self._everybody:
            return self._everybody
        with self._lock:
            session = self._sessions.get(cookie or "")
            if session and session.until_s <= self._clock():
                self._sessions.pop(cookie or "", None)
                return None
            return session

    def login(self, password: str) -> str | None:
        """A new cookie for the right password; the caller minds the pace."""
        if not self.is_right(password):
            return None
        cookie = secrets.token_urlsafe(32)
        with self._lock:
            until_s = self._clock() + SESSION_S
            self._sessions[cookie] = Session(secrets.token_urlsafe(), until_s)
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return cookie

    def logout(self, cookie: str | None) -> None:
        """Ends a session."""
        with self._lock:
            self._sessions.pop(cookie or "", None)

    def is_csrf(self, session: Session, given: str) -> bool:
        """Whether a change carries what our page was given."""
        return hmac.compare_digest(session.csrf.encode(), given.encode(errors="replace"))

    def knows(self, password: str) -> bool:
        """Whether this password was right before; quick, for a program that asks again."""
        return hmac.compare_digest(self._keyed(password), self._known)

    def is_right(self, password: str) -> bool:
        """Whether this is the password; slow, the caller minds the pace."""
        if self._password is None or not self._password.fits(password):
            return False
        self._known = self._keyed(password)
        return True

    def _keyed(self, password: str) -> bytes:
        return hashlib.blake2b(password.encode(errors="replace"), key=self._key).digest()


def is_known_host(header: str, names: Iterable[str]) -> bool:
    """Whether a Host header names this device.

    An address is always fine: DNS rebinding needs a name, one of the attacker's.

    Args:
        header: such as ``mien.local:8420`` or ``[::1]:8420``.
        names: in lower case, beside ``localhost``.
    """
    host = host_of(header)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host in names
    return True


def host_of(header: str) -> str:
    """The name or address of a Host header, in lower case, without port, brackets and last dot."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _network_of(address: str) -> str:
    """IPv6 users have a whole network to themselves."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
