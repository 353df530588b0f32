"""Debian's chromium, driven by playwright: ``make browser-test`` installs both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.device.mqtt.appliance import wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def open_browser() -> Iterator[Any]:
    """The browser; playwright is imported here, as few machines have it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[Any]:
    """A page of a new context; no request leaves the origin, and the page has no error."""
    context = browser.new_context(**options)
    page = context.new_page()
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Sec" in said.text else 0)
    try:
        page.goto(address)
        yield page
    finally:
        context.close()
    assert requests
    assert [url for url in requests if not url.startswith(address)] == []
    assert errors == []


def until(page: Any, condition: str, within_s: float = 20.0) -> None:
    """Waits for an expression; playwright's own way would need what the page's policy forbids."""
    wait_until(lambda: bool(page.evaluate(condition)), within_s)
