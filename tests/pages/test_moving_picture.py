"""README's moving picture is of the demo's page and the HDMI text of the same moments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pillow is not installed")

from PIL import Image

from tests.browser import CHROMIUM
from tests.pages import moving_picture
from tests.pages.moving_picture import PAGE_SCALE, PAGE_SIZE, SCREEN_SIZE


def test_the_picture_in_the_documents_moves() -> None:
    with Image.open(moving_picture.TARGET) as picture:
        assert picture.n_frames > 10
        assert picture.size[0] == round(PAGE_SIZE[0] * PAGE_SCALE)
        assert picture.size[1] > round(PAGE_SIZE[1] * PAGE_SCALE) + SCREEN_SIZE[1]
    assert moving_picture.TARGET.stat().st_size < 1_200_000


def test_page_and_screen_keep_their_pace_and_repeat(tmp_path: Path) -> None:
    pages = [np.full((30, 60, 3), grey, np.uint8) for grey in (10, 120, 240)]
    screen = np.full((20, 40, 3), 90, np.uint8)
    images = [moving_picture.together(page, screen) for page in pages]
    moving_picture.write(tmp_path / "moving.png", list(zip((0.0, 0.5, 0.7), images, strict=True)))
    with Image.open(tmp_path / "moving.png") as picture:
        assert (picture.n_frames, picture.info["loop"]) == (3, 0)
        lasting_ms = []
        for number, page in enumerate(pages):
            picture.seek(number)
            lasting_ms.append(round(picture.info["duration"]))
            shown = np.asarray(picture.convert("RGB"))
            assert np.abs(shown[:30].astype(int) - page).max() < 3
            assert np.abs(shown[42:62, 10:50].astype(int) - 90).max() < 3
        assert lasting_ms[:2] == [500, 200]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium: apt-get install chromium")
def test_the_demos_page_and_screen_are_photographed() -> None:
    pytest.importorskip("playwright", reason="playwright: make browser-test")
    (begun_s, first), *_, (ended_s, last) = moving_picture.pictures(5.0, 7.0)
    assert 1.0 < ended_s - begun_s < 10.0
    assert first.shape == last.shape
    assert np.abs(first.astype(int) - last).max() > 50
