"""Who may look and change, over real HTTP."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from device.web.access import TRIES
from tests.device.web.site import (
    NOBODY,
    PASSWORD,
    Site,
    parts_of,
    show,
)
from tests.scenes import ONLINE

PAGES = ("/", "/stream", "/picture.jpg", "/metrics")


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
