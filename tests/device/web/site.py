"""A page on a free port of loopback, with real commands behind it and nothing else of the daemon."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from device.daemon.build_web import WebSide, about, open_web, serve_web
from device.settings import Settings
from device.settings.tree import Web
from device.vocabulary import Frame, Scene, Status
from device.web.password import PasswordHash, _derive
from tests.device.daemon.test_commands import Bench
from tests.device.daemon.test_health import make_report

PASSWORD = "correct horse"
QUICK_HASH = str(PasswordHash(16, 1, 1, b"salt" * 4, _derive(PASSWORD, 16, 1, 1, b"salt" * 4, 32)))
NOBODY = Scene((), 640, 480, 0.0)
PICTURE = Frame(np.full((480, 640, 3), 200, np.uint8), 0.0)


class Answer:
    """Status, headers and body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cookie(self) -> str:
        return (self.headers["Set-Cookie"] or "").partition(";")[0]


class Site:
    """What a test does with the page."""

    def __init__(self, side: WebSide, port: int, bench: Bench) -> None:
        self.side, self.port, self.bench = side, port, bench
        self.feed = side.feed

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> Answer:
        """One request of its own connection."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def login(self, password: str = PASSWORD, headers: Mapping[str, str] | None = None) -> Answer:
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.ask("/login", "POST", f"password={password.replace(' ', '+')}", form)

    def csrf(self, cookie: str = "") -> str:
        page = self.ask("/", headers={"Cookie": cookie}).text
        found = re.search(r'name="csrf" content="([^"]+)"', page)
        assert found
        return found[1]

    def command(self, name: str, csrf: str | None = None, **body: Any) -> tuple[int, Any]:
        """Status and answer of a command, sent as the page does."""
        headers = {"X-Mien-Csrf": self.csrf() if csrf is None else csrf}
        answer = self.ask(f"/command/{name}", "POST", json.dumps(body), headers)
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(answer.body) if is_json else answer.text


@contextmanager
def running_site(folder: Path, settings: Settings | None = None, **web: Any) -> Iterator[Site]:
    """A page with these settings of ``[web]``; a thread stands in for the loop's commands."""
    settings = settings or Settings()
    settings = replace(settings, web=Web(**{"enabled": True, "port": 0, **web}))
    bench = Bench(folder)
    with ExitStack() as stack:
        side = open_web(settings, stack)
        assert side
        broker = {"connected": True, "problem": None}

        def health() -> dict[str, Any]:
            settable = bench.device.settable()
            more = {"broker": broker, "paused": False, "settings": settable}
            return {**make_report(folder), **more}

        facts = about(settings, bench.device.settable(), "notice", bench.device.state.lasts)
        serve_web(side, settings, facts, bench.commands, health)
        stack.enter_context(looping(lambda: bench.control.carry_out(NOBODY, None)))
        yield Site(side, side.server.ports[0], bench)


@contextmanager
def looping(turn: Callable[[], None]) -> Iterator[None]:
    """Calls it again and again, as the loop does between two frames."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.01):
            turn()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def show(site: Site, scene: Scene, status: Status, frame: Frame | None = PICTURE) -> None:
    """A frame that the loop has finished."""
    site.feed.show(scene, status, frame)


def parts_of(site: Site | int, names: set[str], cookie: str = "") -> dict[str, Any]:
    """Opens the stream of a site, or of a port, and reads until each of these was said."""
    port = site if isinstance(site, int) else site.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
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
