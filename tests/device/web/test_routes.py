"""What the page's addresses answer, over real HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from device.settings import Settings
from device.settings.tree import Health
from device.vocabulary import CameraState, Classification, Expression, Face, Status
from device.web.access import TRIES
from device.web.routes import MOST_STREAMS
from tests.broker import free_port
from tests.device.mqtt.appliance import wait_until
from tests.device.web.site import NOBODY, PASSWORD, QUICK_HASH, Site, running_site, show
from tests.fakes import CROP, HAPPY
from tests.scenes import ONLINE, change, scene_with

PAGES = ("/", "/stream", "/picture.jpg", "/metrics")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as site:
        yield site


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path, password_hash=QUICK_HASH) as site:
        yield site


def parts_of(site: Site, names: set[str], cookie: str = "") -> dict[str, Any]:
    """Opens the stream and reads until each of these was said."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    connection.request("GET", "/stream", headers={"Cookie": cookie})
    response = connection.getresponse()
    assert response.status == 200
    found: dict[str, Any] = {}
    name = ""
    while not names <= set(found):
        line = response.readline().decode().rstrip("\n")
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            found[name] = json.loads(line[6:])
    response.close()
    connection.close()
    return found


# What is shown


def test_the_stream_tells_state_events_and_health(site: Site) -> None:
    scene = scene_with(Expression.HAPPY, Expression.UNCERTAIN)
    site.feed.publish(change())
    face = Face(scene.faces[0].box, 0.9, landmarks=None, rejection_reason="blurred", crop=CROP)
    site.feed.collect([Classification(face, HAPPY)], 0.0)
    show(site, scene, ONLINE)
    told = parts_of(site, {"about", "state", "events", "health"})
    assert [face["expression"] for face in told["state"]["faces"]] == ["happy", "uncertain"]
    assert told["state"]["faces"][0]["box"] == [0.1562, 0.2083, 0.3125, 0.4167]
    assert sum(told["state"]["faces"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert told["state"]["guide"]["size_px"] == 100
    assert told["state"]["guide"]["tilt_deg"] is None
    assert told["state"]["reason"] == "blurred"
    assert told["events"][0]["previous"] == "neutral"
    assert told["health"]["broker"] == {"connected": True, "problem": None}
    assert {s["key"] for s in told["about"]["settable"]} == set(site.bench.device.settable())


def test_numbers_that_json_cannot_hold_are_left_out(site: Site) -> None:
    scene = scene_with(Expression.HAPPY, probability=float("nan"))
    show(site, scene, ONLINE)
    assert parts_of(site, {"state"})["state"]["faces"][0]["probability"] is None


def test_no_picture_without_the_setting(site: Site) -> None:
    show(site, NOBODY, ONLINE)
    assert site.feed.newest
    assert site.feed.newest.frame is None
    assert site.ask("/picture.jpg").status == 404
    assert parts_of(site, {"state"})["state"]["has_picture"] is False


def test_the_picture_is_small_and_gone_while_paused(tmp_path: Path) -> None:
    with running_site(tmp_path, show_camera=True) as site:
        show(site, NOBODY, ONLINE)
        answer = site.ask("/picture.jpg")
        picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (360, 480, 3)
        assert answer.headers["Cache-Control"] == "no-store"
        assert b"Exif" not in answer.body
        show(site, NOBODY, Status(CameraState.PAUSED), None)
        assert site.ask("/picture.jpg").status == 404
    assert [p for p in tmp_path.rglob("*") if p.suffix in (".jpg", ".png")] == []


def test_health_for_monitors(site: Site) -> None:
    assert site.ask("/healthz").text == "starting\n"
    now = scene_with(at_s=time.monotonic())
    show(site, now, ONLINE)
    assert (site.ask("/healthz").status, site.ask("/healthz").text) == (200, "ok\n")
    show(site, now, Status(CameraState.OFFLINE))
    assert site.ask("/healthz").text == "no camera\n"
    show(site, scene_with(at_s=time.monotonic() - 60), ONLINE)
    assert (site.ask("/healthz").status, site.ask("/healthz").text) == (503, "the loop hangs\n")


def test_the_port_of_prometheus_shows_no_page(tmp_path: Path) -> None:
    port = free_port()
    settings = replace(Settings(), health=Health(prometheus_port=port))
    with running_site(tmp_path, settings, password_hash=QUICK_HASH) as site:
        answer = site.ask("/metrics", port=port)
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "mien_info{" in answer.text
        for page in ("/", "/stream", "/login", "/static/page.js", "/picture.jpg"):
            assert site.ask(page, port=port).status == 404
        assert site.ask("/", port=site.port).status == 303


# Changes


def test_the_page_changes_what_mqtt_changes(site: Site) -> None:
    status, answer = site.command("set", settings={"smoothing.dwell_s": 0.3})
    assert (status, answer["status"]) == (200, "ok")
    assert answer["data"]["settings"]["smoothing.dwell_s"] == 0.3
    assert site.bench.device.settings.smoothing.dwell_s == 0.3
    assert site.command("pause")[1]["data"] == {"paused": True}
    assert site.bench.device.parts.paused
    assert site.command("resume")[1]["data"] == {"paused": False}
    assert site.command("identify")[0] == 200
    assert site.bench.screen.flashes == 1


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("set", {"settings": {"smoothing.dwell_s": -1}}, "allowed: 0 to 10"),
        ("set", {"settings": {"mqtt.host": "evil"}}, "unknown mqtt.host"),
        ("set", {"more": 1}, "lacks settings"),
        ("pause", {"paused": "yes"}, "paused"),
    ],
)
def test_what_mqtt_refuses_the_page_refuses(
    site: Site, name: str, body: dict[str, Any], told: str
) -> None:
    status, answer = site.command(name, **body)
    assert status == 400
    assert told in answer["error"]


