"""The demo source: a simulated camera over a public-domain portrait.

Honest: pan, zoom, roll, light and sensor noise are simulated, the answers are not. Frames go
through the same detector and network as any camera's. Every thirty seconds the camera pans
away, so that the face vanishes and appears again. Portrait: see ``astronaut.txt``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.camera.source import Pace
from device.errors import CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import BoundingBox, Frame, Image

PORTRAIT_PATH = Path(__file__).with_name("astronaut.jpg")
FACE_CENTER = (225.0, 122.0)  # px of the portrait
FACE_SIDE_PX = 110.0  # likewise
AWAY_CENTER = (350.0, 380.0)  # suit and helmet: no face there
AWAY_PERIOD_S = 30.0
AWAY_FROM_S, AWAY_TO_S = 24.0, 29.0  # within each period; a second of pan at both ends
WINDOW_PX = 290.0  # width of the portrait that fills the picture, on average
NOISE_LEVELS = 3.0  # standard deviation of the sensor noise, grey levels
NOISE_MARGIN_PX = 64


@dataclass(frozen=True)
class Pose:
    """Where the simulated camera looks at a time, and in what light."""

    x: float  # centre, px of the portrait
    y: float
    window_px: float
    roll_deg: float
    gain: float  # of the light, 1 as photographed


def pose_at(t_s: float) -> Pose:
    """A smooth hand-held movement: sums of sines whose periods don't fit each other."""
    pan = AWAY_FROM_S, AWAY_FROM_S + 1, AWAY_TO_S - 1, AWAY_TO_S
    away = float(np.interp(t_s % AWAY_PERIOD_S, pan, (0, 1, 1, 0)))
    away *= away * (3 - 2 * away)  # a soft start and stop
    sway_x = 22 * math.sin(2 * math.pi * t_s / 7.3) + 7 * math.sin(2 * math.pi * t_s / 2.9)
    sway_y = 12 * math.sin(2 * math.pi * t_s / 5.1) + 4 * math.sin(2 * math.pi * t_s / 1.9)
    return Pose(
        x=(1 - away) * FACE_CENTER[0] + away * AWAY_CENTER[0] + sway_x,
        y=(1 - away) * FACE_CENTER[1] + away * AWAY_CENTER[1] + sway_y,
        window_px=WINDOW_PX * (1 + 0.18 * math.sin(2 * math.pi * t_s / 11.7)),
        roll_deg=6 * math.sin(2 * math.pi * t_s / 8.9),
        gain=1 + 0.28 * math.sin(2 * math.pi * t_s / 13.1),
    )


def view_of(pose: Pose, width: int, height: int) -> npt.NDArray[np.float64]:
    """(2, 3) affine map from the portrait to a picture of ``width`` by ``height`` px."""
    scale = width / pose.window_px
    matrix = cv2.getRotationMatrix2D((pose.x, pose.y), pose.roll_deg, scale)
    matrix[:, 2] += np.array([width / 2 - pose.x, height / 2 - pose.y])
    return np.asarray(matrix, np.float64)


def face_at(t_s: float, width: int, height: int) -> BoundingBox:
    """Where the face is in the picture of a time; it may lie beyond the picture's border."""
    pose = pose_at(t_s)
    x, y = view_of(pose, width, height) @ np.array([*FACE_CENTER, 1.0])
    half = FACE_SIDE_PX / 2 * width / pose.window_px
    return BoundingBox(float(x - half), float(y - half), float(x + half), float(y + half))


class Renderer:
    """Draws what the simulated camera sees, in grey or RGB; ``seed`` is the sensor noise's."""

    def __init__(self, width: int, height: int, color: bool = False, seed: int = 0) -> None:
        kind = cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE
        portrait = cv2.imread(str(PORTRAIT_PATH), kind)
        if portrait is None:
            raise CameraError(f"{PORTRAIT_PATH}: the demo portrait is missing; install Mien again")
        self._portrait = cv2.cvtColor(portrait, cv2.COLOR_BGR2RGB) if color else portrait
        self._size = (width, height)
        self._random = np.random.default_rng(seed)
        # Noise is drawn once, larger than the picture, and cut at a random place each frame:
        # drawing it anew would take longer than detecting the face.
        shape = (height + NOISE_MARGIN_PX, width + NOISE_MARGIN_PX, *portrait.shape[2:])
        self._noise = np.rint(self._random.normal(0, NOISE_LEVELS, shape)).astype(np.int16)

    def draw(self, pose: Pose) -> Image:
        """(height, width) or (height, width, 3) uint8."""
        width, height = self._size
        matrix = view_of(pose, width, height)
        view = cv2.warpAffine(self._portrait, matrix, self._size, borderMode=cv2.BORDER_REFLECT_101)
        top, left = self._random.integers(0, NOISE_MARGIN_PX, 2)
        noise = self._noise[top : top + height, left : left + width]
        lit = cv2.convertScaleAbs(view, alpha=pose.gain)
        return np.asarray(cv2.add(lit, noise, dtype=cv2.CV_8U), np.uint8)


def frames(
    width: int, height: int, rate_hz: float = 15.0, color: bool = False, seed: int = 0
) -> Iterator[Frame]:
    """All frames without waiting, stamped ``1 / rate_hz`` apart from 0; never ends."""
    renderer = Renderer(width, height, color, seed)
    for number in itertools.count():
        now_s = number / rate_hz
        yield Frame(renderer.draw(pose_at(now_s)), now_s, "demo")


class DemoSource:
    """The demo in real time."""

    name: str = "demo"
    is_live: bool = False

    def __init__(
        self, settings: CameraSettings, color: bool = False, pace: Pace | None = None
    ) -> None:
        self._settings, self._color = settings, color
        self._pace = pace or Pace(settings.frame_rate_hz)
        self._frames: Iterator[Frame] = iter(())

    def open(self) -> None:
        """Starts with the face in view."""
        width, height = self._settings.width, self._settings.height
        self._frames = frames(width, height, self._settings.frame_rate_hz, self._color)

    def read(self) -> Image | None:
        """The next view when it is due."""
        self._pace.wait()
        return next(self._frames).image

    def close(self) -> None:
        """Nothing to free."""
