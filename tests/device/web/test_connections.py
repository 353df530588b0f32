"""Slow, many and encrypted connections."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from device.daemon.build_web import PAGE_THREADS
from device.web import connections, server
from tests.broker import free_port
from tests.certificates import Authority
from tests.device.mqtt.appliance import wait_until
from tests.device.web.site import NOBODY, QUICK_HASH, running_site, show
from tests.scenes import ONLINE


def test_many_connections_keep_nobody_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_site(tmp_path) as site, ExitStack() as stack:
        assert site.ask("/").status == 200
        threads = threading.active_count()
        for number in range(200):
            slow = socket.create_connection(("127.0.0.1", site.port))
            stack.callback(slow.close)
            if number % 2:
                slow.send(b"GET / HT")
        assert site.ask("/").status == 200
        assert threading.active_count() <= threads
    assert "Traceback" not in capfd.readouterr().err


def test_a_request_that_trickles_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "READ_WITHIN_S", 0.3)
    with running_site(tmp_path) as site:
        with socket.create_connection(("127.0.0.1", site.port), timeout=10) as slow:
            is_open = True

            def trickle() -> bool:
                nonlocal is_open
                try:
                    slow.sendall(b"x")
                    slow.settimeout(0.05)
                    is_open = slow.recv(1) != b""
                except TimeoutError:
                    pass
                except OSError:
                    is_open = False
                return not is_open

            wait_until(trickle)
        assert site.ask("/").status == 200


def deaf_client(port: int) -> socket.socket:
    """A connection that takes next to nothing."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.connect(("127.0.0.1", port))
    return deaf


def is_cut_off(client: socket.socket) -> bool:
    """Whether the other side has given it up."""
    client.settimeout(0.05)
    try:
        client.send(b"x")
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def test_who_asks_and_does_not_read_holds_no_thread(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SEND_WITHIN_S", 300.0)  # it is not time that ends them
    request = b"GET /static/page.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running_site(tmp_path) as site, ExitStack() as stack:
        waiting = [stack.enter_context(deaf_client(site.port)) for _ in range(PAGE_THREADS + 2)]
        for deaf in waiting:
            deaf.settimeout(0.2)
            with suppress(OSError):  # it is not read any more, or cut off
                deaf.sendall(400 * request)
        wait_until(lambda: all(is_cut_off(deaf) for deaf in waiting))
        assert site.ask("/").status == 200
    assert caplog.records == []


def test_what_nobody_takes_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SEND_WITHIN_S", 0.3)
    monkeypatch.setattr(connections, "POLL_S", 0.1)
    monkeypatch.setitem(connections.LIMITS, "outbuf_high_watermark", 1 << 30)
    request = b"GET /static/page.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running_site(tmp_path) as site, deaf_client(site.port) as deaf:
        deaf.sendall(150 * request)
        wait_until(lambda: is_cut_off(deaf))


def test_the_page_ends_at_once_though_somebody_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (connections, server):
        monkeypatch.setattr(module, "CLOSE_WAIT_S", 60.0)  # a thread that is waited for shows
    port = free_port()  # no other program's connection is given this one
    with ExitStack() as stack:
        with running_site(tmp_path, port=port) as site:
            show(site, NOBODY, ONLINE)
            looking = stack.enter_context(socket.create_connection(("127.0.0.1", port), 60.0))
            looking.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            seen = b""
            while b"event: about" not in seen:
                seen += (more := looking.recv(65536))
                assert more
            begun_s = time.monotonic()
        assert time.monotonic() - begun_s < 30.0
    with socket.create_server(("127.0.0.1", port)):
        pass  # the port is free again


def test_https_with_the_users_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "home")
    pair = authority.issue("mien", "127.0.0.1")
    context = ssl.create_default_context(cafile=str(authority.cert))
    files = {"cert_file": str(pair.cert), "key_file": str(pair.key)}
    with running_site(tmp_path, password_hash=QUICK_HASH, **files) as site, ExitStack() as stack:
        for _ in range(20):  # they neither speak TLS nor anything
            stack.callback(socket.create_connection(("127.0.0.1", site.port)).close)
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", site.port)))
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        bare = stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=10))
        connection = stack.enter_context(context.wrap_socket(bare, server_hostname="127.0.0.1"))
        request = "GET /static/page.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        page = b""
        while chunk := connection.recv(65536):
            page += chunk
        assert page.startswith(b"HTTP/1.1 200 OK")
        script = Path(connections.__file__).with_name("static") / "page.js"
        assert page.endswith(script.read_bytes())
        login = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 22\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\npassword=correct+horse"
        bare = stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=10))
        connection = stack.enter_context(context.wrap_socket(bare, server_hostname="127.0.0.1"))
        connection.sendall(login)
        assert b"; Secure" in connection.recv(65536)
