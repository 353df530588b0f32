"""Makes the page and what stands behind it, for ``build``. Nothing slow is imported here."""

from __future__ import annotations

import dataclasses
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from device import __version__
from device.daemon.appliance import Appliance, Identifiable
from device.daemon.build_mqtt import BrokerSide
from device.daemon.health import HealthReporter, Report
from device.daemon.observed import let_observe
from device.display.screen import FLASH_S
from device.display.wording import notice_text
from device.mqtt.access import broker_port
from device.mqtt.command_queue import BURST, PER_SECOND, CommandQueue
from device.settings import Settings
from device.settings.hosts import join_address
from device.settings.tree import Web
from device.vision.quality import sharpness, yaw
from device.vocabulary import EXPRESSIONS, Face
from device.web.access import Access
from device.web.feed import Feed
from device.web.guard import Application
from device.web.password import configured_hash
from device.web.server import WebServer, page_url, tls_context

log = logging.getLogger("mien")

ANSWER_WITHIN_S = 10.0  # the loop takes commands at least twice a second
PAGE_THREADS, METRICS_THREADS = 10, 2  # six pages may be open, each holds a thread
LOOPBACK = "127.0.0.1"
Answer = Mapping[str, Any]


class PageCommands:
    """Takes the page's commands to where those over MQTT wait, and waits for the answer.

    Args:
        commands: read and checked there, carried out by the loop.
        clock: monotonic, for the limit on floods.
    """

    def __init__(self, commands: CommandQueue, clock: Callable[[], float] = time.monotonic) -> None:
        self._commands, self._clock = commands, clock
        self._lock = threading.Lock()
        self._full_s = float("-inf")  # when the bucket of tries is full again

    def ask(self, name: str, arguments: bytes) -> Answer:
        """Has a command carried out.

        Args:
            name: of the command.
            arguments: as JSON, like the payload of an MQTT command.
        """
        if not self._may_pass():
            return {"status": "error", "error": "too many commands; wait a moment"}
        answers = SimpleQueue[Answer]()

        def respond(transaction: str | None = None, *, data: Any = None, error: str = "") -> None:
            ok: Answer = {"status": "ok", "data": data}
            answers.put({"status": "error", "error": error} if error else ok)

        self._commands.submit(name, arguments or b"{}", respond)
        try:
            return answers.get(timeout=ANSWER_WITHIN_S)
        except Empty:
            return {"status": "error", "error": "the device is busy; look whether it was done"}

    def _may_pass(self) -> bool:
        """As many at once, and so many a second, as over MQTT."""
        with self._lock:
            now_s = self._clock()
            full_s = max(now_s, self._full_s)
            if full_s - now_s > (BURST - 1) / PER_SECOND:
                return False
            self._full_s = full_s + 1 / PER_SECOND
            return True


@dataclass
class WebSide:
    """What serves browsers and collectors.

    Attributes:
        feed: overhears the loop.
        server: listens already.
        access: who may look; None where there is no page.
        metrics_port: of ``health.prometheus_port``; None for none.
    """

    feed: Feed
    server: WebServer
    access: Access | None
    metrics_port: int | None = None


def shows_picture(web: Web) -> bool:
    """Whether the camera's picture can be seen on the page."""
    return web.enabled and web.show_camera


def open_web(settings: Settings, stack: ExitStack) -> WebSide | None:
    """Takes the ports that the settings name, later where another program has one now.

    Returns:
        None where they name none.

    Raises:
        ConfigurationError: a port is not for this program; password or certificate cannot be used.
    """
    web, port = settings.web, settings.health.prometheus_port
    if not (web.enabled or port):
        return None
    server = WebServer()
    stack.callback(server.close)
    side = WebSide(Feed(shows_picture(web)), server, None)
    stack.callback(side.feed.close)
    if web.enabled:
        side.access, tls = Access(configured_hash(web)), tls_context(web)
        bound = server.listen("web.port", web.address, web.port, PAGE_THREADS, tls)
        if bound in server.ports:
            log.info("page: %s", page_url(web, bound))
    if port:
        key = "health.prometheus_port"
        side.metrics_port = server.listen(key, LOOPBACK, port, METRICS_THREADS)
    return side


