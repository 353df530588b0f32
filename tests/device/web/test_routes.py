"""What the page's addresses answer, over real HTTP."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from device.daemon import build_web
from device.daemon.build_web import FlashingPage
from device.display.screen import FLASH_S
from device.mqtt.command_queue import BURST, NAMES
from device.settings import Settings
from device.settings.tree import Health
from device.vocabulary import CameraState, Classification, Expression, Face, Status
from device.web.routes import PAGE_COMMANDS
from tests.broker import free_port
from tests.device.web.site import (
    NOBODY,
    QUICK_HASH,
    Site,
    parts_of,
    running_site,
    show,
)
from tests.fakes import CROP, HAPPY
from tests.scenes import ONLINE, change, scene_with

# What is shown


def test_the_stream_tells_state_events_and_health(site: Site) -> None:
    scene = scene_with(Expression.HAPPY, Expression.UNCERTAIN)
    scene = replace(scene, faces=(replace(scene.faces[0], rest_known=0.64), scene.faces[1]))
    site.feed.publish(change())
    face = Face(scene.faces[0].box, 0.9, landmarks=None, rejection_reason="blurred", crop=CROP)
    site.feed.collect([Classification(face, HAPPY)], 0.0)
    show(site, scene, ONLINE)
    told = parts_of(site, {"about", "state", "events", "health"})
    assert [face["expression"] for face in told["state"]["faces"]] == ["happy", "uncertain"]
    assert told["state"]["faces"][0]["box"] == [0.1562, 0.2083, 0.3125, 0.4167]
    assert sum(told["state"]["faces"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert [face["rest_known"] for face in told["state"]["faces"]] == [0.64, 0.0]
    assert told["about"]["has_rest"] is True
    assert told["about"]["remembers"] is True
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


def test_identify_flashes_on_screen_and_page_for_a_moment(site: Site) -> None:
    now_s = time.monotonic()
    FlashingPage(site.bench.screen, site.feed, lambda: now_s).identify()
    show(site, NOBODY, ONLINE)
    assert site.bench.screen.flashes == 1
    assert parts_of(site, {"state"})["state"]["flashes"] is True
    FlashingPage(site.bench.screen, site.feed, lambda: now_s - 2 * FLASH_S).identify()
    show(site, NOBODY, ONLINE)
    assert parts_of(site, {"state"})["state"]["flashes"] is False


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


def test_the_page_calibrates_as_mqtt_does(site: Site) -> None:
    status, answer = site.command("calibrate")
    assert (status, answer["error"]) == (400, "nobody is watched")


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


def test_a_flood_is_told_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_web, "PER_SECOND", 0.01)  # however slowly they come
    csrf = site.csrf()
    answers = [site.command("identify", csrf) for _ in range(40)]
    assert [status for status, _ in answers] == [200] * BURST + [400] * (40 - BURST)
    assert all("too many commands" in str(answer) for _, answer in answers[BURST:])


def test_what_the_page_may_ask_for_are_commands() -> None:
    assert set(PAGE_COMMANDS) < set(NAMES)
