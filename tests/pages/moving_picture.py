"""The moving picture of README: ``python -m tests.pages.moving_picture`` writes docs/img/demo.png.

The demo's daemon runs as ``make run`` has it. A browser takes pictures of its page, and the
framebuffer's code draws the HDMI text of the same moments. Nothing is made up. It needs
playwright and chromium, which ``make browser-test`` installs.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image as Pictures

from device.camera import demo
from device.daemon.build import Surroundings, open_daemon
from device.daemon.observed import let_observe
from device.display.render import Frills, render
from device.display.wording import Shown, notice_text
from device.pipeline import run
from device.settings import Settings
from device.vocabulary import Image, Scene, Status
from tests.broker import free_port
from tests.browser import open_browser, until

TARGET = Path(__file__).parents[2] / "docs" / "img" / "demo.png"
NAME = "Hall"
PAGE_SIZE, PAGE_SCALE = (980, 660), 0.8  # CSS px: two columns; and what a reader's page takes
SCREEN_SIZE = (480, 270)
GAP_PX = 12
FIRST_S, LAST_S, RATE_HZ = 20.0, 31.0, 3.0  # of the demo: its camera leaves the face, and returns
NUM_COLORS = 96


class Overheard:
    """What the loop shows, kept for the screen."""

    def __init__(self) -> None:
        self.newest: tuple[Scene, Status] | None = None

    def publish(self, event: object) -> None:
        """The page tells events."""

    def collect(self, classifications: object, now_s: float) -> None:
        """Faces before smoothing are not shown."""

    def show(self, scene: Scene, status: Status, frame: object) -> None:
        """The newest state."""
        self.newest = scene, status

    def screen(self) -> Image:
        """The text on HDMI, (height, width, 3) uint8 RGB."""
        assert self.newest
        scene, status = self.newest
        notice = notice_text(True, False, on_page=True)
        frills = Frills(NAME, time.strftime("%H:%M"), notice, scene.at_s)
        return render(Shown(scene, status), *SCREEN_SIZE, frills)


@contextmanager
def demo_daemon(folder: Path) -> Iterator[tuple[str, Overheard]]:
    """``make run``; yields the page's address and what is shown."""
    settings, port, stop, shown = Settings(), free_port(), threading.Event(), Overheard()
    settings = replace(
        settings,
        camera=replace(settings.camera, source="demo"),
        device=replace(settings.device, name=NAME),
        display=replace(settings.display, backend="none"),
        web=replace(settings.web, enabled=True, port=port, show_camera=True),
    )
    around = Surroundings(io.StringIO(), False, False, folder, stop.set)
    with open_daemon(settings, around) as (parts, control, _):
        let_observe(parts, shown)
        loop = threading.Thread(target=run, args=(parts, control.carry_out, stop.is_set))
        loop.start()
        try:
            yield f"http://127.0.0.1:{port}/", shown
        finally:
            stop.set()
            loop.join()


def pictures(first_s: float = FIRST_S, last_s: float = LAST_S) -> Iterator[tuple[float, Image]]:
    """RGB pictures with the second of the demo in which each was taken.

    The simulated sensor noise is left out: a palette of few colours cannot hold it.
    """
    width, height = PAGE_SIZE
    without_noise = mock.patch.object(demo, "NOISE_LEVELS", 0.0)
    with TemporaryDirectory() as folder, open_browser() as chromium, without_noise:
        begun_s = time.monotonic()
        with demo_daemon(Path(folder)) as (address, shown):
            page = chromium.new_page(
                viewport={"width": width, "height": height}, device_scale_factor=PAGE_SCALE
            )
            page.goto(address)
            until(page, "document.getElementById('picture').naturalWidth == 480")
            for due_s in np.arange(first_s, last_s, 1 / RATE_HZ):
                time.sleep(max(0.0, begun_s + due_s - time.monotonic()))
                screen, at_s = shown.screen(), time.monotonic() - begun_s
                if page.is_visible("#trouble"):
                    raise SystemExit(f"not while there is trouble: {page.inner_text('#trouble')}")
                yield at_s, together(_photograph(page), screen)
            page.close()


def _photograph(page: Any) -> Image:
    return np.asarray(Pictures.open(io.BytesIO(page.screenshot())).convert("RGB"))


def together(page: Image, screen: Image) -> Image:
    """The page above the screen."""
    ground = page[-1, 0]
    width = max(page.shape[1], screen.shape[1])
    image = np.full((page.shape[0] + screen.shape[0] + 2 * GAP_PX, width, 3), ground, np.uint8)
    image[: page.shape[0], : page.shape[1]] = page
    left, top = (width - screen.shape[1]) // 2, page.shape[0] + GAP_PX
    image[top : top + screen.shape[0], left : left + screen.shape[1]] = screen
    return image


def write(path: Path, shown: Sequence[tuple[float, Image]]) -> None:
    """An animated PNG of few colours, which repeats endlessly, at the pace of the demo."""
    times_s, images = zip(*shown, strict=True)
    palette = Pictures.fromarray(np.vstack(images[:: max(1, len(images) // 6)]))
    method = Pictures.Quantize.MAXCOVERAGE  # keeps the page's small coloured signs
    colors = palette.quantize(NUM_COLORS, method=method, kmeans=3, dither=0)
    small = [Pictures.fromarray(image).quantize(palette=colors, dither=0) for image in images]
    lasting_ms = [round(1000 * lasting_s) for lasting_s in np.diff(times_s)]
    small[0].save(
        path,
        save_all=True,
        append_images=small[1:],
        duration=[*lasting_ms, round(1000 / RATE_HZ)],
        loop=0,
        optimize=True,
    )


def main() -> int:
    """Writes the picture."""
    write(TARGET, list(pictures()))
    print(f"wrote {TARGET}: {TARGET.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
