"""The page as a tablet on a wall shows it for months, in a real browser; see test_browser."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from device.vocabulary import Expression
from device.web import stream
from tests.broker import free_port
from tests.browser import opened, until
from tests.device.mqtt.appliance import wait_until
from tests.device.web.cable import Cable
from tests.device.web.site import NOBODY, Site, running_site, show
from tests.scenes import ONLINE, change, scene_with

pytestmark = pytest.mark.slow
pytest.importorskip("playwright", reason="playwright: make browser-test")
WORKS = "document.getElementById('watching').innerText.includes('Working')"
STALE = "document.body.classList.contains('stale')"


def test_a_device_whose_power_failed_is_seen_again_as_soon_as_it_is_back(
    browser: Any, tmp_path: Path
) -> None:
    with running_site(tmp_path, show_camera=True) as site, Cable(site.port) as cable:
        show(site, NOBODY, ONLINE)
        with opened(browser, f"http://127.0.0.1:{cable.port}/") as page:
            until(page, WORKS)
            until(page, "document.getElementById('picture').naturalWidth == 480")
            cable.power_off()
            until(page, STALE)
            shown = page.evaluate("shot")
            cable.power_on()
            until(page, WORKS, 25.0)
            until(page, f"document.getElementById('picture').src.split('?')[1] > {shown}")


def test_a_command_that_nobody_answers_is_told(browser: Any, tmp_path: Path) -> None:
    with (
        running_site(tmp_path) as site,
        Cable(site.port) as cable,
        opened(browser, f"http://127.0.0.1:{cable.port}/") as page,
    ):
        page.wait_for_selector("#identify:enabled")
        cable.power_off()
        page.get_by_role("button", name="Identify").click()
        said = "document.getElementById('spoken').innerText"
        until(page, f"{said} == 'No answer from the device.'", 30.0)  # it gives up after 15 s


def test_a_clock_that_is_set_back_hides_no_outage(browser: Any, tmp_path: Path) -> None:
    with running_site(tmp_path) as site, Cable(site.port) as cable:
        show(site, NOBODY, ONLINE)
        with opened(browser, f"http://127.0.0.1:{cable.port}/") as page:
            until(page, WORKS)
            cable.power_off()
            page.evaluate("Date.now = () => 0")
            until(page, STALE, 10.0)


def test_the_stream_that_ends_once_an_hour_is_no_outage(
    browser: Any, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LONGEST_S", 12.0)
    show(site, scene_with(Expression.HAPPY), ONLINE)
    site.feed.publish(change())
    with opened(browser, f"http://127.0.0.1:{site.port}/") as page:
        until(page, f"{WORKS} && document.getElementById('event-list').children.length == 1")
        streams: list[str] = []
        page.on("request", lambda sent: streams.append(sent.url) if "stream" in sent.url else None)
        page.evaluate(
            "window.first = document.getElementById('event-list').firstChild;"
            "new MutationObserver(() => { window.wasStale ||= document.body.matches('.stale'); })"
            ".observe(document.body, { attributeFilter: ['class'] })"
        )
        wait_until(lambda: page.evaluate("1") and bool(streams), 25.0)
        site.feed.publish(change(expression=Expression.SAD))
        until(page, "document.getElementById('event-list').innerText.includes('sad')")
        assert not page.evaluate("window.wasStale")
        assert page.locator("#event-list li").count() == 2
        assert page.evaluate("document.getElementById('event-list').lastChild == window.first")


def test_who_looks_again_sees_no_outage_and_no_face_that_had_gone(browser: Any, site: Site) -> None:
    def hide(page: Any, is_hidden: str) -> Any:
        return page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{ value: {is_hidden}, configurable: true }});"
            "document.dispatchEvent(new Event('visibilitychange'));"
            "document.getElementById('watching').innerText"
        )

    show(site, scene_with(Expression.HAPPY), ONLINE)
    with opened(browser, f"http://127.0.0.1:{site.port}/") as page:
        until(page, f"{WORKS} && document.querySelector('#strip i')")
        hide(page, "true")
        until(page, STALE)  # in a page that nobody sees
        show(site, NOBODY, ONLINE)
        assert hide(page, "false") == "Connecting…"
        until(page, "!document.getElementById('no-face').hidden")
        drawn_until = page.evaluate(
            "showStrip(); [...document.querySelectorAll('#strip i')].map((piece) => "
            "parseFloat(piece.style.left) + parseFloat(piece.style.width)).at(-1)"
        )
        assert 0 < drawn_until < 100 * (1 - 5 / 180)  # per cent of three minutes


def test_what_somebody_typed_and_left_undoes_nobody_elses_change(browser: Any, site: Site) -> None:
    with opened(browser, f"http://127.0.0.1:{site.port}/") as page:
        until(page, "document.getElementById('set-smoothing.dwell_s')?.value == '0.4'")
        page.get_by_label("Threshold").fill("0.7")
        assert site.command("set", settings={"smoothing.dwell_s": 0.9})[0] == 200
        wait_until(lambda: page.evaluate("health.settings['smoothing.dwell_s'] == 0.9"))
        page.get_by_role("button", name="Save").click()
        until(page, "document.getElementById('set-said').innerText.startsWith('Saved')")
        settings = site.bench.device.settable()
        assert settings["smoothing.threshold"] == 0.7
        assert settings["smoothing.dwell_s"] == 0.9
        assert page.get_by_label("Dwell (s)").input_value() == "0.9"
        assert page.get_by_role("button", name="Save").is_disabled()


def test_what_was_refused_stays_to_be_mended(browser: Any, site: Site) -> None:
    with opened(browser, f"http://127.0.0.1:{site.port}/") as page:
        until(page, "document.getElementById('set-smoothing.dwell_s')?.value == '0.4'")
        page.evaluate("document.getElementById('set').noValidate = true")
        page.get_by_label("Dwell (s)").fill("99")
        page.get_by_role("button", name="Save").click()
        until(page, "document.getElementById('set-said').innerText.includes('0 to 10')")
        page.evaluate("said = health")
        until(page, "health !== said")
        assert page.get_by_label("Dwell (s)").input_value() == "99"
        assert page.get_by_role("button", name="Save").is_enabled()


def test_a_device_that_has_started_anew_takes_commands(browser: Any, tmp_path: Path) -> None:
    port = free_port()
    with ExitStack() as stack:
        with running_site(tmp_path, port=port):
            page = stack.enter_context(opened(browser, f"http://127.0.0.1:{port}/"))
            page.wait_for_selector("#identify:enabled")
        until(page, STALE)
        with running_site(tmp_path, port=port):
            page.wait_for_selector("#identify:enabled")
            page.get_by_role("button", name="Identify").click()
            until(page, "document.getElementById('spoken').innerText.includes('flash')")