class FlashingPage:
    """The screen with the page beside it: both show the sign of ``identify``.

    Args:
        screen: the device's.
        feed: of the page.
        clock: monotonic.
    """

    def __init__(
        self, screen: Identifiable, feed: Feed, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen, self._feed, self._clock = screen, feed, clock

    def identify(self) -> None:
        """Flashes for a moment."""
        self._screen.identify()
        self._feed.flashes_until_s = self._clock() + FLASH_S


def open_page(
    web: WebSide,
    device: Appliance,
    reporter: HealthReporter,
    broker: BrokerSide,
    stack: ExitStack,
) -> None:
    """Lets the page overhear the loop, and begins to answer browsers."""
    publisher, settings = broker.publisher, device.settings

    def health() -> Report:
        connection = {"connected": publisher.connected, "problem": publisher.problem}
        return {**reporter.read(), "broker": connection, "paused": device.parts.paused}

    notice = notice_text(True, settings.capture.enabled, shows_picture(settings.web))
    let_observe(device.parts, web.feed)
    device.screen = FlashingPage(device.screen, web.feed)
    facts = about(settings, device.settable(), notice, device.state.lasts)
    serve_web(web, settings, facts, broker.commands, health)
    stack.callback(web.server.close)
    stack.callback(web.feed.close)


def serve_web(
    side: WebSide,
    settings: Settings,
    facts: Mapping[str, Any],
    commands: CommandQueue,
    health: Callable[[], Report],
) -> None:
    """Begins to answer.

    Args:
        side: where.
        settings: the tree.
        facts: what the page is told once, see ``about``.
        commands: where the page's wait, too.
        health: makes a report, with ``broker``.
    """

    def metrics() -> tuple[str, bytes]:
        from device.daemon.prometheus import CONTENT_TYPE, render  # its library is slow to import

        return CONTENT_TYPE, render(health()).encode()

    def make_application() -> Application:
        from device.web.guard import Guard
        from device.web.routes import Backstage, Routes

        backstage = Backstage(
            side.feed, PageCommands(commands).ask, health, metrics, measure, facts
        )
        access = side.access or Access(None)
        routes = Routes(backstage, access, side.metrics_port, side.access is not None)
        return Guard(routes.app, names_of(settings.web.host_names), access.needs_password)

    side.server.start(make_application)


def about(
    settings: Settings, settable: Mapping[str, Any], notice: str, remembers: bool
) -> dict[str, Any]:
    """What the page is told once.

    Args:
        settings: the tree.
        settable: what ``set`` can change.
        notice: what people in view must know.
        remembers: whether what is changed is there after the next start.
    """
    quality = settings.quality
    return {
        "name": settings.device.name,
        "version": __version__,
        "notice": notice,
        "remembers": remembers,
        "broker": join_address(settings.mqtt.host, broker_port(settings.mqtt))
        if settings.mqtt.host
        else "",
        "has_rest": settings.smoothing.rest != "off",
        "expressions": [expression.value for expression in EXPRESSIONS],
        "settable": [_field_of(settings, dotted) for dotted in settable],
        "limits": {
            "size_px": [quality.min_face_px, None],
            "brightness": [quality.min_brightness, quality.max_brightness],
            "sharpness": [quality.min_sharpness, None],
            "yaw": [None, quality.max_yaw],
        },
    }


def measure(face: Face) -> dict[str, float | None]:
    """What quality is judged by, of a face with its crop: see ``device.vision.quality``.

    Returns:
        ``size_px``, ``brightness`` and ``sharpness`` in grey levels, ``yaw`` in eye distances,
        ``tilt_deg`` of the eyes' line, clockwise in the picture; None without landmarks.
    """
    assert face.crop is not None
    points = face.landmarks
    return {
        "size_px": max(face.box.width, face.box.height),
        "brightness": float(face.crop.mean()),
        "sharpness": sharpness(face.crop),
        "yaw": None if points is None else yaw(points),
        "tilt_deg": None if points is None else _tilt_deg(points),
    }


def names_of(configured: str) -> list[str]:
    """Names under which people know this device, in lower case."""
    own = socket.gethostname().lower()
    names = [name.strip().lower().rstrip(".") for name in configured.split(",")]
    return [own, f"{own}.local", *(name for name in names if name)]


def _tilt_deg(points: np.ndarray[Any, Any]) -> float:
    across = points[1] - points[0]
    return float(np.degrees(np.arctan2(across[1], across[0])))


def _field_of(settings: Settings, dotted: str) -> dict[str, Any]:
    """A setting as a form needs it."""
    section, _, name = dotted.partition(".")
    (field,) = (f for f in dataclasses.fields(getattr(settings, section)) if f.name == name)
    named = {key: field.metadata[key] for key in ("help", "low", "high", "choices")}
    return {"key": dotted, "kind": type(field.default).__name__, **named}
