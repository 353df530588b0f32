"""Two appliances with the same id, seen by both."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.mqtt.identity import REMEMBER_S, DuplicateIdWatch, Identity, make_device_id
from device.mqtt.payloads import WallClock, clock_is_synced
from device.mqtt.publisher import MqttPublisher
from tests.broker import TestBroker
from tests.device.mqtt.appliance import running_publisher, wait_until

OWN = Identity("x", boot_id="mine")


def report(boot_id: str) -> bytes:
    return b'{"boot_id":"%s"}' % boot_id.encode()


def test_a_report_with_another_boot_id_is_another_device_s_once_ours_has_come_back() -> None:
    now = [0.0]
    watch = DuplicateIdWatch(OWN, clock=lambda: now[0])
    watch.receive("t", report("of an earlier start"), True)
    assert watch.problem is None
    watch.receive("t", report("mine"), False)
    watch.receive("t", report("of an earlier start"), True)  # restored by a broker: once
    assert watch.problem is None
    watch.receive("t", report("other"), False)
    assert "another appliance" in (watch.problem or "")
    now[0] = REMEMBER_S + 1
    assert watch.problem is None


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"\xff", b"[" * 9999])
def test_rubbish_is_no_duplicate(payload: bytes) -> None:
    watch = DuplicateIdWatch(OWN)
    watch.receive("t", report("mine"), False)
    watch.receive("t", payload, False)
    assert watch.problem is None


@pytest.mark.parametrize("client_ids", [("a", "b"), ("same", "same")])
def test_two_devices_with_the_same_id_notice_each_other(
    mosquitto: TestBroker, client_ids: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """With the same client id the broker throws one out for the other, again and again."""
    port = mosquitto.port
    watches = []

    def prepare(publisher: MqttPublisher) -> None:
        watch = DuplicateIdWatch(publisher.identity)
        publisher.listen(publisher.topics("health"), watch.receive)
        watches.append(watch)

    with (
        running_publisher(port, client_id=client_ids[0], prepare=prepare) as first,
        running_publisher(port, client_id=client_ids[1], prepare=prepare) as second,
    ):

        def both_noticed() -> bool:
            first.show_health({"from": "first"})
            second.show_health({"from": "second"})
            return all(watch.problem for watch in watches)

        wait_until(both_noticed)
    assert "another appliance publishes as" in caplog.text


def test_the_device_id_lasts_and_hides_the_machine_id(tmp_path: Path) -> None:
    machine_id = tmp_path / "machine-id"
    machine_id.write_text("0123456789abcdef0123456789abcdef\n")
    made = make_device_id("", machine_id)
    assert made == make_device_id("", machine_id)
    assert made not in machine_id.read_text()
    assert len(made) == 12
    assert make_device_id("kitchen", machine_id) == "kitchen"
    machine_id.write_text("")
    assert len(make_device_id("", machine_id)) == 12  # a network card's address instead


def test_wall_clock_time_of_a_monotonic_reading() -> None:
    clock = WallClock(monotonic=lambda: 100.0, wall=lambda: 1_700_000_000.0, is_synced=lambda: True)
    assert clock.rfc3339(100.0) == "2023-11-14T22:13:20.000Z"
    assert clock.rfc3339(98.5) == "2023-11-14T22:13:18.500Z"
    assert clock.synced


def test_timesyncd_s_mark_is_believed_where_the_kernel_may_not_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.mqtt.payloads.TIMESYNCD_SAYS_SO", tmp_path / "synchronized")
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())  # no adjtimex
    assert not clock_is_synced()
    (tmp_path / "synchronized").touch()
    assert clock_is_synced()
