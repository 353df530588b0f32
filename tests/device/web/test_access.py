from __future__ import annotations

import pytest

from device.web.access import (
    EACH_S,
    MOST_SESSIONS,
    SESSION_S,
    TRIES,
    TRIES_OF_ALL,
    Access,
    LoginPace,
    is_known_host,
)
from device.web.password import parse_hash
from tests.device.web.site import PASSWORD, QUICK_HASH


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(clock: Clock) -> Access:
    return Access(parse_hash(QUICK_HASH), clock)


def test_an_address_gets_a_few_tries_and_then_one_now_and_then(clock: Clock) -> None:
    pace = LoginPace(clock)
    assert [pace.wait_s("10.0.0.1") for _ in range(TRIES)] == [0.0] * TRIES
    assert 0 < pace.wait_s("10.0.0.1") <= EACH_S
    assert pace.wait_s("10.0.0.2") == 0
    clock.now_s += EACH_S
    assert pace.wait_s("10.0.0.1") == 0
    assert pace.wait_s("10.0.0.1") > 0


def test_many_addresses_share_a_limit(clock: Clock) -> None:
    pace = LoginPace(clock)
    waits = [pace.wait_s(f"10.0.{number}.1") for number in range(TRIES_OF_ALL + 5)]
    assert waits[:TRIES_OF_ALL] == [0.0] * TRIES_OF_ALL
    assert all(wait > 0 for wait in waits[TRIES_OF_ALL:])


def test_a_refused_try_costs_nothing_and_memory_is_bounded(clock: Clock) -> None:
    pace = LoginPace(clock)
    for number in range(5000):
        pace.wait_s(f"10.{number >> 8}.{number & 255}.1")
        clock.now_s += 10.0
    assert len(pace._spent) <= 256


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_a_network_counts_as_one(clock: Clock, one: str, other: str, is_same: bool) -> None:
    pace = LoginPace(clock)
    for _ in range(TRIES):
        pace.wait_s(one)
    assert (pace.wait_s(other) > 0) == is_same


def test_a_session_ends_by_time_and_by_logging_out(access: Access, clock: Clock) -> None:
    assert access.session(None) is None
    assert access.session("guessed") is None
    assert access.login("wrong") is None
    first, second = access.login(PASSWORD), access.login(PASSWORD)
    assert first
    assert first != second
    session, other = access.session(first), access.session(second)
    assert session
    assert other
    assert session.csrf != other.csrf
    access.logout(first)
    assert access.session(first) is None
    clock.now_s += SESSION_S
    assert access.session(second) is None


def test_sessions_are_bounded(access: Access) -> None:
    cookies = [access.login(PASSWORD) for _ in range(MOST_SESSIONS + 1)]
    assert access.session(cookies[0]) is None
    assert access.session(cookies[-1])


def test_a_right_password_is_known_again_without_the_slow_hash(access: Access) -> None:
    assert not access.knows(PASSWORD)
    assert not access.is_right("wrong")
    assert access.is_right(PASSWORD)
    assert access.knows(PASSWORD)
    assert not access.knows("wrong")


@pytest.mark.parametrize(
    ("header", "is_known"),
    [
        ("localhost:8420", True),
        ("127.0.0.1", True),
        ("192.168.1.5:8420", True),
        ("[::1]:8420", True),
        ("mien.local:8420", True),
        ("MIEN.local.", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:8420", False),
        ("mien.local@evil.example", False),
        ("", False),
    ],
)
def test_only_own_names_are_answered(header: str, is_known: bool) -> None:
    assert is_known_host(header, ["mien.local"]) == is_known
