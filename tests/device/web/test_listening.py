"""An address that comes later, a port that another program has: the daemon goes on."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from device.daemon.build_web import open_web
from device.settings import Settings
from device.settings.tree import Web
from device.web.server import WebServer, is_free
from tests.broker import free_port
from tests.device.mqtt.appliance import wait_until
from tests.device.web.site import QUICK_HASH

NOT_OURS = ("192.0.2.55", "2001:db8::55")  # for documentation (RFC 5737, RFC 3849): nobody's


def say(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The smallest application."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]


def answer(port: int, address: str = "127.0.0.1") -> str:
    try:
        with urlopen(f"http://{address}:{port}/", timeout=10) as response:
            return str(response.read().decode())
    except URLError:
        return ""


@pytest.mark.parametrize("address", NOT_OURS)
def test_an_address_that_is_not_there_yet_does_not_end_the_start(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    if ":" in address and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    web = Web(enabled=True, address=address, password_hash=QUICK_HASH)
    with ExitStack() as stack, caplog.at_level(logging.WARNING):
        side = open_web(replace(Settings(), web=web), stack)
        assert side
        assert side.server.ports == []
    told = f"web.port = 8420: cannot listen on {address}: not an address of this device now"
    assert [record.message for record in caplog.records] == [f"{told}; trying again"]


COMES_LATER = """
import subprocess
from device.web.server import WebServer
from tests.device.mqtt.appliance import wait_until
from tests.device.web.test_listening import NOT_OURS, answer, say
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = WebServer(retry_s=0.01)
server.listen("web.port", NOT_OURS[0], 8420, 1)
server.start(lambda: say)
assert server.ports == []
subprocess.run(["ip", "address", "add", NOT_OURS[0], "dev", "lo"], check=True)
wait_until(lambda: answer(8420, NOT_OURS[0]) == "here")
server.close()
"""


def test_once_the_address_is_there_it_answers() -> None:
    alone = ["unshare", "--net"]
    if os.geteuid() != 0 or not shutil.which("ip") or subprocess.run([*alone, "true"]).returncode:
        pytest.skip("needs the right to make a network of its own")
    subprocess.run([*alone, sys.executable, "-c", COMES_LATER], check=True, timeout=60)


def test_a_port_that_is_taken_is_warned_of_once_and_had_when_it_is_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port, server = free_port(), WebServer(retry_s=0.01)
    caplog.set_level(logging.INFO, "mien")
    with closing(socket.create_server(("127.0.0.1", port))):
        assert not is_free("127.0.0.1", port)
        assert server.listen("web.port", "127.0.0.1", port, 1) == port
        metrics = server.listen("health.prometheus_port", "127.0.0.1", 0, 1)
        server.start(lambda: say)
        assert answer(metrics) == "here"
        assert server.ports == [metrics]
    wait_until(lambda: port in server.ports and answer(port) == "here")
    server.close()
    assert is_free("127.0.0.1", port)
    assert [record.message for record in caplog.records] == [
        f"web.port = {port}: cannot listen on 127.0.0.1: Address already in use; trying again",
        f"web.port = {port}: listening on 127.0.0.1 now",
    ]


def test_a_taken_port_ends_neither_the_start_nor_holds_up_the_end() -> None:
    port = free_port()
    with closing(socket.create_server(("127.0.0.1", port))), ExitStack() as stack:
        side = open_web(replace(Settings(), web=Web(enabled=True, port=port)), stack)
        assert side
        side.server.start(lambda: say)
        before = set(threading.enumerate())
        side.server.close()
        assert side.server._thread not in before & set(threading.enumerate())
