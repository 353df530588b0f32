"""The one MQTT client of this package: a thread that connects, sends, listens, and tries again.

``publish`` and ``subscribe`` return at once; what they return tells later what became of it. A
``Source`` is asked for more while the broker has room. It and receivers run in the client's thread.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from paho.mqtt.enums import MQTTProtocolVersion

from device.errors import BrokerError, MienError
from device.mqtt.access import (
    TAKEN_OVER,
    Backoff,
    BrokerAccess,
    explain_failure,
    explain_flapping,
    explain_loss,
    explain_refusal,
    explain_silence,
)
from device.mqtt.connection import ANSWER_WITHIN_S, Connection
from device.mqtt.exchange import Exchange
from device.mqtt.packets import Message, Publication, Receiver, Source, Subscription

log = logging.getLogger("mien.mqtt")

STABLE_AFTER_S = 10.0  # a connection that lasted this long was a good one
MANY_SHORT = 4  # connections in a row that did not: another client may fight for our id
LEAVE_WITHIN_S = 2.0  # for the acknowledgements of the last words
MQTT_5, MQTT_311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311


class MqttClient:
    """Publishes and subscribes over a connection that it keeps.

    Args:
        access: the broker, or what finds it out at the first attempt (a broker still starting).
        will: what the broker says when we vanish.
        backoff: delays between attempts.
        source: what else there is to send.
        quiet: leaves it to ``problem`` to say what is wrong, for commands that end.

    Attributes:
        exchange: what is said and heard, with its counters.
    """

    def __init__(
        self,
        access: BrokerAccess | Callable[[], BrokerAccess],
        will: Message | None = None,
        backoff: Backoff | None = None,
        source: Source | None = None,
        quiet: bool = False,
    ) -> None:
        self._access, self._will, self._quiet = access, will, quiet
        self._backoff = backoff or Backoff()
        self.exchange = Exchange(source, quiet)
        self._speaks_5, self._num_short = True, 0
        self._connected = self._failed = False
        self._away: str | None = "connecting to the broker"
        self._last_words: Message | None = None
        self._closing = threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    # From any thread.

    def start(self) -> MqttClient:
        """Begins to connect; returns at once."""
        self._thread.start()
        return self

    @property
    def connected(self) -> bool:
        """True while the broker has accepted us."""
        return self._connected

    @property
    def problem(self) -> str | None:
        """Why we are not connected or what the broker refuses, in one line."""
        return self._away or self.exchange.problem

    @property
    def failed(self) -> bool:
        """True after an attempt failed, until one succeeds."""
        return self._failed

    def publish(self, message: Message) -> Publication:
        """Says something once; the oldest of too many that wait are forgotten."""
        publication = self.exchange.publish(message)
        self.wake()
        return publication

    def subscribe(self, topic_filter: str, receiver: Receiver) -> Subscription:
        """Subscribes at every connect; calls ``receiver(topic, payload, retained)``."""
        subscription = self.exchange.subscribe(topic_filter, receiver)
        self.wake()
        return subscription

    def wake(self) -> None:
        """Has the source asked soon."""
        try:
            self._wake_write.send(b"x")
        except OSError:  # full: awake already; closed: too late
            return

    def wait_for(self, check: Callable[[], object], within_s: float) -> None:
        """Waits, for commands that end.

        Raises:
            BrokerError: the broker cannot be reached, or it takes too long.
        """
        by_s = time.monotonic() + within_s
        while not check():
            if self._failed:
                raise BrokerError(self._away or "no connection")
            if time.monotonic() > by_s:
                raise BrokerError(f"the broker did not answer within {within_s:g} s")
            time.sleep(0.02)

    def close(self, last_words: Message | None = None) -> None:
        """Last words and a clean end; returns in seconds whatever the broker does."""
        self._last_words = last_words
        self._closing.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(LEAVE_WITHIN_S + 1.0)
        if not self._thread.is_alive():
            self._wake_read.close()
            self._wake_write.close()

    # The client's thread.

    def _run(self) -> None:
        while not self._closing.is_set():
            retry_at_once = False
            try:
                access = self._access if isinstance(self._access, BrokerAccess) else self._access()
                retry_at_once = self._attempt(access)
            except MienError as error:  # the embedded broker did not start
                self._tell(str(error))
            except Exception as error:  # this thread must outlive every mistake of ours
                log.exception("connection ended by a mistake of ours: %s", error)
                self._tell(f"internal error in the connection: {error}")
            if not retry_at_once:
                self._closing.wait(self._backoff.next_s())

    def _attempt(self, access: BrokerAccess) -> bool:
        """One connection; returns whether the next may follow at once."""
        is_5 = self._speaks_5 if access.protocol == "auto" else access.protocol == "5"
        version = MQTT_5 if is_5 else MQTT_311
        connection = Connection(access, version, self._will, self._wake_read)
        started_s = time.monotonic()
        try:
            connection.open()
            self._converse(connection, access, version)
        except OSError as error:
            self._num_short = 0  # the broker itself is away, so nobody threw us out
            self._tell(explain_failure(error, access))
            return False
        finally:
            connection.close()
            if self._connected:
                self._connected = False
                self.exchange.lose(connection)
        return self._judge(connection, access, version, time.monotonic() - started_s)

    def _converse(
        self, connection: Connection, access: BrokerAccess, version: MQTTProtocolVersion
    ) -> None:
        """Sends and listens until one of the two ends it."""
        answer_by_s = time.monotonic() + ANSWER_WITHIN_S
        while self._turn(connection):
            if connection.accepted and not self._connected:
                self._greet(connection, access, version)
            if self._closing.is_set():
                if self._connected:
                    self._leave(connection)
                return
            if not self._connected and time.monotonic() > answer_by_s:
                return

    def _turn(self, connection: Connection) -> bool:
        """Moves bytes, passes on what has come and sends what waits; False at the end."""
        notes = connection.step(0.2 if connection.in_flight else 1.0)
        for note in notes or ():
            self.exchange.pass_on(note)
        if self._connected and notes is not None:
            self.exchange.send(connection)
        return notes is not None

    def _greet(
        self, connection: Connection, access: BrokerAccess, version: MQTTProtocolVersion
    ) -> None:
        """The broker has accepted us: what the source says first goes before all that waits."""
        name = "5" if version == MQTT_5 else "3.1.1"
        log.info("connected to broker %s (MQTT %s%s)", access, name, ", TLS" if access.tls else "")
        was_away = self._failed
        self._connected, self._failed, self._away = True, False, None
        self.exchange.begin(connection, was_away)

    def _leave(self, connection: Connection) -> None:
        """Last words, then a DISCONNECT; without them the will is the better last word."""
        self.exchange.send(connection)
        by_s = time.monotonic() + LEAVE_WITHIN_S
        if not self._empty(connection, by_s - LEAVE_WITHIN_S / 2):
            return
        last = self.exchange.publish(self._last_words) if self._last_words else None
        if not self._empty(connection, by_s):
            return
        if last is None or last.done:
            connection.disconnect()

    def _empty(self, connection: Connection, by_s: float) -> bool:
        """Sends what waits; false when the connection ends."""
        while (connection.in_flight or self.exchange.waiting) and time.monotonic() < by_s:
            if not self._turn(connection):
                return False
        return True

    def _judge(
        self,
        connection: Connection,
        access: BrokerAccess,
        version: MQTTProtocolVersion,
        lasted_s: float,
    ) -> bool:
        """Tells what happened and sets the pace of the next attempt."""
        if self._closing.is_set():
            return False
        refused, falls_back = connection.refused, access.protocol == "auto" and version == MQTT_5
        if not connection.accepted:
            if self._will and (poorer := _without(self._will, refused)) != self._will:
                self._will = poorer
                return True
            if "protocol version" in refused or not refused:
                self._speaks_5 = not falls_back  # both fail: they take turns
                if falls_back:
                    return True
            self._tell(explain_refusal(refused, access) if refused else explain_silence(access))
            return False
        self._num_short = 0 if lasted_s >= STABLE_AFTER_S else self._num_short + 1
        if connection.reason == TAKEN_OVER:
            self._backoff.leap()  # trying at once would throw the other one out, and so on
        elif self._num_short == 0:
            self._backoff.reset()
        if self._num_short >= MANY_SHORT:
            self._tell(explain_flapping(access))
        else:
            self._tell(explain_loss(connection.reason or "closed", access))
        return False

    def _tell(self, problem: str) -> None:
        """Logs a problem when it is a new one."""
        if problem != self._away and not self._quiet:
            log.warning("%s; trying again", problem)
        self._away, self._failed = problem, True


def _without(will: Message, refused: str) -> Message:
    """The will without what a broker has refused in it."""
    if refused == "QoS not supported":
        return replace(will, qos=0)
    return replace(will, retain=False) if refused == "Retain not supported" else will


@contextmanager
def client_for(access: BrokerAccess, command: str) -> Iterator[MqttClient]:
    """A quiet client with an id of its own, for a command that ends."""
    own = replace(access, client_id=f"mien-{command}-{uuid.uuid4().hex[:8]}")
    client = MqttClient(own, quiet=True).start()
    try:
        yield client
    finally:
        client.close()


def probe(access: BrokerAccess, within_s: float = 6.0) -> None:
    """Asks once whether a broker takes us, for ``mien doctor``.

    Raises:
        BrokerError: it cannot be reached, refuses us, or does not answer in time.
    """
    with client_for(access, "probe") as client:
        client.wait_for(lambda: client.connected, within_s)
