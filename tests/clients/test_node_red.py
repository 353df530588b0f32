"""The example flow in a real Node-RED: what it counts, and its button."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from device.mqtt.identity import Identity
from device.mqtt.payloads import Payloads, WallClock, encode
from device.vocabulary import EventType, Expression, ExpressionEvent
from tests.broker import Mosquitto
from tests.clients import install
from tests.clients.node_red import NodeRed
from tests.clients.packages import EXAMPLES
from tests.scenes import probabilities_for
from tests.subscriber import Subscriber

pytestmark = pytest.mark.slow
MINUTE_MS = 60_000
HAPPY, SAD = Expression.HAPPY, Expression.SAD


@dataclass(frozen=True)
class Flow:
    """The example, deployed; ``counted_path`` gets a line for each message it shows."""

    broker: Mosquitto
    node_red: NodeRed
    counted_path: Path

    def wait_subscribed(self) -> None:
        """Sends events of another device until the first is counted."""
        payloads = Payloads(Identity("other"), WallClock())
        with Subscriber(self.broker.port) as client:
            for _ in range(100):
                event = happen(EventType.CHANGED, SAD, Expression.NEUTRAL, 0)
                client.publish("mien/other/event", encode(payloads.event(event)))
                time.sleep(0.3)
                if self.counted_path.exists():
                    break
        self.counted_path.write_text("")

    def wait_for(self, lines: int) -> list[dict[str, Any]]:
        """What the flow has sent on since then, at least so many lines."""
        by_s = time.monotonic() + 30.0
        while True:
            text = self.counted_path.read_text() if self.counted_path.exists() else ""
            if text.count("\n") >= lines:
                return [json.loads(line) for line in text.splitlines()]
            if time.monotonic() > by_s:
                raise TimeoutError(f"{lines} lines wanted: {text}")
            time.sleep(0.05)


@pytest.fixture
def flow(real_mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Flow]:
    try:
        script = install.node_red()
    except install.NotInstalledError as error:
        pytest.skip(str(error))
    counted_path = tmp_path / "counted"
    text = (EXAMPLES / "node-red.json").read_text().replace("DEVICE", "desk")
    nodes = json.loads(text.replace('"1883"', f'"{real_mosquitto.port}"'))
    probe = {"id": "probe", "type": "file", "z": "mien-tab", "filename": str(counted_path)}
    more = {"filenameType": "str", "appendNewline": True, "overwriteFile": "false", "wires": [[]]}
    next(n for n in nodes if n["id"] == "mien-minutes")["wires"][0].append("probe")
    node_red = NodeRed(script, tmp_path / "node-red")
    node_red.start()
    try:
        node_red.deploy([*nodes, {**probe, **more, "x": 700, "y": 120}])
        found = Flow(real_mosquitto, node_red, counted_path)
        found.wait_subscribed()
        yield found
    finally:
        node_red.stop()


def happen(
    kind: EventType, expression: Expression, previous: Expression | None, duration_ms: int
) -> ExpressionEvent:
    values = probabilities_for(expression)
    return ExpressionEvent(kind, 1, expression, previous, 0.9, values, duration_ms, 1.0)


def publish(flow: Flow, events: list[ExpressionEvent]) -> None:
    """Each event twice, as QoS 1 may bring it."""
    payloads = Payloads(Identity("desk"), WallClock())
    with Subscriber(flow.broker.port) as client:
        for event in events:
            body = encode(payloads.event(event))
            client.publish("mien/desk/event", body)
            client.publish("mien/desk/event", body)


def test_minutes_of_each_expression_leave_out_second_copies(flow: Flow) -> None:
    publish(
        flow,
        [
            happen(EventType.APPEARED, HAPPY, None, 0),
            happen(EventType.CHANGED, SAD, HAPPY, 3 * MINUTE_MS),
            happen(EventType.CHANGED, HAPPY, SAD, 2 * MINUTE_MS),
        ],
    )
    assert flow.wait_for(2) == [
        {"neutral": 0, "happy": 3},
        {"neutral": 0, "happy": 3, "sad": 2},
    ]


def test_a_vanished_face_adds_only_the_time_of_its_last_expression(flow: Flow) -> None:
    publish(
        flow,
        [
            happen(EventType.APPEARED, HAPPY, None, 0),
            happen(EventType.CHANGED, SAD, HAPPY, 3 * MINUTE_MS),
            happen(EventType.VANISHED, SAD, SAD, 5 * MINUTE_MS),
        ],
    )
    assert flow.wait_for(2)[-1] == {"neutral": 0, "happy": 3, "sad": 2}


def test_the_button_sends_the_command(flow: Flow) -> None:
    with Subscriber(flow.broker.port) as subscriber:
        flow.node_red.press("mien-button")
        sent = subscriber.wait_for("command/identify")
    assert sent[-1].payload == b"{}"
    assert not sent[-1].retained
