"""What a broker's host may be, with and without a port."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import ConfigurationError
from device.settings import load_settings
from device.settings.hosts import is_host, split_address

NAMES = ["broker.lan", "broker.lan.", "10.0.0.1", "::1", "fe80::1%eth0", "my_pi", "bröker.lan"]
NO_NAMES = [
    "", "192.168..10", ".lan", "a" * 64 + ".lan", "a." * 130, "a b", "a/b", "a:1", "u@a", "a\0b",
    "a%b", "[::1]", "mqtt://a", "ö" * 60,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_and_addresses_are_hosts(name: str) -> None:
    assert is_host(name)


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_no_resolver_takes_is_no_host(name: str) -> None:
    assert not is_host(name)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("broker.lan", ("broker.lan", 0)),
        ("broker.lan:1884", ("broker.lan", 1884)),
        ("10.0.0.1:65535", ("10.0.0.1", 65535)),
        ("::1", ("::1", 0)),
        ("[::1]", ("::1", 0)),
        ("[::1]:1883", ("::1", 1883)),
        ("fe80::1%eth0", ("fe80::1%eth0", 0)),
        ("[fe80::1%eth0]:1883", ("fe80::1%eth0", 1883)),
    ],
)
def test_an_address_is_taken_apart_at_its_port(address: str, expected: tuple[str, int]) -> None:
    assert split_address(address) == expected


@pytest.mark.parametrize(
    "address",
    ["", ":1883", "a:", "a:x", "a:65536", "a:-1", "a:1:2", "[::1", "[::1]1883", "[::1]:", "a:٣"],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        split_address(address)


@pytest.mark.parametrize("host", ["192.168..10", "a" * 64, "a b"])
def test_a_host_that_no_resolver_takes_is_a_wrong_setting(tmp_path: Path, host: str) -> None:
    path = tmp_path / "mien.toml"
    path.write_text(f'[mqtt]\nhost = "{host}"\n')
    with pytest.raises(ConfigurationError, match=rf"mien\.toml:2: mqtt\.host = '{host}'"):
        load_settings(path)


@pytest.mark.parametrize(
    "value",
    ['"mqtt://user:PASSWORD@host"', '"user:PASS@WORD@host"', '"u:PASSWORD\\n@host"',
     '["mqtt://user:PASSWORD@host"]'],
)  # fmt: skip
def test_a_password_in_the_host_is_never_shown(tmp_path: Path, value: str) -> None:
    path = tmp_path / "mien.toml"
    path.write_text(f"[mqtt]\nhost = {value}\n")
    with pytest.raises(ConfigurationError, match=r"mqtt\.host") as caught:
        load_settings(path)
    assert "PASS" not in str(caught.value)
    assert "WORD" not in str(caught.value)
