"""States of the screen as pictures.

``python -m tests.device.display.screens`` draws the tests' reference pictures and those of
the documentation anew; look at them before committing them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from device.camera import demo
from device.display.live_face import LiveFace
from device.display.render import Frills, render
from device.display.wording import NOTICE, Shown
from device.vision import MODELS
from device.vision.generator import LazySynthesizer
from device.vision.synthetic_mark import draw_mark
from device.vocabulary import (
    EXPRESSIONS,
    BoundingBox,
    CameraState,
    Expression,
    FaceState,
    Frame,
    Image,
    Scene,
    Status,
    SyntheticFace,
)

GOLDEN_SIZE = (320, 240)
GOLDEN_FOLDER = Path(__file__).with_name("golden")
DOCS_SIZE = (640, 360)
DOCS_FOLDER = Path(__file__).parents[3] / "docs" / "img"

ONLINE = Status(CameraState.ONLINE, model="expression 1.0")
FRILLS = Frills("Hall", "14:03", NOTICE)


def face(
    expression: Expression,
    probability: float,
    rejection_reason: str | None = None,
    track_id: int = 1,
) -> FaceState:
    """A face whose other classes share what is left."""
    probabilities = np.full(7, (1 - probability) / 6, np.float32)
    if expression is not Expression.UNCERTAIN:
        probabilities[EXPRESSIONS.index(expression)] = probability
    box = BoundingBox(210, 100, 420, 310)
    return FaceState(track_id, expression, probability, probabilities, box, 0.0, rejection_reason)


def shown(
    *faces: FaceState, status: Status = ONLINE, frame: Frame | None = None, flash: bool = False
) -> Shown:
    return Shown(Scene(faces, 640, 480, 0.0), status, frame, flash)


def synthetic_face() -> SyntheticFace:
    """What a generator might make: the portrait, enlarged and marked as the daemon does it."""
    image = next(demo.frames(640, 480, color=True)).image[40:360, 155:475]
    enlarged = np.asarray(cv2.resize(image, (400, 400), interpolation=cv2.INTER_CUBIC), np.uint8)
    return SyntheticFace(draw_mark(enlarged), Expression.SURPRISE)


def by_the_shipped_generator() -> SyntheticFace:
    """The portrait as `display.synthesis = "sad"` shows it."""
    scene = Scene((face(Expression.HAPPY, 0.93),), 640, 480, 0.0)
    generator = LazySynthesizer(lambda: [MODELS / "generator.tflite"])
    made = LiveFace(generator.portrait, Expression.SAD)(
        next(demo.frames(640, 480, color=True)), scene
    )
    assert made
    return made


HAPPY = face(Expression.HAPPY, 0.93)
THREE = (
    HAPPY,
    face(Expression.SURPRISE, 0.61),
    face(Expression.UNCERTAIN, 0.3, "turned away"),
)
EIGHT = (*THREE, *(face(Expression.NEUTRAL, 0.5 + n / 20) for n in range(5)))
NOBODY_LISTENS = Status(
    CameraState.ONLINE,
    "broker hall.lan:1883: nothing listens there; is the broker running, is mqtt.port right?",
    broker_away=True,
)
UNPLUGGED = Status(CameraState.OFFLINE, "/dev/video0: no more pictures; unplugged or out of power?")

STATES: dict[str, Shown] = {
    "no-face": shown(),
    "one": shown(HAPPY),
    "uncertain": shown(face(Expression.UNCERTAIN, 0.3, "too dark")),
    "three": shown(*THREE),
    "eight": shown(*EIGHT),
    "camera-lost": shown(status=UNPLUGGED),
    "paused": shown(status=Status(CameraState.PAUSED)),
    "broker-away": shown(status=NOBODY_LISTENS),
    "broker-away-one": shown(HAPPY, status=NOBODY_LISTENS),
    "identify": shown(HAPPY, flash=True),
    "synthetic": replace(shown(HAPPY), synthetic=synthetic_face()),
}


def camera_view(color: bool) -> Shown:
    """One face with the camera's picture beside it."""
    frame = next(demo.frames(640, 480, color=color))
    return replace(STATES["one"], frame=frame)


def golden(name: str) -> Image:
    """The state as its reference picture shows it, RGB."""
    if name == "camera-view":
        return render(camera_view(False), *GOLDEN_SIZE, replace(FRILLS, show_camera=True))
    return render(STATES[name], *GOLDEN_SIZE, FRILLS)


def main() -> None:
    GOLDEN_FOLDER.mkdir(exist_ok=True)
    for name in (*STATES, "camera-view"):
        _write(GOLDEN_FOLDER / f"{name}.png", golden(name))
    for name in ("one", "three", "camera-lost"):
        _write(DOCS_FOLDER / f"screen-{name}.png", render(STATES[name], *DOCS_SIZE, FRILLS))
    made = replace(STATES["one"], synthetic=by_the_shipped_generator())
    _write(DOCS_FOLDER / "screen-synthetic.png", render(made, *DOCS_SIZE, FRILLS))
    camera = render(camera_view(True), *DOCS_SIZE, replace(FRILLS, show_camera=True))
    _write(DOCS_FOLDER / "screen-camera-view.png", camera)


def _write(path: Path, image: Image) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    print(path)


if __name__ == "__main__":
    main()
