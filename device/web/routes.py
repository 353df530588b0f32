"""What the page's addresses answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from bottle import Bottle, HTTPResponse, request

from device.vocabulary import CameraState, Face
from device.web.access import Access, Session
from device.web.feed import ALIVE_S, Feed
from device.web.messages import Guide, encode
from device.web.picture import PictureTaker
from device.web.stream import stream

COOKIE = "mien"
CSRF_HEADER = "HTTP_X_MIEN_CSRF"  # not by Bottle, which fails at what is not UTF-8
PAGE_COMMANDS = ("set", "pause", "resume", "calibrate", "identify")
MOST_STREAMS = 6  # each holds a thread of the server
TOO_MANY = f"{MOST_STREAMS} pages of this device are open already: close one"
TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
Report = Mapping[str, Any]


@dataclass(frozen=True)
class Backstage:
    """What stands behind the page.

    Attributes:
        feed: overhears the loop.
        ask: carries out one of PAGE_COMMANDS (its name, its arguments as JSON) and answers
            ``{"status": "ok", "data"}`` or ``{"status": "error", "error"}``.
        health: a fresh health report, with ``broker``.
        metrics: content type and text for Prometheus.
        measure: what quality is judged by, of a face with its crop.
        about: what does not change: name, version, settings, limits.
    """

    feed: Feed
    ask: Callable[[str, bytes], Mapping[str, Any]]
    health: Callable[[], Report]
    metrics: Callable[[], tuple[str, bytes]]
    measure: Callable[[Face], Guide]
    about: Mapping[str, Any]


class Routes:
    """The routes, as a WSGI application ``app``.

    Args:
        backstage: what stands behind them.
        access: who may look.
        metrics_port: requests to this port get ``/metrics`` and ``/healthz`` alone, without a
            password; None for no such port.
        has_page: whether other ports show the page.
        clock: monotonic.
    """

    def __init__(
        self,
        backstage: Backstage,
        access: Access,
        metrics_port: int | None = None,
        has_page: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backstage, self._access, self._clock = backstage, access, clock
        self._metrics_port, self._has_page = metrics_port, has_page
        self._picture = PictureTaker(clock)
        self._seats = threading.BoundedSemaphore(MOST_STREAMS)
        static = files(__package__).joinpath("static")
        self._static = {path.name: path.read_bytes() for path in static.iterdir()}
        self.app = Bottle()
        self.app.default_error_handler = _in_one_line
        for path, method, answer in (
            ("/", "GET", self._index),
            ("/login", "GET", self._login_page),
            ("/login", "POST", self._login),
            ("/logout", "POST", self._logout),
            ("/session", "GET", self._tell_session),
            ("/stream", "GET", self._stream),
            ("/picture.jpg", "GET", self._take_picture),
            ("/command/<name>", "POST", self._command),
            ("/static/<name>", "GET", self._file),
        ):
            self.app.route(path, method, self._on_page(answer))
        self.app.route("/metrics", "GET", self._metrics)
        self.app.route("/healthz", "GET", self._healthz)

    def _on_page(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        """The route, but not at the port that is for metrics alone."""

        def on_page(**parts: str) -> Any:
            return answer(**parts) if self._is_page() else _text(404, "not found")

        return on_page

    def _is_page(self) -> bool:
        return self._has_page and request.environ["SERVER_PORT"] != str(self._metrics_port)

    def _session(self) -> Session | None:
        return self._access.session(request.get_cookie(COOKIE))

    # The page.

    def _index(self) -> Any:
        session = self._session()
        if session is None:
            return HTTPResponse(status=303, headers={"Location": "/login"})
        html = self._static["page.html"].replace(b"{{csrf}}", session.csrf.encode())
        shown = b"" if self._access.needs_password else b" hidden"
        return _html(200, html.replace(b"{{no_login}}", shown))

    def _file(self, name: str) -> Any:
        ending = name.rpartition(".")[2]
        if ending not in TYPES or name not in self._static:
            return _text(404, "not found")
        return HTTPResponse(self._static[name], 200, {"Content-Type": TYPES[ending]})

    def _stream(self) -> Any:
        if self._session() is None:
            return _text(401, "log in")
        if not self._seats.acquire(blocking=False):
            return _text(503, TOO_MANY)
        cookie = request.get_cookie(COOKIE)
        may_look = lambda: self._access.session(cookie) is not None  # noqa: E731
        body = stream(self._backstage, may_look, self._seats.release, self._clock)
        return HTTPResponse(body, 200, {"Content-Type": "text/event-stream; charset=utf-8"})

    def _take_picture(self) -> Any:
        if self._session() is None:
            return _text(401, "log in")
        newest, feed = self._backstage.feed.newest, self._backstage.feed
        jpeg = self._picture.take(newest.frame if newest and feed.keep_frame else None)
        if not jpeg:
            return _text(404, "no picture")
        return HTTPResponse(jpeg, 200, {"Content-Type": "image/jpeg"})

    def _command(self, name: str) -> Any:
        session = self._session()
        if session is None:
            return _text(401, "log in")
        if not self._access.is_csrf(session, request.environ.get(CSRF_HEADER, "")):
            return _text(403, "this page is out of date; load it again")
        if name not in PAGE_COMMANDS:
            return _text(404, f"known: {', '.join(PAGE_COMMANDS)}")
        answer = self._backstage.ask(name, request.body.read())
        status = 200 if answer["status"] == "ok" else 400
        return HTTPResponse(encode(answer), status, {"Content-Type": "application/json"})

    # Logging in.

    def _login_page(self, status: int = 200, why: str = "", wait_s: int = 0) -> Any:
        if not self._access.needs_password:
            return HTTPResponse(status=303, headers={"Location": "/"})
        html = self._static["login.html"].replace(b"{{why}}", why.encode())
        answer = _html(status, html)
        if wait_s:
            answer.set_header("Retry-After", str(wait_s))
        return answer

    def _login(self) -> Any:
        address = request.environ.get("REMOTE_ADDR", "")
        wait_s = self._access.pace.wait_s(address)
        if wait_s > 0:
            whole_s = int(wait_s) + 1
            return self._login_page(429, f"Too many tries. Try again in {whole_s} s.", whole_s)
        cookie = self._access.login(request.forms.getunicode("password") or "")
        if cookie is None:
            return self._login_page(401, "That is not the password.")
        self._access.pace.forget(address)
        self._access.logout(request.get_cookie(COOKIE))
        answer = HTTPResponse(status=303, headers={"Location": "/"})
        answer.set_cookie(
            COOKIE, cookie, path="/", httponly=True, samesite="strict", secure=_is_encrypted()
        )
        return answer

    def _logout(self) -> Any:
        session = self._session()
        if session and not self._access.is_csrf(session, request.forms.get("csrf") or ""):
            return _text(403, "this page is out of date; load it again")
        self._access.logout(request.get_cookie(COOKIE))
        answer = HTTPResponse(status=303, headers={"Location": "/login"})
        answer.delete_cookie(COOKIE, path="/")
        return answer

    def _tell_session(self) -> Any:
        """Why there is no stream: a browser does not tell its page.

        A login page asks, too: SameSite keeps the cookie back when a link on another site led here.
        """
        if self._session() is None:
            return HTTPResponse(status=401)
        if not self._seats.acquire(blocking=False):
            return _text(503, TOO_MANY)
        self._seats.release()
        return HTTPResponse(status=204)

    # For programs.

    def _metrics(self) -> Any:
        if self._is_page() and self._session() is None and not self._knows_collector():
            return _text(401, "a password is needed", {"WWW-Authenticate": 'Basic realm="Mien"'})
        content_type, text = self._backstage.metrics()
        return HTTPResponse(text, 200, {"Content-Type": content_type})

    def _knows_collector(self) -> bool:
        """Prometheus logs in with every request (``basic_auth``), under any name."""
        _, password = request.auth or ("", None)
        if password is None:
            return False
        if self._access.knows(password):
            return True
        address = request.environ.get("REMOTE_ADDR", "")
        return self._access.pace.wait_s(address) <= 0 and self._access.is_right(password)

    def _healthz(self) -> Any:
        newest = self._backstage.feed.newest
        if newest is None:
            return _text(503, "starting")
        if self._clock() - newest.scene.at_s > ALIVE_S:
            return _text(503, "the loop hangs")
        if newest.status.camera is CameraState.OFFLINE:
            return _text(503, "no camera")
        return _text(200, "ok")


def _is_encrypted() -> bool:
    """By our own certificate or a proxy's; believing a lie here harms only who tells it."""
    forwarded = request.environ.get("HTTP_X_FORWARDED_PROTO", "")
    return "https" in (request.environ["wsgi.url_scheme"], forwarded)


def _text(status: int, text: str, headers: Mapping[str, str] | None = None) -> Any:
    content_type = {"Content-Type": "text/plain; charset=utf-8"}
    return HTTPResponse(f"{text}\n", status, {**content_type, **(headers or {})})


def _html(status: int, html: bytes) -> Any:
    return HTTPResponse(html, status, {"Content-Type": "text/html; charset=utf-8"})


def _in_one_line(error: Any) -> bytes:
    """Bottle's own answer to errors is a page with styles of its own."""
    error.content_type = "text/plain; charset=utf-8"
    return f"{error.status_line}\n".encode()
