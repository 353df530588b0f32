"""Keeps a session connected: one thread that connects, loses, explains, waits and tries again."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable

from paho.mqtt.enums import MQTTProtocolVersion

from device.errors import MienError
from device.mqtt.access import BrokerAccess
from device.mqtt.backoff import Backoff
from device.mqtt.connection import LEAVE_WITHIN_S, Connection, Ending, Session
from device.mqtt.explain import (
    TAKEN_OVER,
    explain_failure,
    explain_flapping,
    explain_loss,
    explain_refusal,
    explain_silence,
)
from device.mqtt.message import Message

log = logging.getLogger("mien.mqtt")

STABLE_AFTER_S = 10.0  # a connection that lasted this long was a good one
MANY_SHORT = 4  # connections in a row that did not: another client may fight for our id
MQTT_5, MQTT_311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311


class Link:
    """The thread around connections.

    Args:
        access: the broker, or what finds it out at the first attempt (a broker still starting).
        session: who speaks and listens.
        will: what the broker says when we vanish.
        backoff: delays between attempts.
        quiet: leaves it to ``problem`` to say what is wrong, for commands that end.
    """

    def __init__(
        self,
        access: BrokerAccess | Callable[[], BrokerAccess],
        session: Session,
        will: Message | None = None,
        backoff: Backoff | None = None,
        quiet: bool = False,
    ) -> None:
        self._access = access
        self._session, self._will = session, will
        self._backoff = backoff or Backoff()
        self._quiet = quiet
        self._speaks_5 = True
        self._num_short = 0
        self._connected = False
        self._problem: str | None = "connecting to the broker"
        self._failed = False
        self.when_back: Callable[[], None] = lambda: None  # called in the link's thread
        self._closing = threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Begins to connect; returns at once."""
        self._thread.start()

    @property
    def connected(self) -> bool:
        """True while the broker has accepted us."""
        return self._connected

    @property
    def problem(self) -> str | None:
        """Why we are not connected, in one line."""
        return self._problem

    @property
    def failed(self) -> bool:
        """True after an attempt failed, until one succeeds."""
        return self._failed

    def wake(self) -> None:
        """Lets the session's ``pump`` run soon; from any thread."""
        try:
            self._wake_write.send(b"x")
        except OSError:  # full: awake already; closed: too late
            return

    def close(self) -> None:
        """Last words and a clean end; returns in seconds whatever the broker does."""
        self._closing.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(LEAVE_WITHIN_S + 1.0)
        if not self._thread.is_alive():
            self._wake_read.close()
            self._wake_write.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            retry_at_once = False
            try:
                access = self._access if isinstance(self._access, BrokerAccess) else self._access()
                retry_at_once = self._attempt(access)
            except MienError as error:  # the embedded broker did not start
                self._tell(str(error))
            except Exception as error:  # this thread must outlive everything
                log.exception("connection ended by a mistake of ours: %s", error)
                self._tell(f"internal error in the connection: {error}")
            finally:
                if self._connected:
                    self._connected = False
                    self._session.lost()
            if not retry_at_once:
                self._closing.wait(self._backoff.next_s())

    def _attempt(self, access: BrokerAccess) -> bool:
        """One connection; returns whether the next may follow at once."""
        version = self._version(access)
        connection = Connection(
            access, version, self._session, self._will, self._wake_read, self._closing.is_set
        )
        started_s = time.monotonic()
        try:
            ending = connection.run(lambda: self._greet(access, version))
        except OSError as error:
            self._num_short = 0  # the broker itself is away, so no twin threw us out
            self._tell(explain_failure(error, access))
            return False
        return self._judge(ending, access, version, time.monotonic() - started_s)

    def _version(self, access: BrokerAccess) -> MQTTProtocolVersion:
        if access.protocol == "auto":
            return MQTT_5 if self._speaks_5 else MQTT_311
        return MQTT_5 if access.protocol == "5" else MQTT_311

    def _greet(self, access: BrokerAccess, version: MQTTProtocolVersion) -> None:
        name = "5" if version == MQTT_5 else "3.1.1"
        log.info("connected to broker %s (MQTT %s%s)", access, name, ", TLS" if access.tls else "")
        was_away = self._failed
        self._connected, self._failed, self._problem = True, False, None
        if was_away:
            self.when_back()

    def _judge(
        self, ending: Ending, access: BrokerAccess, version: MQTTProtocolVersion, lasted_s: float
    ) -> bool:
        """Tells what happened and sets the pace of the next attempt."""
        if self._closing.is_set():
            return False
        if not ending.accepted:
            falls_back = access.protocol == "auto" and version == MQTT_5
            if "protocol version" in ending.refused or not ending.refused:
                self._speaks_5 = not falls_back  # both fail: they take turns
                if falls_back:
                    return True
            refused = ending.refused
            self._tell(explain_refusal(refused, access) if refused else explain_silence(access))
            return False
        self._num_short = 0 if lasted_s >= STABLE_AFTER_S else self._num_short + 1
        if ending.reason == TAKEN_OVER:
            self._backoff.leap()  # trying at once would throw the twin out, and so on for ever
        elif self._num_short == 0:
            self._backoff.reset()
        if self._num_short >= MANY_SHORT:
            self._tell(explain_flapping(access))
        else:
            self._tell(explain_loss(ending.reason or "closed", access))
        return False

    def _tell(self, problem: str) -> None:
        """Logs a problem when it is a new one."""
        if problem != self._problem and not self._quiet:
            log.warning("%s; trying again", problem)
        self._problem, self._failed = problem, True
