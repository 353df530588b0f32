"""The moving picture of README: ``python -m tests.pages.moving_picture`` writes docs/img/demo.png.

The demo's frames go through the loop's own parts, detector, model and smoother, and the HDMI
text is drawn by the framebuffer's code. Nothing is made up. ``FRAMES`` names what is shown side
by side; another picture, such as one of the page, is one more function there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pictures

from device.camera import demo
from device.daemon.build import build_offline_parts
from device.display.render import Frills, render
from device.display.wording import NOTICE, Shown
from device.pipeline import process
from device.settings import Settings
from device.vocabulary import Frame, Image, Scene, Status

TARGET = Path(__file__).parents[2] / "docs" / "img" / "demo.png"
SIZE = (480, 270)
FIRST_S, LAST_S, RATE_HZ, EVERY = 20.0, 32.0, 15.0, 8  # of the demo; each eighth frame is kept
NUM_COLORS = 32


def screen(frame: Frame, scene: Scene, status: Status) -> Image:
    """The text on HDMI, with the camera's picture beside it as ``display.show_camera`` has it."""
    frills = Frills("Hall", "14:03", NOTICE, frame.captured_at_s, show_camera=True)
    return render(Shown(scene, status, frame), *SIZE, frills)


FRAMES: tuple[Callable[[Frame, Scene, Status], Image], ...] = (screen,)


def pictures() -> Iterator[Image]:
    """RGB, one a frame that is kept."""
    with build_offline_parts(Settings()) as parts:
        for number, frame in enumerate(demo.frames(640, 480, RATE_HZ, color=True)):
            scene = process(parts, frame)
            if number >= LAST_S * RATE_HZ:
                return
            if number >= FIRST_S * RATE_HZ and number % EVERY == 0:
                yield np.hstack([draw(frame, scene, parts.status) for draw in FRAMES])


def write(path: Path, shown: list[Image]) -> None:
    """An animated PNG of few colours, which endlessly repeats."""
    small = [Pictures.fromarray(image).quantize(NUM_COLORS, dither=0) for image in shown]
    duration_ms = 1000 * EVERY / RATE_HZ
    small[0].save(
        path, save_all=True, append_images=small[1:], duration=duration_ms, loop=0, optimize=True
    )


def main() -> int:
    """Writes the picture."""
    write(TARGET, list(pictures()))
    print(f"wrote {TARGET}: {TARGET.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
