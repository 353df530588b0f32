"""The one MQTT client of this package: a thread that connects, sends, listens, and tries again.

``publish`` and ``subscribe`` return at once; what they return tells later what became of it. They
outlive connections: each new one subscribes anew and says again what was not acknowledged. While
the broker has room, more is taken from ``Outgoing``. It and receivers run in the client's thread.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from paho.mqtt.client import topic_matches_sub

from device.errors import MienError
from device.mqtt.access import (
    TAKEN_OVER,
    Backoff,
    BrokerAccess,
    explain_end,
    explain_failure,
    explain_refusal,
)
from device.mqtt.connection import ANSWER_WITHIN_S, Connection
from device.mqtt.packets import (
    Message,
    Outgoing,
    Publication,
    Receiver,
    Refusals,
    Subscription,
    WaitingLine,
)

log = logging.getLogger("mien.mqtt")

STABLE_AFTER_S = 10.0  # a connection that lasted this long was a good one
MANY_SHORT = 4  # connections in a row that did not: another client may fight for our id
LEAVE_WITHIN_S = 2.0  # for the acknowledgements of the last words
CONNECTING, LOST, CLOSED = "connecting to the broker", "connection lost", "closed"


class MqttClient:
    """Publishes and subscribes over a connection that it keeps.

    Args:
        access: the broker, or what finds it out at the first attempt (a broker still starting).
        will: what the broker says when we vanish.
        backoff: delays between attempts.
        outgoing: what there is to send beside what ``publish`` gets.
        quiet: leaves it to ``problem`` to say what is wrong, for commands that end.

    Attributes:
        speaks_5: MQTT 5, over which a broker says what it refuses, else 3.1.1.
        num_dropped: messages for us that were too long, or their topics no UTF-8.
    """

    def __init__(
        self,
        access: BrokerAccess | Callable[[], BrokerAccess],
        will: Message | None = None,
        backoff: Backoff | None = None,
        outgoing: Outgoing | None = None,
        quiet: bool = False,
    ) -> None:
        self.num_dropped = 0
        self._access, self._will, self._outgoing = access, will, outgoing
        self._backoff = backoff or Backoff()
        self._warn = log.debug if quiet else log.warning
        self.speaks_5, self._num_short = True, 0
        self._away: str | None = CONNECTING
        self._waiting = WaitingLine(lambda: self.connected)
        self._subscriptions: list[Subscription] = []
        self._refusals = Refusals()
        self._last_words: Message | None = None
        self._closing = threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
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
        return self._away is None

    @property
    def failed(self) -> bool:
        """True after an attempt failed, until one succeeds."""
        return self._away not in (None, CONNECTING)

    @property
    def problem(self) -> str | None:
        """Why we are not connected or what the broker refuses, in one line."""
        return self._away or self._refusals.problem

    @property
    def num_refused(self) -> int:
        """Publications that the broker refused or that go beyond its limits."""
        return self._refusals.num

    def publish(self, message: Message) -> Publication:
        """Says something once; the oldest of too many that wait are forgotten."""
        publication = Publication(message, from_outgoing=False)
        self._waiting.add(publication)
        self.wake()
        return publication

    def subscribe(self, topic_filter: str, receiver: Receiver) -> Subscription:
        """Subscribes at every connect; calls ``receiver(topic, payload, retained)``."""
        subscription = Subscription(topic_filter, receiver)
        self._subscriptions.append(subscription)
        self.wake()
        return subscription

    def wake(self) -> None:
        """Has what waits sent soon."""
        with suppress(OSError):  # full: awake already; closed: too late
            self._wake_write.send(b"x")

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
            try:
                problem = self._attempt()
            except MienError as error:  # the embedded broker did not start
                problem = str(error)
            except Exception as error:  # this thread must outlive every mistake of ours
                log.exception("connection ended by a mistake of ours: %s", error)
                problem = f"internal error in the connection: {error}"
            if problem:
                if problem != self._away:
                    self._warn("%s; trying again", problem)
                self._away = problem
                self._closing.wait(self._backoff.next_s())

    def _attempt(self) -> str | None:
        """One connection; returns why it ended, None to try again at once."""
        access = self._access if isinstance(self._access, BrokerAccess) else self._access()
        is_5 = self.speaks_5 if access.protocol == "auto" else access.protocol == "5"
        connection = Connection(
            access, is_5, self._will, self._wake_read, self._finish, self._receive
        )
        try:
            connection.open()
            self._converse(connection)
        except OSError as error:
            self._num_short = 0  # the broker itself is away, so nobody threw us out
            return explain_failure(error, access)
        finally:
            connection.close()
            if self.connected:
                self._lose(connection)
        return None if self._closing.is_set() else self._judge(connection)

    def _converse(self, connection: Connection) -> None:
        """Sends and listens until one of the two ends it."""
        while self._turn(connection):
            if self._closing.is_set():
                if self.connected:
                    self._leave(connection)
                return
            if not self.connected and time.monotonic() > connection.started_s + ANSWER_WITHIN_S:
                return

    def _turn(self, connection: Connection) -> bool:
        """Moves bytes and sends what waits; False at the end."""
        if not connection.step(0.2 if connection.in_flight else 1.0):
            return False
        if connection.accepted:
            if not self.connected:
                self._greet(connection)
            self._send(connection)
        return True

    def _greet(self, connection: Connection) -> None:
        """The broker has accepted us: what goes out first is said before all that waits."""
        access, name = connection.access, "5" if connection.is_5 else "3.1.1"
        log.info("connected to broker %s (MQTT %s%s)", access, name, ", TLS" if access.tls else "")
        was_away, self._away, self.speaks_5 = self.failed, None, connection.is_5
        self._subscribe(connection)  # first: another device's report shows before ours replaces it
        if self._outgoing:
            self._outgoing.begin(was_away)
            for publication in self._outgoing.take(connection.room):
                connection.publish(publication)

    def _send(self, connection: Connection) -> None:
        """Says as much of what waits as the broker has room for."""
        self._subscribe(connection)
        while (room := connection.room) > 0:
            due: Sequence[Publication] = self._waiting.take(room)
            if not due and self._outgoing:
                due = self._outgoing.take(room)
            if not due:
                return
            for publication in due:
                connection.publish(publication)

    def _subscribe(self, connection: Connection) -> None:
        """Asks for what this connection does not know yet."""
        for subscription in self._subscriptions[len(connection.subscriptions) :]:
            connection.subscribe(subscription)

    def _lose(self, connection: Connection) -> None:
        """Nothing in flight will be acknowledged any more; what ``publish`` got goes again."""
        self._away = CLOSED if self._closing.is_set() else LOST
        again = [each for each in connection.unanswered if not each.from_outgoing]
        for lost in self._waiting.lose(again):
            self._warn("a publication to %.100r is given up: %s", lost.message.topic, lost.refused)
        if self._outgoing:
            self._outgoing.lost()

    def _leave(self, connection: Connection) -> None:
        """Last words, then a DISCONNECT; without them the will is the better last word."""
        by_s = time.monotonic() + LEAVE_WITHIN_S
        self._send(connection)
        if not self._empty(connection, by_s - LEAVE_WITHIN_S / 2):
            return
        last = self.publish(self._last_words) if self._last_words else None
        if self._empty(connection, by_s) and (last is None or last.done):
            connection.disconnect()

    def _empty(self, connection: Connection, by_s: float) -> bool:
        """Sends what waits; false when the connection ends."""
        while (connection.in_flight or self._waiting) and time.monotonic() < by_s:
            if not self._turn(connection):
                return False
        return True

    def _judge(self, connection: Connection) -> str | None:
        """What happened, None to try again at once; sets the pace of the next attempt."""
        access, refused = connection.access, connection.refused
        if connection.accepted:
            lasted_s = time.monotonic() - connection.started_s
            self._num_short = 0 if lasted_s >= STABLE_AFTER_S else self._num_short + 1
            if connection.reason == TAKEN_OVER:
                self._backoff.leap()  # at once would throw the other one out, and so on
            elif self._num_short == 0:
                self._backoff.reset()
            is_flapping = self._num_short >= MANY_SHORT
            return explain_end(access, connection.reason or "closed", is_flapping)
        if self._will and (poorer := _without(self._will, refused)) != self._will:
            self._will = poorer
            return None
        if "protocol version" in refused or not refused:
            falls_back = access.protocol == "auto" and connection.is_5
            self.speaks_5 = not falls_back  # both fail: they take turns
            if falls_back:
                return None
        return explain_refusal(access, refused)

    def _finish(self, done: Publication | Subscription) -> None:
        if text := done.refused if isinstance(done, Subscription) else self._refusals.note(done):
            self._warn("%s", text)
        if isinstance(done, Publication) and done.from_outgoing and self._outgoing:
            self._outgoing.finished(done)

    def _receive(self, dropped: str, topic: str, *message: Any) -> None:
        if dropped:
            self.num_dropped += 1
            if self.num_dropped == 1:
                self._warn("a message on %.100r is dropped: %s", topic, dropped)
            return
        for subscription in self._subscriptions:
            if topic_matches_sub(subscription.topic_filter, topic):
                subscription.hear(topic, *message)


def _without(will: Message, refused: str) -> Message:
    """The will without what a broker has refused in it."""
    if refused == "QoS not supported":
        return replace(will, qos=0)
    return replace(will, retain=False) if refused == "Retain not supported" else will
