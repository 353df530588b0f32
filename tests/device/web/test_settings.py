"""What of ``[web]`` stops the start, and what it says."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from device.cli.check import page_line
from device.daemon.build_web import open_web
from device.errors import ConfigurationError, MienError
from device.mqtt.discovery import discovery_payload
from device.mqtt.identity import Identity, Topics
from device.settings import Settings, load_settings
from device.settings.tree import Web
from device.web.server import page_url, tls_context, url_for_others
from tests.certificates import Authority
from tests.device.web.site import QUICK_HASH


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('address = "0.0.0.0"', r"mien.toml:3: web.address = '0.0.0.0'.*mien web password"),
        ('address = "::"', r"web.address.*needs a password"),
        ('address = "192.168.1.5"', r"web.address.*needs a password"),
        ('address = "mien.local"', r"web.address.*allowed is an IP address"),
        ('host_names = "mien.example"', r"web.host_names.*needs a password"),
        ('host_names = "a b"', r"web.host_names.*allowed are names"),
        ('cert_file = "a.pem"', r"web.cert_file and web.key_file belong together"),
        ("port = 70000", r"allowed: 0 to 65535"),
    ],
)
def test_what_would_be_unsafe_or_wrong_stops_the_start(
    text: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "mien.toml").write_text(f"[web]\nenabled = true\n{text}\n")
    with pytest.raises(ConfigurationError, match=told):
        load_settings(tmp_path / "mien.toml")


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "192.168.1.5"])
def test_page_and_metrics_have_two_ports(address: str, tmp_path: Path) -> None:
    """They are told apart by the port: the page would be the one without a password."""
    path = tmp_path / "mien.toml"
    page = f'[web]\naddress = "{address}"\nport = 9100\npassword_hash = "{QUICK_HASH}"\n'
    text = f"[health]\nprometheus_port = 9100\n{page}"
    path.write_text(f"{text}enabled = true\n")
    with pytest.raises(
        ConfigurationError, match=r":2: health\.prometheus_port = 9100: .*web\.port"
    ):
        load_settings(path)
    path.write_text(text)
    assert load_settings(path).health.prometheus_port == 9100  # there is no page
    path.write_text(f"{text}enabled = true\n".replace("9100", "0"))
    assert load_settings(path).web.port == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.1.2.3"])
def test_this_device_alone_needs_no_password(address: str, tmp_path: Path) -> None:
    (tmp_path / "mien.toml").write_text(f'[web]\nenabled = true\naddress = "{address}"\n')
    assert load_settings(tmp_path / "mien.toml").web.address == address


def test_the_hash_may_stand_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "mien.toml").write_text('[web]\nenabled = true\naddress = "::"\n')
    environment = {"MIEN_WEB__PASSWORD_HASH": QUICK_HASH}
    assert load_settings(tmp_path / "mien.toml", environment).web.password_hash == QUICK_HASH


def test_without_the_setting_nothing_listens() -> None:
    with ExitStack() as stack:
        assert open_web(Settings(), stack) is None


def test_a_port_that_may_never_be_had_is_a_wrong_setting() -> None:
    settings = replace(Settings(), web=Web(enabled=True, address="ff02::1"))  # a multicast group
    with ExitStack() as stack, pytest.raises(ConfigurationError, match=r"web.port = 8420: cannot"):
        open_web(settings, stack)


def test_home_assistant_learns_where_the_page_is_if_it_can_be_reached() -> None:
    topics = Topics("mien", "x")
    assert url_for_others(Web(enabled=True)) == ""
    assert url_for_others(Web(address="0.0.0.0")) == ""
    url = url_for_others(Web(enabled=True, address="0.0.0.0", host_names="mien.lan, b"))
    assert url == "http://mien.lan:8420/"
    assert discovery_payload(Identity("x"), topics, page=url)["dev"]["configuration_url"] == url
    assert "configuration_url" not in discovery_payload(Identity("x"), topics)["dev"]


def test_the_address_is_one_that_a_browser_opens() -> None:
    assert page_url(Web(), 8420) == "http://127.0.0.1:8420/"
    assert page_url(Web(address="::1", cert_file="a"), 1) == "https://[::1]:1/"
    assert ".local:8420/" in page_url(Web(address="0.0.0.0"), 8420)


def test_check_says_where_the_page_is_and_who_may_look(tmp_path: Path) -> None:
    def line(**web: object) -> str:
        return page_line(replace(Settings(), web=Web(**web)))

    assert line() == "off (web.enabled)"
    assert line(enabled=True) == "http://127.0.0.1:8420 (this device alone, no password)"
    shown = line(enabled=True, address="::", password_hash=QUICK_HASH, show_camera=True)
    assert shown == "http://[::]:8420 (with a password, shows the camera's picture)"
    with pytest.raises(ConfigurationError, match=r"web\.password_hash"):
        line(enabled=True, password_hash="secret")
    with pytest.raises(ConfigurationError, match=r"web\.cert_file"):
        line(enabled=True, cert_file=str(tmp_path / "none"), key_file="b")


def test_a_wrong_certificate_or_key_is_said_in_words(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "home")
    mine, other = authority.issue("mien", "127.0.0.1"), authority.issue("other", "127.0.0.1")
    key = load_pem_private_key(mine.key.read_bytes(), None)
    pem, kind, passphrase = Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    locked = tmp_path / "locked.pem"
    locked.write_bytes(key.private_bytes(pem, kind, passphrase))
    for cert, key_path, told in (
        (mine.key, mine.key, "no certificate in PEM"),
        (mine.cert, locked, "without a passphrase"),  # OpenSSL would ask the terminal
        (tmp_path, tmp_path, "Is a directory"),
        (tmp_path / "none", mine.key, "No such file"),
    ):
        web = Web(enabled=True, cert_file=str(cert), key_file=str(key_path))
        with pytest.raises(ConfigurationError, match=told):
            tls_context(web)
    for cert, key_path, told in (
        (mine.cert, other.key, "the key is not that of the certificate"),  # just being renewed
        (mine.cert, "/proc/self/mem", "Input/output error"),
    ):
        with pytest.raises(MienError, match=told) as raised:
            tls_context(Web(enabled=True, cert_file=str(cert), key_file=str(key_path)))
        assert raised.value.exit_status == 1  # systemd tries again
