"""What the screen says of the broker, from the connection to the words."""

from __future__ import annotations

from dataclasses import replace

from device.daemon.observed import let_observe
from device.display.wording import Shown, headline, problem_line
from device.mqtt.publisher import MqttPublisher
from device.pipeline import finish_frame
from device.vocabulary import Classification, ExpressionEvent, Frame, Scene, Status
from tests.broker import TestBroker
from tests.device.display.screens import HAPPY
from tests.device.mqtt.appliance import running_publisher, wait_until
from tests.fakes import fake_parts

NOBODY = Scene((), 640, 480, 0.0)


class Seen:
    """Keeps what the screen is handed."""

    def __init__(self) -> None:
        self.newest: Shown | None = None

    def publish(self, event: ExpressionEvent) -> None: ...

    def collect(self, classifications: list[Classification], now_s: float) -> None: ...

    def show(self, scene: Scene, status: Status, frame: Frame | None) -> None:
        self.newest = Shown(scene, status, frame)


def test_a_broker_that_is_away_is_on_the_screen_until_it_is_back(mosquitto: TestBroker) -> None:
    parts, seen = fake_parts([]), Seen()

    def screen(scene: Scene = NOBODY) -> tuple[str | None, str]:
        finish_frame(parts, scene, None)
        assert seen.newest
        return headline(seen.newest), problem_line(seen.newest.status)

    def prepare(publisher: MqttPublisher) -> None:
        assert not publisher.broker_away, "it has not even tried to connect"

    with running_publisher(mosquitto.port, prepare=prepare) as publisher:
        parts.publisher = publisher
        let_observe(parts, seen)  # type: ignore[arg-type]
        wait_until(lambda: publisher.connected)
        assert screen() == ("no face", "")
        mosquitto.kill()
        wait_until(lambda: "nothing listens" in (publisher.problem or ""))
        large, small = screen()
        assert large == "broker away"
        assert small.startswith(f"broker away; broker 127.0.0.1:{mosquitto.port}: nothing listens")
        large, small = screen(replace(NOBODY, faces=(HAPPY,)))
        assert large is None, "the face is named"
        assert small.startswith("broker away; ")
        parts.status = replace(parts.status, problem="the board is too slow or too hot")
        assert screen() == ("broker away", "broker away; the board is too slow or too hot")
        mosquitto.start()
        wait_until(lambda: publisher.connected)
        assert screen() == ("no face", "the board is too slow or too hot")
