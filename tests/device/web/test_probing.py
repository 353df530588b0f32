"""The usual probing, over real HTTP."""

from __future__ import annotations

import http.client
import socket
from contextlib import ExitStack

import pytest

from device.web.routes import MOST_STREAMS
from tests.device.mqtt.appliance import wait_until
from tests.device.web.site import (
    NOBODY,
    Site,
    show,
)
from tests.scenes import ONLINE, scene_with


@pytest.mark.parametrize(
    "path",
    [
        "/static/../routes.py", "/static/%2e%2e/routes.py", "/static/..%2froutes.py",
        "/static/%2fetc%2fpasswd", "/static/page.html", "/static/", "//etc/passwd",
        "/static/page.js%00.css", "/../../etc/passwd", "/.env", "/static/__init__.py",
    ],
)  # fmt: skip
def test_no_path_leads_out(site: Site, path: str) -> None:
    answer = site.ask(path)
    assert answer.status in (400, 404)
    assert len(answer.body) < 100


def raw(site: Site, request: bytes) -> bytes:
    """What comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as connection:
        connection.sendall(request)
        return connection.recv(65536)


def test_headers_cannot_be_injected(locked: Site) -> None:
    answer = locked.login("x%0d%0aSet-Cookie:+a=b")
    assert answer.headers["Set-Cookie"] is None
    split = raw(locked, b"GET /%0d%0aX-Evil:1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"X-Evil" not in split.partition(b"\r\n\r\n")[0]
    twice = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 9\r\n"
    assert raw(locked, twice + b"\r\nx").startswith(b"HTTP/1.1 400")
    both = b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, x\r\n\r\n"
    assert raw(locked, both)[9:12] in (b"400", b"501")


def test_large_bodies_and_headers_are_refused(site: Site) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
    assert raw(site, head).startswith(b"HTTP/1.1 413")
    many = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"
    assert raw(site, many).startswith(b"HTTP/1.0 431")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"])
def test_other_methods_are_refused(site: Site, method: str) -> None:
    assert site.ask("/", method).status == 405


def test_streams_are_bounded_and_free_again(site: Site) -> None:
    show(site, NOBODY, ONLINE)
    with ExitStack() as stack:
        for _ in range(MOST_STREAMS):
            connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
            stack.callback(connection.close)
            connection.request("GET", "/stream")
            response = connection.getresponse()
            stack.callback(response.close)
            assert response.status == 200
        assert site.ask("/session").status == site.ask("/stream").status == 503
        assert site.ask("/session").text == "6 pages of this device are open already: close one\n"
        assert site.ask("/").status == 200  # the others go on
        assert site.command("identify")[0] == 200

    def is_free() -> bool:
        show(site, scene_with(), ONLINE)  # something to say, so that the server notices
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
        try:
            connection.request("GET", "/stream")
            response = connection.getresponse()
            response.close()
            return response.status == 200
        finally:
            connection.close()

    wait_until(is_free)
    wait_until(lambda: site.ask("/session").status == 204)
