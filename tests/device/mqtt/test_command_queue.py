from __future__ import annotations

import json
import logging
import random
from typing import Any

import pytest

from device.mqtt.command_queue import BURST, MAX_BYTES, MAX_WAITING, NAMES, CommandQueue


class FakeResponder:
    def __init__(self) -> None:
        self.answers: list[tuple[str, str | None, str]] = []

    def __call__(
        self,
        name: str,
        transaction: str | None,
        *,
        data: Any = None,
        error: str = "",
        reply_to: object = None,
    ) -> None:
        self.answers.append((name, transaction, error))


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def queue_and_answers() -> tuple[CommandQueue, FakeResponder, Clock]:
    responder, clock = FakeResponder(), Clock()
    return CommandQueue(responder, clock), responder, clock


def test_a_valid_command_reaches_the_loop_with_its_transaction() -> None:
    queue, responder, _ = queue_and_answers()
    body = {"transaction": "t", "settings": {"smoothing.threshold": 0.5}}
    queue.receive("mien/x/command/set", json.dumps(body).encode(), False)
    (command,) = queue.take()
    assert (command.name, command.transaction) == ("set", "t")
    assert command.arguments == {"settings": {"smoothing.threshold": 0.5}}
    assert responder.answers == []
    assert queue.take() == []


def test_taking_a_retained_command_back_does_not_carry_it_out() -> None:
    queue, _, _ = queue_and_answers()
    queue.receive("mien/x/command/restart", b"", False)
    queue.receive("mien/x/command/get", b"{}", False)
    assert [command.name for command in queue.take()] == ["get"]


@pytest.mark.parametrize(
    ("name", "payload", "error"),
    [
        ("nonsense", b"{}", "unknown command"),
        ("get", b"{" * (MAX_BYTES + 1), "too many"),
        ("get", b"{", "not JSON"),
        ("get", b"\xff\xfe", "not JSON"),
        ("get", b"[" * 4000, "not JSON"),
        ("get", b"[]", "must be object"),
        ("get", b'{"extra":1}', "the command takes no arguments, but there is extra"),
        ("set", b"{}", "settings"),
        ("set", b'{"settings":{}}', "settings is empty; name at least one of: smoothing.threshold"),
        ("set", b'{"settings":{"mqtt.password":"x"}}', "unknown mqtt.password; known: camera."),
        ("set", b'{"settings":{"smoothing.threshold":"high"}}', "must be number"),
        ("set", b'{"settings":{"smoothing.threshold":NaN}}', "NaN"),
        ("synthesize", b'{"expression":"uncertain"}', "must be one of"),
        ("get", b'{"transaction":5}', "must be"),
        ("get", b'{"transaction":"' + b"x" * 200 + b'"}', "shorter"),
    ],
)
def test_what_is_wrong_is_answered_with_a_sentence(name: str, payload: bytes, error: str) -> None:
    queue, responder, _ = queue_and_answers()
    queue.receive(f"mien/x/command/{name}", payload, False)
    assert queue.take() == []
    ((answered, _, text),) = responder.answers
    assert answered == name
    assert error in text
    assert len(text) < 400


def test_the_transaction_of_a_refused_command_comes_back() -> None:
    queue, responder, _ = queue_and_answers()
    queue.receive("mien/x/command/set", b'{"transaction":"abc"}', False)
    assert responder.answers[0][1] == "abc"


def test_retained_commands_are_ignored_with_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    queue, responder, _ = queue_and_answers()
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            queue.receive("mien/x/command/pause", b"{}", True)
    assert queue.take() == []
    assert responder.answers == []
    assert len(caplog.records) == 1
    assert queue.refused == 5


def test_a_flood_is_cut_answered_once_and_over_after_a_while() -> None:
    queue, responder, clock = queue_and_answers()
    for _ in range(1000):
        queue.receive("mien/x/command/identify", b"{}", False)
    assert len(queue.take()) == min(BURST, MAX_WAITING)
    assert len([a for a in responder.answers if "too many commands; at most" in a[2]]) == 1
    clock.now_s = 10.0
    queue.receive("mien/x/command/get", b"{}", False)
    assert [command.name for command in queue.take()] == ["get"]


def test_a_topic_that_is_no_name_is_not_answered() -> None:
    queue, responder, _ = queue_and_answers()
    queue.receive("mien/x/command/\x1b[2J" + "x" * 500, b"{}", False)
    assert responder.answers == []
    assert queue.refused == 1


def fuzzed(rng: random.Random) -> tuple[str, bytes]:
    """A name and a payload that may be anything."""
    name = rng.choice([*NAMES, "", "x" * rng.randrange(300), "§§", "set/../get"])
    valid = {"transaction": "t", "settings": {"smoothing.threshold": 0.5}, "expression": "happy"}
    text = json.dumps(valid).encode()
    kind = rng.randrange(8)
    if kind == 0:
        return name, rng.randbytes(rng.randrange(6000))
    if kind == 1:
        return name, text[: rng.randrange(len(text))]
    if kind == 2:
        depth = rng.randrange(1, 5000)
        return name, rng.choice([b"[", b'{"a":', b'{"settings":']) * depth
    if kind == 3:
        return name, b'{"settings":{"smoothing.dwell_s":%s}}' % (b"9" * rng.randrange(1, 5000))
    if kind == 4:
        number = rng.choice([b"1e999", b"-1e999", b"NaN", b"Infinity", b"-0", b"1e-999"])
        return name, b'{"settings":{"smoothing.threshold":%s}}' % number
    if kind == 5:
        value = rng.choice([None, True, [], {}, "x" * 5000, [[]], {"settings": 1}, -1])
        return name, json.dumps({"settings": value, "transaction": value}).encode()
    if kind == 6:
        mutated = bytearray(text)
        for _ in range(rng.randrange(1, 6)):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        return name, bytes(mutated)
    return name, text


@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_fuzzed_payloads_crash_nothing_and_fill_nothing(count: int) -> None:
    queue, responder, clock = queue_and_answers()
    rng = random.Random(count)
    for _ in range(count):
        clock.now_s += 1.0  # so that the limit on floods lets each one through
        name, payload = fuzzed(rng)
        queue.receive(f"mien/x/command/{name}", payload, False)
        assert len(queue.take()) <= 1
    assert queue.refused > count / 4
    responder.answers.clear()
    queue.receive("mien/x/command/get", b"{}", False)
    assert [command.name for command in queue.take()] == ["get"]


def test_an_unknown_command_is_answered_with_its_transaction() -> None:
    queue, responder, _ = queue_and_answers()
    queue.receive("mien/x/command/dance", b'{"transaction":"t7"}', False)
    assert queue.take() == []
    assert responder.answers[0][1] == "t7"
