"""The demo's own MQTT broker: amqtt in a child process, on loopback only.

A child, because a broker in a thread would take its share of the interpreter from the frame
loop and 0.3 s of imports from the start. It ends when its standard input does, so it cannot
outlive the daemon, even one that was killed.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from device.errors import BrokerError

log = logging.getLogger("mien.mqtt")

LOOPBACK = "127.0.0.1"
PREFERRED_PORT = 1883
MQTT_5 = 5
ANONYMOUS = "amqtt.plugins.authentication.AnonymousAuthPlugin"


class EmbeddedBroker:
    """Starts at construction; ``port`` waits until it listens, and starts it anew if it has ended.

    Args:
        port: 0 for 1883 where it is free, else any free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._asking = threading.Lock()  # the port comes once; the daemon and its client both ask
        self._wanted, self._answer, self._closed = port, "", False
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],  # `-m` looks for modules there first
            start_new_session=True,  # Ctrl-C is for the daemon, which then says `stopped`
        )
        assert process.stdin is not None
        process.stdin.write(f"{self._wanted}\n".encode())
        process.stdin.flush()
        return process

    @property
    def port(self) -> int:
        """The port it listens on; each connection asks anew.

        Raises:
            BrokerError: it did not come up.
        """
        with self._asking:
            if self._answer and not self._closed and self._process.poll() is not None:
                if self._answer.isdigit():  # it did run
                    log.warning("the embedded broker has ended; starting it anew")
                with self._process:  # closes its pipes
                    self._process, self._answer = self._start(), ""
            if not self._answer:
                assert self._process.stdout is not None
                self._answer = self._process.stdout.readline().decode().strip() or "no answer"
            if not self._answer.isdigit():
                raise BrokerError(
                    f"mqtt.host is empty, and the broker inside Mien did not start: {self._answer}"
                )
            self._wanted = int(self._answer)  # clients know the port
            return self._wanted

    def close(self) -> None:
        """Ends the broker, also one that is just coming up anew."""
        self._closed = True
        _end(self._process)  # whoever waits for its port goes on
        with self._asking, self._process:  # which closes its other pipe
            _end(self._process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a child, if it has not ended yet."""
    assert process.stdin is not None
    process.stdin.close()  # which ends it
    try:
        process.wait(3.0)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()


def _broker_class() -> Any:
    """Amqtt's broker without one fault of its versions 0.11 and 0.12.

    To a client that connects it sends what is retained for the subscriptions of *all* clients, so
    that each but the first gets every message twice, and ones that it never asked for. It means
    those of a session that goes on, and asks this method about every subscription it knows.
    """
    from amqtt.broker import Broker

    class OwnRetained(Broker):  # type: ignore[misc]  # amqtt is untyped here
        async def _publish_retained_messages_for_subscription(
            self, subscription: tuple[str, int], session: Any
        ) -> None:
            subscribers = self.subscriptions.get(subscription[0], [])
            if any(subscriber.client_id == session.client_id for subscriber, _ in subscribers):
                await super()._publish_retained_messages_for_subscription(subscription, session)

    return OwnRetained


def _refuse_mqtt_5() -> None:
    """Has amqtt refuse an MQTT 5 client at once, so that it can try 3.1.1.

    amqtt looks at the version after it has read the whole CONNECT. Its versions 0.11 and 0.12 read
    that of MQTT 5 as if it were one of 3.1.1, and wait for bytes that never come.
    """
    from amqtt.mqtt.connect import ConnectPacket, ConnectPayload

    class Payload(ConnectPayload):  # type: ignore[misc]  # amqtt is untyped here
        @classmethod
        async def from_stream(cls, reader: Any, fixed_header: Any, variable_header: Any) -> Any:
            if variable_header.proto_level != MQTT_5:
                return await super().from_stream(reader, fixed_header, variable_header)
            await reader.read(fixed_header.remaining_length - len(variable_header.to_bytes()))
            return cls("refused", will_topic="", will_message=b"")

    ConnectPacket.PAYLOAD = Payload


async def _listen(asked: int) -> int:
    """Starts amqtt on the port, for 0 on 1883 or any that is free."""
    from amqtt.errors import BrokerError as StartError  # only in the child: the daemon has no use

    found: Exception | None = None
    for candidate in [asked] if asked else [PREFERRED_PORT, 0, 0]:
        try:
            with socket.create_server((LOOPBACK, candidate)) as probe:
                port = int(probe.getsockname()[1])
            config: dict[str, Any] = {
                "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{port}"}},
                "plugins": {ANONYMOUS: {"allow_anonymous": True}},
            }
            await _broker_class()(config).start()
        except (OSError, StartError) as error:  # taken, perhaps just now
            found = error
            continue
        return port
    if isinstance(found, PermissionError):
        raise OSError(
            errno.EACCES,
            f"port {asked} of {LOOPBACK} is only for root, as all below 1024; name a higher one "
            "in mqtt.port",
        )
    if isinstance(found, OSError) and found.errno != errno.EADDRINUSE:
        raise found
    raise OSError(
        errno.EADDRINUSE,
        f"port {asked} of {LOOPBACK} is taken; is your own broker there? Name it in mqtt.host",
    )


async def _serve() -> None:
    """The child process: port in, port out, until its input ends."""
    logging.disable(logging.CRITICAL)
    _refuse_mqtt_5()
    try:
        print(await _listen(int(sys.stdin.buffer.readline())), flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
        return
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    os._exit(0)  # nothing to save; amqtt's own shutdown waits for its clients


if __name__ == "__main__":
    asyncio.run(_serve())
