"""Haar cascade (Viola and Jones, 2001) through OpenCV, on a downscaled grey frame."""

from __future__ import annotations

from pathlib import Path

import cv2

from device.errors import DetectorError
from device.vocabulary import BoundingBox, Face, GreyImage

# Of OpenCV's frontal cascades this one gives the fewest false alarms (docs/faces.md), so that
# two overlapping answers suffice where the default cascade needs five.
CASCADE = "haarcascade_frontalface_alt.xml"
SYSTEM_FOLDERS = ("/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades")
WINDOW_PX = 24  # the size the cascade was trained at: a face of min_face_px is searched as this
SCALE_STEP = 1.1
MIN_NEIGHBOURS = 1


class HaarDetector:
    """Finds upright frontal faces of at least ``min_face_px``."""

    def __init__(
        self, min_face_px: int, max_faces: int, min_neighbours: int = MIN_NEIGHBOURS
    ) -> None:
        self._min_face_px, self._max_faces = min_face_px, max_faces
        self._min_neighbours = min_neighbours
        self._cascade = load_cascade(CASCADE)

    def detect(self, image: GreyImage) -> list[Face]:
        """Faces of a (height, width) uint8 image, largest first."""
        if min(image.shape) < self._min_face_px:
            return []
        scale = min(1.0, WINDOW_PX / self._min_face_px)
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        smallest = round(self._min_face_px * scale)
        boxes, neighbours = self._cascade.detectMultiScale2(
            small, SCALE_STEP, self._min_neighbours, minSize=(smallest, smallest)
        )
        faces = [
            Face(
                BoundingBox(x / scale, y / scale, (x + side) / scale, (y + height) / scale),
                score=float(count / (count + 2)),  # 0.5 for the two answers that are the least
            )
            for (x, y, side, height), count in zip(boxes, neighbours, strict=True)
        ]
        return sorted(faces, key=lambda face: -face.box.area)[: self._max_faces]


def load_cascade(name: str) -> cv2.CascadeClassifier:
    """The cascade of OpenCV's wheel or of the system's ``opencv-data``.

    Raises:
        DetectorError: OpenCV without cascades (5 dropped them) or without the file.
    """
    if not hasattr(cv2, "CascadeClassifier"):
        raise DetectorError(
            f"OpenCV {cv2.__version__} has no Haar cascades: install opencv-python-headless "
            "below version 5, or choose another detector.kind"
        )
    data = getattr(cv2, "data", None)  # absent in Debian's python3-opencv
    folders = [*([data.haarcascades] if data else []), *SYSTEM_FOLDERS]
    for path in (Path(folder, name) for folder in folders):
        if path.is_file():
            cascade = cv2.CascadeClassifier(str(path))
            if not cascade.empty():
                return cascade
    raise DetectorError(
        f"{name} not found in {', '.join(folders)}: install the package opencv-data"
    )
