"""TLS and credentials against a real mosquitto: what works, and one clear line for what does not."""

from __future__ import annotations

import logging
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from device.errors import ConfigurationError, MienError
from device.mqtt.access import BrokerAccess, broker_access, explain_failure
from device.settings.tree import Mqtt
from tests.broker import MOSQUITTO, Mosquitto
from tests.certificates import Authority, Pair
from tests.device.mqtt.appliance import DEVICE, running_publisher, wait_until
from tests.scenes import change

pytestmark = pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")

PASSWORD = "correct horse"
UNREADABLE = "/proc/self/mem"  # a regular file whose first byte is an input/output error


@dataclass
class Secured:
    """A broker that wants TLS, a client certificate and a password."""

    broker: Mosquitto
    authority: Authority
    client: Pair
    password_file: Path

    def settings(self) -> Mqtt:
        return Mqtt(
            host="127.0.0.1",
            port=self.broker.port,
            tls=True,
            ca_file=str(self.authority.cert),
            cert_file=str(self.client.cert),
            key_file=str(self.client.key),
            username="mien",
            password_file=str(self.password_file),
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder, "authority")


def start(folder: Path, authority: Authority, server: Pair) -> Secured:
    passwords, acl = folder / "passwords", folder / "acl"
    passwords.touch()
    tool = str(Path(MOSQUITTO or "").with_name("mosquitto_passwd"))
    if not Path(tool).exists():
        tool = "mosquitto_passwd"
    command = [tool, "-b", str(passwords), "mien", PASSWORD]
    subprocess.run(command, check=True, capture_output=True)
    acl.write_text(f"user mien\ntopic readwrite mien/{DEVICE}/#\n")
    for path in (passwords, acl):
        path.chmod(0o644)
    broker = Mosquitto(
        folder,
        f"cafile {authority.cert}\ncertfile {server.cert}\nkeyfile {server.key}\n"
        f"require_certificate true\nallow_anonymous false\npassword_file {passwords}\n"
        f"acl_file {acl}\nuser root",
    )
    broker.start()
    (folder / "password").write_text(PASSWORD + "\n")
    client = authority.issue("client")
    return Secured(broker, authority, client, folder / "password")


@pytest.fixture
def secured(folder: Path, authority: Authority) -> Iterator[Secured]:
    secured = start(folder, authority, authority.issue("server", "127.0.0.1"))
    yield secured
    secured.broker.kill()


def one_clear_line(mqtt: Mqtt, *words: str, caplog: pytest.LogCaptureFixture) -> None:
    """Tries for a while: never connected, one warning, with these words in it."""
    access = broker_access(mqtt, DEVICE)
    with (
        caplog.at_level(logging.WARNING, "mien.mqtt"),
        running_publisher(mqtt.port, access=access) as publisher,
    ):
        wait_until(lambda: any(w in (publisher.problem or "") for w in words))
        for word in words:
            assert word in (publisher.problem or "")
        assert not publisher.connected
    lines = [r.message for r in caplog.records if r.name == "mien.mqtt"]
    assert len(lines) == 1, lines
    assert "\n" not in lines[0]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_right_authority_certificate_and_password_work(secured: Secured, protocol: str) -> None:
    access = broker_access(replace(secured.settings(), protocol=protocol), DEVICE)
    with running_publisher(secured.broker.port, access=access) as publisher:
        publisher.publish(change())
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)


