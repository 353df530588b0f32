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


def until(page: Any, condition: str) -> None:
    """Waits for an expression; playwright's own way would need what the page's policy forbids."""
    wait_until(lambda: bool(page.evaluate(condition)), 20.0)
