"""The one MQTT client of this package: a thread that connects, sends, listens, and tries again.

``publish`` and ``subscribe`` may be called from any thread and return at once; what they return
tells later what became of it. A ``Source`` (the publisher) is asked for more whenever the broker
has room. Receivers and the source are called in the client's thread and must be quick.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from paho.mqtt.client import topic_matches_sub
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
from device.mqtt.connection import ANSWER_WITHIN_S, Connection, Received, Subscribed
from device.mqtt.packets import Message, Publication, Receiver, Source, Subscription

log = logging.getLogger("mien.mqtt")

STABLE_AFTER_S = 10.0  # a connection that lasted this long was a good one
MANY_SHORT = 4  # connections in a row that did not: another client may fight for our id
LEAVE_WITHIN_S = 2.0  # for the acknowledgements of the last words
MAX_WAITING = 100  # publications that wait; a flood of commands must not fill the memory
MAX_NAMED = 100  # topics whose refusal is remembered
WILL_REFUSED: dict[str, dict[str, Any]] = {
    "QoS not supported": {"qos": 0},
    "Retain not supported": {"retain": False},
}
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
        num_refused: publications that the broker refused or that go beyond its limits.
        num_cut: messages for us that were too long.
    """

    def __init__(
        self,
        access: BrokerAccess | Callable[[], BrokerAccess],
        will: Message | None = None,
        backoff: Backoff | None = None,
        source: Source | None = None,
        quiet: bool = False,
    ) -> None:
        self.num_refused = self.num_cut = 0
        self._access, self._will, self._source, self._quiet = access, will, source, quiet
        self._backoff = backoff or Backoff()
        self._lock = threading.Lock()
        self._queue: deque[Publication] = deque()
        self._subscriptions: list[Subscription] = []
        self._asked: dict[int, Sequence[Subscription]] = {}
        self._num_asked = 0  # subscriptions that this connection knows
        self._refusals: dict[str, str] = {}  # topic -> the sentence
        self._named: set[tuple[str, str]] = set()  # in the log
        self._speaks_5, self._num_short = True, 0
        self._connected = self._failed = False
        self._away: str | None = "connecting to the broker"
        self._last_words: Publication | None = None
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
        with self._lock:
            return self._away or next(iter(self._refusals.values()), None)

    @property
    def failed(self) -> bool:
        """True after an attempt failed, until one succeeds."""
        return self._failed

    def publish(self, message: Message) -> Publication:
        """Says something once; the oldest of too many that wait are forgotten."""
        publication = Publication(message, from_source=False)
        with self._lock:
            self._queue.append(publication)
            if len(self._queue) > MAX_WAITING:
                self._queue.popleft().refused = "too many publications wait"
        self.wake()
        return publication

    def subscribe(self, topic_filter: str, receiver: Receiver) -> Subscription:
        """Subscribes at every connect; calls ``receiver(topic, payload, retained)``."""
        subscription = Subscription(topic_filter, receiver)
        self._subscriptions.append(subscription)
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
            if self._failed or time.monotonic() > by_s:
                raise BrokerError(self._away or f"the broker did not answer within {within_s:g} s")
            time.sleep(0.02)

    def close(self, last_words: Message | None = None) -> None:
        """Last words and a clean end; returns in seconds whatever the broker does."""
        self._last_words = Publication(last_words, from_source=False) if last_words else None
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
            self._lose(connection)
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
            if isinstance(note, Publication):
                self._finish(note)
            elif isinstance(note, Received):
                self._receive(note)
            else:
                self._note_subscribed(note)
        if self._connected and notes is not None:
            self._send(connection)
        return notes is not None

    def _greet(
        self, connection: Connection, access: BrokerAccess, version: MQTTProtocolVersion
    ) -> None:
        """The broker has accepted us: what the source says first goes before all that waits."""
        name = "5" if version == MQTT_5 else "3.1.1"
        log.info("connected to broker %s (MQTT %s%s)", access, name, ", TLS" if access.tls else "")
        was_away = self._failed
        self._connected, self._failed, self._away = True, False, None
        self._num_asked = 0
        self._subscribe(connection)  # first: another device's report shows before ours replaces it
        if self._source:
            self._source.begin(was_away)
            for publication in self._source.take(connection.room):
                connection.publish(publication)
        self._send(connection)

    def _send(self, connection: Connection) -> None:
        """Says as much of what waits as the broker has room for."""
        self._subscribe(connection)
        while (room := connection.room) > 0:
            with self._lock:
                due: Sequence[Publication] = [
                    self._queue.popleft() for _ in range(min(room, len(self._queue)))
                ]
            if not due and self._source:
                due = self._source.take(room)
            if not due:
                return
            for publication in due:
                connection.publish(publication)

    def _subscribe(self, connection: Connection) -> None:
        """Asks for what this connection does not know yet."""
        if new := self._subscriptions[self._num_asked :]:
            self._num_asked += len(new)
            self._asked[connection.subscribe([each.topic_filter for each in new])] = new

    def _finish(self, publication: Publication) -> None:
        """Writes down what became of a publication; names a topic and cause once in the log."""
        topic, named = publication.message.topic, (publication.message.topic, publication.cause)
        with self._lock:
            self._refusals.pop(topic, None)
            if publication.refused:
                self.num_refused += 1
                text = f"the broker refuses a publication to {topic}: {publication.refused}"
                if named not in self._named and len(self._named) < MAX_NAMED:
                    self._named.add(named)
                    if not self._quiet:
                        log.warning("%s", text)
                if named in self._named:
                    self._refusals[topic] = text
        if publication.from_source and self._source:
            self._source.finished(publication)

    def _receive(self, note: Received) -> None:
        if note.cut_bytes:
            self.num_cut += 1
            if self.num_cut == 1:
                log.warning(
                    "a message of %d bytes on %.100r is too long; such ones are dropped",
                    note.cut_bytes,
                    note.topic,
                )
            return
        for subscription in self._subscriptions:
            if topic_matches_sub(subscription.topic_filter, note.topic):
                subscription.receiver(note.topic, note.payload, note.retained)

    def _note_subscribed(self, note: Subscribed) -> None:
        for subscription, refused in zip(
            self._asked.pop(note.number, ()), note.refused, strict=False
        ):
            subscription.answered = True
            if refused:
                subscription.refused = (
                    f"the broker denies the subscription to {subscription.topic_filter}; "
                    "see its ACL"
                )
                if not self._quiet:
                    log.warning("%s", subscription.refused)

    def _leave(self, connection: Connection) -> None:
        """Last words, then a DISCONNECT; without them the will is the better last word."""
        with self._lock:
            if self._last_words:
                self._queue.append(self._last_words)
        by_s = time.monotonic() + LEAVE_WITHIN_S
        while (connection.in_flight or self._queue) and time.monotonic() < by_s:
            if not self._turn(connection):
                return
        if not self._last_words or self._last_words.done:
            connection.disconnect()

    def _lose(self, connection: Connection) -> None:
        """Nothing in flight will be acknowledged any more; what is ours goes again."""
        again = [publication for publication in connection.in_flight if not publication.from_source]
        with self._lock:
            self._queue.extendleft(reversed(again))
        self._asked.clear()
        if self._connected and self._source:
            self._source.lost()
        self._connected = False

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
            if self._will and refused in WILL_REFUSED:
                self._will = replace(self._will, **WILL_REFUSED.pop(refused))
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
        with self._lock:
            self._away, self._failed = problem, True