def test_an_unknown_authority(
    secured: Secured, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Authority(folder, "other-authority")
    mqtt = replace(secured.settings(), ca_file=str(other.cert))
    one_clear_line(mqtt, "certificate not accepted", "mqtt.ca_file", caplog=caplog)


def test_an_expired_certificate(
    folder: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    secured = start(folder, authority, authority.issue("expired", "127.0.0.1", days=-1))
    try:
        one_clear_line(secured.settings(), "certificate has expired", caplog=caplog)
    finally:
        secured.broker.kill()


def test_a_clock_before_the_certificate_is_named_and_recovered_from(
    folder: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    server = authority.issue("early", "127.0.0.1", valid_in_s=3600.0)
    secured = start(folder, authority, server)
    try:
        access = broker_access(secured.settings(), DEVICE)
        with running_publisher(secured.broker.port, access=access) as publisher:
            wait_until(lambda: "not yet valid" in (publisher.problem or ""))
            told = publisher.problem or ""
            assert f"clock, which says {date.today().year}-" in told  # it may be midnight by now
            assert "mqtt.ca_file" not in told
            valid = authority.issue("in-time", "127.0.0.1")  # as if the clock had been set
            shutil.copy(valid.cert, server.cert)
            shutil.copy(valid.key, server.key)
            secured.broker.kill()
            secured.broker.start()
            wait_until(lambda: publisher.connected)
    finally:
        secured.broker.kill()


def test_a_device_without_a_clock_says_which_day_it_takes_it_for() -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = 9, "certificate is not yet valid"
    told = explain_failure(error, BrokerAccess("broker", 8883, "x"), now_s=86_400.0 * 1.5)
    assert "1970-01-02" in told


def test_a_certificate_for_another_host(
    folder: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    secured = start(folder, authority, authority.issue("elsewhere", "broker.example"))
    try:
        one_clear_line(secured.settings(), "mismatch", "mqtt.host", caplog=caplog)
    finally:
        secured.broker.kill()


def test_a_wrong_password(secured: Secured, caplog: pytest.LogCaptureFixture) -> None:
    mqtt = replace(secured.settings(), password_file="", password="wrong")
    one_clear_line(mqtt, "refuses", "mqtt.password_file", caplog=caplog)


def test_no_client_certificate(secured: Secured, caplog: pytest.LogCaptureFixture) -> None:
    mqtt = replace(secured.settings(), cert_file="", key_file="")
    one_clear_line(mqtt, "mqtt.cert_file", caplog=caplog)


def test_plain_text_to_a_tls_port_stays_unconnected(
    secured: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    one_clear_line(replace(secured.settings(), tls=False), "want TLS", caplog=caplog)


def test_tls_never_falls_back_to_plain_text(
    real_mosquitto: Mosquitto, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    mqtt = Mqtt(host="127.0.0.1", port=real_mosquitto.port, tls=True, ca_file=str(authority.cert))
    one_clear_line(mqtt, "TLS", caplog=caplog)
    assert "New client connected" not in real_mosquitto.log_path.read_text()


def test_a_denied_topic_is_one_line_a_problem_and_holds_nothing_up(
    secured: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    """The ACL knows another device only: MQTT 5 brokers say so at each publication."""
    access = broker_access(replace(secured.settings(), client_id="denied"), "stranger")
    with (
        caplog.at_level(logging.WARNING, "mien.mqtt"),
        running_publisher(secured.broker.port, device_id="stranger", access=access) as publisher,
    ):
        for _ in range(30):
            publisher.publish(change())
        wait_until(lambda: publisher.connected and publisher.outbox.depth == 0)
        assert "mien/stranger/" in (publisher.problem or "")
        assert publisher.num_refused >= 31  # with the birth
    lines = [r.message for r in caplog.records if "refuses a publication" in r.message]
    assert len([line for line in lines if "to mien/stranger/event:" in line]) == 1
    assert len(lines) == len(set(lines)) <= 4  # availability, event; camera and state at the end
    assert all("ACL" in line for line in lines)


@pytest.mark.parametrize(
    ("key", "value"),
    [("ca_file", "/missing.pem"), ("password_file", "/missing"), ("ca_file", "{empty}"),
     ("ca_file", "{pipe}"), ("password_file", "{pipe}"), ("password_file", "{large}")],
)  # fmt: skip
def test_files_that_cannot_be_used_stop_the_start(key: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("no certificate")
    (tmp_path / "large").write_text("x" * 5000)
    os.mkfifo(tmp_path / "pipe")  # opened as it is, it waits until somebody writes
    path = value.format(**{name: tmp_path / name for name in ("empty", "large", "pipe")})
    mqtt = replace(Mqtt(host="broker", tls=True), **{key: path})
    with pytest.raises(ConfigurationError, match=rf"mqtt\.{key} = '{path}'"):
        broker_access(mqtt, DEVICE)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(
    tmp_path: Path, authority: Authority
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    form = Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    (tmp_path / "locked").write_bytes(key.private_bytes(*form))
    cert = str(authority.issue("one").cert)
    mqtt = Mqtt(host="broker", tls=True, cert_file=cert, key_file=str(tmp_path / "locked"))
    with pytest.raises(ConfigurationError, match="passphrase"):
        broker_access(mqtt, DEVICE)


def test_a_certificate_that_is_just_being_renewed_does_not_end_the_restarts(
    tmp_path: Path, authority: Authority
) -> None:
    one, other = authority.issue("one"), authority.issue("two")
    pem, kind = Encoding.PEM, PrivateFormat.PKCS8
    (tmp_path / "rsa").write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(pem, kind, NoEncryption())
    )
    for key in (other.key, tmp_path / "rsa"):
        mqtt = Mqtt(host="broker", tls=True, cert_file=str(one.cert), key_file=str(key))
        with pytest.raises(MienError, match="cert_file") as raised:
            broker_access(mqtt, DEVICE)
        assert raised.value.exit_status == 1


@pytest.mark.parametrize("key", ["ca_file", "cert_file", "password_file"])
def test_a_disk_that_fails_does_not_end_the_restarts(key: str, authority: Authority) -> None:
    given = {key: UNREADABLE, "key_file": str(authority.issue("one").key)}
    with pytest.raises(MienError, match=rf"mqtt\.{key}.*Input/output error") as raised:
        broker_access(replace(Mqtt(host="broker", tls=True), **given), DEVICE)
    assert raised.value.exit_status == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])  # the second: as Windows writes it
def test_a_password_file_is_read_without_its_line_end(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "password").write_text("secret \n", encoding=encoding)
    mqtt = Mqtt(host="broker", password_file=str(tmp_path / "password"))
    assert broker_access(mqtt, DEVICE).password == "secret "
