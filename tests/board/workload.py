"""What is counted, run inside the emulator: the vision stage of this tree on fixed frames.

    python3 -m tests.board.workload WORD,... RESULT.json OTHER_NETWORK.tflite...

Every use of ``device`` stands in this file, imported where it is needed, so that a module that
moves costs a line here and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
MARK = 0x1000  # see count.c
# How many faces each detector meets; what a search costs hardly depends on it, and the slow
# detectors take long to count.
CROWDS = {"blazeface": (0, 1, 4, 8), "haar": (0, 1), "hog": (1,), "both": (1,)}
RATE_HZ = 15
WARM_UP_S = (-1.5, -1.2, -0.9, -0.6, -0.3)  # until faces are confirmed and expressions steady
FRAMES = 30  # then: a steady face is searched for in every 3rd or 6th, and classified in every 5th
SLOW, SLOW_FRAMES = ("hog", "both"), 6
REPEATS = 1  # of what is not a cycle of frames, after a warm-up
WIDTH, HEIGHT = 640, 480
# px of the portrait
FACE = (slice(47, 197), slice(150, 300))
SUIT = (slice(300, 512), slice(150, 433))


class Sections:
    """Names what runs now, for the plug-in; sections nest, and each counts without its inner ones."""

    def __init__(self) -> None:
        self._numbers = {"outside": 0}
        self._open = [0]
        self._next = 0

    @property
    def names(self) -> list[str]:
        """By number."""
        return list(self._numbers)

    def __call__(self, name: str) -> Sections:
        """``with sections("frame/detect"): ...``"""
        self._next = self._numbers.setdefault(name, len(self._numbers))
        return self

    def __enter__(self) -> None:
        self._open.append(self._next)
        os.umask(MARK + self._next)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.pop()
        os.umask(MARK + self._open[-1])


class Marked:
    """A part whose one method is a section; everything else goes through."""

    def __init__(self, part: Any, method: str, frame: Frame, stage: str) -> None:
        self._part, self._frame, self._stage = part, frame, stage
        self._call = getattr(part, method)
        self.calls = 0
        setattr(self, method, self._marked)

    def _marked(self, *args: Any) -> Any:
        self.calls += 1
        with self._frame.stage(self._stage):
            return self._call(*args)


class Frame:
    """Which frame is being worked on: the first part of its sections' names."""

    def __init__(self, sections: Sections) -> None:
        self._sections = sections
        self.name = "warm-up"

    def stage(self, stage: str) -> Sections:
        """The section of one stage of this frame."""
        return self._sections(f"{self.name}/{stage}")


def scene(num_faces: int, step: int = 0) -> Any:
    """A (480, 640) grey frame: the demo portrait's suit, and its face so many times.

    Args:
        num_faces: 0, 1, 4 or 8; 200 px tiles (a face of about 100 px), 150 px when there are 8.
        step: by how many steps of (2, 1) px everything has moved.
    """
    import cv2
    import numpy as np

    portrait: Any = cv2.imread(
        str(ROOT / "device" / "camera" / "astronaut.jpg"), cv2.IMREAD_GRAYSCALE
    )
    picture = cv2.resize(portrait[SUIT], (WIDTH, HEIGHT))
    columns, rows, side = {0: (0, 0, 1), 1: (1, 1, 200), 4: (2, 2, 200), 8: (4, 2, 150)}[num_faces]
    tile = cv2.resize(portrait[FACE], (side, side))
    for row in range(rows):
        for column in range(columns):
            x = (2 * column + 1) * WIDTH // (2 * columns) - side // 2
            y = (2 * row + 1) * HEIGHT // (2 * rows) - side // 2
            picture[y : y + side, x : x + side] = tile
    return np.ascontiguousarray(np.roll(picture, (step, 2 * step), (0, 1)))


def vision_stage(key: str, value: str) -> tuple[Any, Any]:
    """The device's parts from detector to smoother with one setting changed, and the settings."""
    from device.daemon.build import build_vision
    from device.settings import load_settings, replace_setting

    settings = replace_setting(load_settings(None, {}), key, value, "board")
    return build_vision(settings), settings


def cycles(sections: Sections, detector: str, crowds: tuple[int, ...]) -> dict[str, Any]:
    """The vision stage at 15 frames a second, with faces that keep their expression.

    Returns:
        By detector and number of faces: ``detections``, the numbers of the frames that were
        searched, ``classified``, of those in which a face was classified (once for each), and
        ``faces``, how many each frame reported.
    """
    vision, settings = vision_stage("detector.kind", detector)
    return {
        f"{detector}/{n}": cycle(sections, vision, settings, f"{detector}/{n}", n) for n in crowds
    }


