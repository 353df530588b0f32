from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import CHROMIUM, open_browser
from tests.device.web.site import QUICK_HASH, Site, running_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as site:
        yield site


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path, password_hash=QUICK_HASH) as site:
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium: apt-get install chromium")
    with open_browser() as opened:
        yield opened