def test_other_commands_and_what_is_no_json_are_refused(site: Site) -> None:
    for name in ("restart", "synthesize", "reload-model", "get", "x"):
        assert site.command(name)[0] == 404
    headers = {"X-Mien-Csrf": site.csrf()}
    answer = site.ask("/command/set", "POST", b"\xff{", headers)
    assert answer.status == 400
    assert "not JSON" in answer.text


def test_a_flood_is_told_at_once(site: Site) -> None:
    csrf = site.csrf()
    answers = [site.command("identify", csrf) for _ in range(40)]
    assert answers[0][0] == 200
    assert any("too many commands" in str(answer) for _, answer in answers)


# Who may ask


@pytest.mark.parametrize(
    "path", ["/", "/login", "/static/page.js", "/healthz", "/nothing", "/a\\b"]
)
def test_every_answer_has_the_headers(locked: Site, path: str) -> None:
    headers = locked.ask(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"  # else a form's Origin is null
    assert headers["Cache-Control"] == "no-store"
    assert headers["Server"] is None


def test_nothing_in_the_page_is_written_inline_or_from_elsewhere() -> None:
    folder = Path(__file__).parents[3] / "device/web/static"
    for path in folder.iterdir():
        text = path.read_text()
        if path.suffix == ".html":
            assert "style=" not in text
            assert "<script>" not in text
            assert "onclick" not in text
        for scheme in ("http://", "https://", "//cdn", "@import"):
            assert scheme not in text.replace("http://www.w3.org/2000/svg", ""), path.name


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:80", "a@b", "x" * 3000])
def test_dns_rebinding_is_refused(site: Site, host: str) -> None:
    for path in (*PAGES, "/healthz", "/static/page.js"):
        assert site.ask(path, headers={"Host": host}).status == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_cannot_change_anything(site: Site, headers: dict[str, str]) -> None:
    given = {**headers, "X-Mien-Csrf": site.csrf()}
    assert site.ask("/command/pause", "POST", b"{}", given).status == 403
    assert not site.bench.device.parts.paused


def test_a_change_needs_the_pages_token(site: Site) -> None:
    for csrf in ("", "x", "ü"):
        assert site.ask("/command/pause", "POST", b"{}", {"X-Mien-Csrf": csrf}).status == 403
    assert site.ask("/command/pause").status == 405
    assert not site.bench.device.parts.paused


def test_a_proxy_needs_a_password(site: Site, locked: Site) -> None:
    through = {"X-Forwarded-For": "203.0.113.9"}
    assert site.ask("/", headers=through).status == 403
    assert locked.ask("/login", headers=through).status == 200


def test_nothing_is_shown_before_the_password(locked: Site) -> None:
    show(locked, NOBODY, ONLINE)
    assert locked.ask("/").headers["Location"] == "/login"
    for path in ("/stream", "/picture.jpg", "/metrics", "/session"):
        assert locked.ask(path).status == 401, path
    assert locked.ask("/command/pause", "POST", b"{}").status == 401
    assert locked.ask("/static/page.html").status == 404


def test_a_right_password_opens_a_session_of_its_own(locked: Site) -> None:
    planted = "mien=planted-by-somebody"
    answer = locked.login(headers={"Cookie": planted})
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    flags = answer.headers["Set-Cookie"].lower()
    assert "httponly" in flags
    assert "samesite=strict" in flags
    assert "secure" not in flags
    assert answer.cookie not in ("", planted)
    assert locked.ask("/", headers={"Cookie": answer.cookie}).status == 200
    assert locked.ask("/", headers={"Cookie": planted}).status == 303
    proxied = locked.login(headers={"X-Forwarded-Proto": "https"})
    assert "secure" in proxied.headers["Set-Cookie"].lower()


def test_logging_out_needs_the_token_and_ends_stream_and_session(locked: Site) -> None:
    cookie = locked.login().cookie
    show(locked, NOBODY, ONLINE)
    assert parts_of(locked, {"state"}, cookie)
    csrf = locked.csrf(cookie)
    assert locked.ask("/logout", "POST", "csrf=x", {"Cookie": cookie}).status == 403
    form = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    assert locked.ask("/logout", "POST", f"csrf={csrf}", form).status == 303
    assert locked.ask("/", headers={"Cookie": cookie}).status == 303


def test_a_token_of_another_session_is_refused(locked: Site) -> None:
    mine, other = locked.login().cookie, locked.login().cookie
    headers = {"Cookie": mine, "X-Mien-Csrf": locked.csrf(other)}
    assert locked.ask("/command/pause", "POST", b"{}", headers).status == 403


def test_a_wrong_password_is_refused_and_then_throttled(locked: Site) -> None:
    answers = [locked.login("wrong") for _ in range(TRIES + 1)]
    assert [answer.status for answer in answers] == [401] * TRIES + [429]
    assert "That is not the password." in answers[0].text
    assert int(answers[-1].headers["Retry-After"]) > 1
    assert locked.login().status == 429  # the right one neither tells itself apart


def test_a_collector_logs_in_with_each_request(locked: Site) -> None:
    def scrape(password: str) -> int:
        basic = base64.b64encode(f"any:{password}".encode()).decode()
        return locked.ask("/metrics", headers={"Authorization": f"Basic {basic}"}).status

    assert [scrape(PASSWORD) for _ in range(TRIES * 2)] == [200] * TRIES * 2
    assert [scrape("wrong") for _ in range(3)] == [401] * 3
    assert locked.ask("/metrics", headers={"Authorization": "Basic x"}).status == 401


# The usual probing


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
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
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
            connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
            stack.callback(connection.close)
            connection.request("GET", "/stream")
            response = connection.getresponse()
            stack.callback(response.close)
            assert response.status == 200
        assert site.ask("/stream").status == 503
        assert site.ask("/").status == 200  # the others go on
        assert site.command("identify")[0] == 200

    def is_free() -> bool:
        show(site, scene_with(), ONLINE)  # something to say, so that the server notices
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
        try:
            connection.request("GET", "/stream")
            response = connection.getresponse()
            response.close()
            return response.status == 200
        finally:
            connection.close()

    wait_until(is_free, 20.0)
