"""The demo's page in a real browser: Debian's chromium, driven by playwright.

``make browser-test`` installs both. ``MIEN_SCREENSHOTS=FOLDER`` keeps what it looked like.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from device.web.access import TRIES
from device.web.routes import MOST_STREAMS
from tests.broker import free_port
from tests.browser import opened, until
from tests.device.mqtt.appliance import wait_until
from tests.device.web.site import PASSWORD, QUICK_HASH

pytestmark = pytest.mark.slow
pytest.importorskip("playwright", reason="playwright: make browser-test")
DESKTOP = {"width": 1440, "height": 1000}
PHONE = {"width": 390, "height": 844}


@contextmanager
def demo(folder: Path, **environment: str) -> Iterator[str]:
    """``make run``; gives the address that it prints first."""
    log_path = folder / "demo.log"
    command = [sys.executable, "-m", "device", "run"]
    given = {"MIEN_DEVICE__STATE_DIR": str(folder / "state"), "MIEN_WEB__PORT": str(free_port())}
    with log_path.open("wb") as log:
        daemon = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **given, **environment}
        )
    try:
        wait_until(lambda: b"\n" in log_path.read_bytes(), 60.0)
        first = log_path.read_text().splitlines()[0]
        found = re.fullmatch(r"INFO mien: page: (http://127\.0\.0\.1:\d+/)", first)
        assert found, first
        yield found[1]
    except BaseException:
        print(log_path.read_text()[-3000:])
        raise
    finally:
        daemon.terminate()
        assert daemon.wait(30) == 0
    assert "Traceback" not in log_path.read_text()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with demo(tmp_path_factory.mktemp("demo")) as found:
        yield found


def keep(page: Any, name: str) -> None:
    if folder := os.environ.get("MIEN_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"page-{name}.png"), full_page=True)


def test_the_face_its_name_and_an_event_are_there_in_seconds(browser: Any, address: str) -> None:
    with opened(browser, address, viewport=DESKTOP) as page:
        page.wait_for_selector(".face .said strong", timeout=40_000)  # the demo's camera wanders
    with opened(browser, address, viewport=DESKTOP) as page:
        # At once, or when the camera, which looks away for six seconds, has come back.
        page.wait_for_selector(".face .said strong", timeout=20_000)
        assert page.inner_text(".face .said strong") in ("happy", "uncertain", "neutral")
        assert page.locator(".face tbody tr").count() == 7
        page.wait_for_selector(".box b")
        page.wait_for_selector("#event-list li")
        assert "appeared" in page.inner_text("#event-list")
        assert "Working" in page.inner_text("#watching")
        until(page, "document.getElementById('broker').innerText == 'Broker connected'")
        until(page, "document.getElementById('picture').naturalWidth == 480")
        page.wait_for_selector("#guide .verdict")
        page.wait_for_selector("#health-list dd")
        keep(page, "desktop")


def test_pause_works_with_the_keyboard_and_resume_too(browser: Any, address: str) -> None:
    with opened(browser, address, viewport=DESKTOP) as page:
        page.wait_for_selector("#pause:enabled")
        page.focus("#pause")
        page.keyboard.press("Enter")
        until(page, "document.getElementById('watching').innerText == 'Paused'")
        until(page, "document.getElementById('picture').hidden")
        assert page.inner_text("#pause") == "Resume"
        assert "nobody is watched" in page.inner_text("#headline")
        assert page.inner_text("#calibrate-not").strip() == "Not now: paused, nobody is watched."
        assert page.locator(".face").count() == 0
        keep(page, "paused")
        page.keyboard.press("Enter")
        until(page, "document.getElementById('watching').innerText.includes('Working')")


def test_a_setting_is_saved_and_a_bad_one_is_said(browser: Any, address: str) -> None:
    with opened(browser, address, viewport=DESKTOP) as page:
        dwell = page.get_by_label("Dwell (s)")
        until(page, "document.getElementById('set-smoothing.dwell_s')?.value == '0.4'")
        dwell.fill("0.6")
        page.get_by_role("button", name="Save").click()
        saved = "Saved until Mien ends: this run remembers nothing."
        until(page, f"document.getElementById('set-said').innerText == '{saved}'")
        page.evaluate("document.getElementById('set').noValidate = true")
        dwell.fill("99")
        page.get_by_role("button", name="Save").click()
        until(page, "document.getElementById('set-said').innerText.includes('0 to 10')")
        page.reload()
        until(page, "document.getElementById('set-smoothing.dwell_s')?.value == '0.6'")


def test_calibrate_says_look_neutral_and_then_the_face_at_rest_is_known(
    browser: Any, address: str
) -> None:
    with opened(browser, address, viewport=DESKTOP) as page:
        page.wait_for_selector("#calibrate:enabled", timeout=40_000)
        page.get_by_role("button", name="Calibrate").click()
        until(page, "document.getElementById('calibrate').innerText == 'Look neutral…'")
        assert page.is_disabled("#calibrate")
        until(page, "document.getElementById('calibrate').innerText == 'Calibrate'")
        until(page, "document.querySelector('.rest')?.innerText.includes('known to')")
        keep(page, "calibrated")


def test_identify_shows_the_sign_of_the_screen_and_the_buttons_explain_themselves(
    browser: Any, address: str
) -> None:
    with opened(browser, address, viewport=DESKTOP) as page:
        page.wait_for_selector("#identify:enabled", timeout=40_000)
        assert page.is_hidden("#sign")
        assert "look neutral for two seconds" in page.inner_text("#actions-said")
        page.get_by_role("button", name="Identify").click()
        until(page, "!document.getElementById('sign').hidden")
        assert page.inner_text("#sign") == page.inner_text("#name") != ""
        keep(page, "identify")
        until(page, "document.getElementById('sign').hidden")


def test_what_the_device_refuses_can_be_read(browser: Any, address: str) -> None:
    with opened(browser, address, viewport=DESKTOP) as page:
        page.wait_for_selector("#calibrate:enabled", timeout=40_000)
        page.route("**/command/identify", lambda route: route.fulfill(status=400, body="not now"))
        page.get_by_role("button", name="Identify").click()
        until(page, "document.getElementById('trouble').innerText.startsWith('not now')")
        page.wait_for_timeout(1500)  # states arrive five times a second meanwhile
        assert page.inner_text("#trouble").startswith("not now")  # a slow machine adds its own


def test_the_seventh_page_says_that_too_many_are_open(browser: Any, tmp_path: Path) -> None:
    with demo(tmp_path) as address, ExitStack() as stack:
        first, *_ = [stack.enter_context(opened(browser, address)) for _ in range(MOST_STREAMS)]
        with opened(browser, address) as page:
            until(page, "document.getElementById('trouble').innerText.includes('close one')")
            assert page.inner_text("#watching") == "Too many pages are open"
            first.goto("about:blank")
            until(page, "document.getElementById('watching').innerText.includes('Working')")
            assert "close one" not in page.inner_text("#trouble")


def test_it_fits_a_phone_and_the_dark(browser: Any, address: str) -> None:
    phone = {"viewport": PHONE, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
    for name, options in (
        ("phone", phone),
        ("dark", {"viewport": DESKTOP, "color_scheme": "dark"}),
    ):
        with opened(browser, address, **options) as page:
            page.wait_for_selector(".face .said strong", timeout=40_000)
            page.wait_for_selector("#health-list dd")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            names = page.evaluate(
                "[...document.querySelectorAll('button, input, select')].filter((e) => "
                "e.type != 'hidden' && !(e.innerText || (e.labels && e.labels.length))).length"
            )
            assert names == 0  # each control has a name for a screen reader
            keep(page, name)


@pytest.mark.parametrize("width", [320, 768, 1024, 1280, 1366, 1440, 1920])
def test_no_width_scrolls_sideways(browser: Any, address: str, width: int) -> None:
    with opened(browser, address, viewport={"width": width, "height": 900}) as page:
        page.wait_for_selector("#stages td")
        page.wait_for_selector("#health-list dd")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_device_that_ends_is_told_at_once(browser: Any, tmp_path: Path) -> None:
    running = ExitStack()
    with running, opened(browser, running.enter_context(demo(tmp_path)), viewport=DESKTOP) as page:
        page.wait_for_selector(".face .said strong", timeout=40_000)
        running.close()
        page.wait_for_selector(
            "body.stale", timeout=5_000
        )  # six seconds of silence would tell, too
        assert "No answer" in page.inner_text("#watching")


def test_without_the_picture_the_page_says_so(browser: Any, tmp_path: Path) -> None:
    with (
        demo(tmp_path, MIEN_WEB__SHOW_CAMERA="false") as address,
        opened(browser, address, viewport=DESKTOP) as page,
    ):
        page.wait_for_selector(".face .said strong", timeout=40_000)
        assert "picture is off" in page.inner_text("#plain-said")


def test_a_wrong_password_is_refused_and_throttled(browser: Any, tmp_path: Path) -> None:
    with (
        demo(tmp_path, MIEN_WEB__PASSWORD_HASH=QUICK_HASH) as address,
        opened(browser, address, viewport=PHONE) as page,
    ):
        assert page.url == f"{address}login"
        page.get_by_label("Password").fill(PASSWORD)
        keep(page, "login")
        page.keyboard.press("Enter")
        page.wait_for_selector("#watching")
        assert page.url == address
        page.get_by_role("button", name="Log out").click()
        page.wait_for_selector("#password")
        for number in range(TRIES + 1):
            page.get_by_label("Password").fill(f"wrong {number}")
            with page.expect_navigation():
                page.keyboard.press("Enter")
            assert page.inner_text("#why")
        assert "Too many tries" in page.inner_text("#why")
        page.goto(address)
        assert page.url == f"{address}login"