def cycle(
    sections: Sections, vision: Any, settings: Any, name: str, num_faces: int
) -> dict[str, Any]:
    """One number of faces of ``cycles``."""
    from device.vision.interval_classifier import IntervalClassifier
    from device.vision.tracker import DetectAndTrack
    from device.vocabulary import Frame as CameraFrame

    frame = Frame(sections)
    stage = vision.stage
    searcher: Any = Marked(stage, "detect", frame, "detect")
    landmarks = stage.landmarks
    stage.landmarks = Marked(landmarks, "place", frame, "landmarks")
    tracker = DetectAndTrack(
        searcher.detect,
        settings.detector.interval_s,
        clock=lambda: 0.0,  # emulated time would say nothing: detect as often as on a fast board
    )
    classifier = IntervalClassifier(vision.classifier.classify, settings.classifier.interval_s)
    smoother = type(vision.smoother)(settings.smoothing)
    detections: list[int] = []
    classified: list[int] = []
    faces: list[int] = []
    first = -len(WARM_UP_S)
    for number in range(first, SLOW_FRAMES if name.startswith(SLOW) else FRAMES):
        image = scene(num_faces, number)
        now_s = number / RATE_HZ if number >= 0 else WARM_UP_S[number - first]
        frame.name = f"{name}/{number}" if number >= 0 else "warm-up"
        calls = searcher.calls
        with frame.stage("track"):
            found = tracker.update(image, now_s)
        with frame.stage("quality"):
            found = stage.examine(image, found)
        with frame.stage("classify"):
            classifications = classifier.classify(found, now_s)
        with frame.stage("smooth"):
            smoother.update(classifications, now_s)
            smoother.scene(CameraFrame(image, now_s, "board"))
        if number >= 0:
            faces.append(len(found))
            classified += [number] * sum(answer.is_new for answer in classifications)
            if searcher.calls > calls:
                detections.append(number)
    stage.landmarks = landmarks  # the next number of faces marks it anew
    return {"detections": detections, "classified": classified, "faces": faces}


def models(sections: Sections) -> None:
    """``expression`` and ``expression-tiny`` on 1, 4 and 8 crops."""
    from device.vocabulary import BoundingBox, Face

    box = BoundingBox(270.0, 190.0, 370.0, 290.0)
    for model in ("expression", "expression-tiny"):
        vision, _ = vision_stage("classifier.model", model)
        [face] = vision.stage.examine(scene(1), [Face(box, 1.0)])
        for num_faces in (1, 4, 8):
            for number in range(1 + REPEATS):
                with sections(f"{model}/{num_faces}" if number else "warm-up"):
                    vision.classifier.classify([face] * num_faces)


def generator(sections: Sections) -> None:
    """One synthesis on the one-face frame, landmarks included."""
    from device.vision.synthesizer import Synthesizer
    from device.vocabulary import BoundingBox, Expression, Face

    synthesizer = Synthesizer.load(ROOT / "device" / "models" / "generator.tflite")
    face = Face(BoundingBox(270.0, 190.0, 370.0, 290.0), 1.0)
    image = scene(1)
    synthesizer.synthesize(image, face, Expression.SAD)
    for _ in range(REPEATS):
        with sections("synthesize"):
            synthesizer.synthesize(image, face, Expression.SAD)


def usb_camera(sections: Sections) -> None:
    """What a USB camera adds to each frame: a JPEG decoded to BGR, then grey."""
    import cv2

    packed = cv2.imencode(".jpg", cv2.cvtColor(scene(1), cv2.COLOR_GRAY2BGR))[1]
    for number in range(1 + REPEATS):
        with sections("usb camera" if number else "warm-up"):
            picture: Any = cv2.imdecode(packed, cv2.IMREAD_COLOR)
            cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


def usual_call(sections: Sections) -> None:
    """OpenCV's usual call on the one-face frame."""
    import cv2
    import numpy as np

    folder: Any = vars(cv2)["data"].haarcascades
    cascade = cv2.CascadeClassifier(folder + "haarcascade_frontalface_default.xml")
    image = scene(1)
    for _ in range(REPEATS):
        with sections("usual call"):
            cascade.detectMultiScale(image, 1.1, 5)
        with sections("usual call, 50 px"):  # as fer makes it
            cascade.detectMultiScale(image, 1.1, 5, minSize=(50, 50))
    around = np.ascontiguousarray(image[80:400, 160:480])
    with sections("network/haar-default-320"):  # as somebody timed it: see boards.PUBLISHED
        cascade.detectMultiScale3(around, scaleFactor=1.1, minNeighbors=3, outputRejectLevels=True)


def network(sections: Sections, path: Path) -> None:
    """A file's forward pass, on noise."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    noise = np.random.default_rng(0).random(detail["shape"])
    pixels = (noise if detail["dtype"] == np.float32 else noise * 255).astype(detail["dtype"])
    interpreter.set_tensor(detail["index"], pixels)
    with sections(f"network/{path.stem}"):  # the weights were packed above
        interpreter.invoke()


def main(what: str, result: Path, files: list[Path]) -> None:
    """Writes the sections' names and what was seen.

    Args:
        what: words with commas between: names of detectors; ``rest`` for Mien's networks
            and single calls; ``one`` for frames with one face alone; nothing for ``files`` alone.
        result: the file to write.
        files: of the other networks.
    """
    import cv2

    cv2.setNumThreads(1)
    sections, words = Sections(), what.split(",")
    for _ in range(100):
        with sections("empty"):
            pass
    seen: dict[str, Any] = {}
    for detector, crowds in CROWDS.items():
        if detector in words:
            seen |= cycles(sections, detector, (1,) if "one" in words else crowds)
    if "rest" in words:
        models(sections)
        generator(sections)
        usb_camera(sections)
        usual_call(sections)
    for path in files:
        network(sections, path)
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    result.write_text(json.dumps({"names": sections.names, "cycles": seen, "maps": maps}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
