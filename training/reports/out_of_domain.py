"""Out-of-domain pictures: a face is found, cut as on the board, and then classified.

A folder holds ``labels.csv`` (file, label) and the pictures. Every network that is compared
gets the same crops: the largest Haar box, margin 0.1, through the device's own ``crop_face``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import UsageError
from device.vision.preprocess import crop_face
from device.vocabulary import BoundingBox, Face
from training.data.listings import read_labels

COMPARED_MARGIN = 0.1  # fits FER2013's framing; the board's own may differ
MIN_FACE_SHARE = 0.25  # of the picture's shorter side: these pictures show one large face


@dataclass(frozen=True)
class OutOfDomainFaces:
    """Labelled crops of one folder.

    Attributes:
        name: the folder's.
        crops: (n, 48, 48) uint8.
        labels: (n,) in FER2013 order.
        missed: pictures in which no face was found; they are in no accuracy.
    """

    name: str
    crops: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    missed: int


def read_faces(folder: Path, margin: float = COMPARED_MARGIN) -> OutOfDomainFaces:
    """Finds and cuts the faces of a folder.

    Raises:
        UsageError: no ``labels.csv``, a label that is none of the seven, an unreadable picture.
    """
    rows = read_labels(folder)
    cascade = cv2.CascadeClassifier(
        cv2.data.haarcascades + "haarcascade_frontalface_default.xml"  # type: ignore[attr-defined]
    )
    crops, labels = [], []
    for path, label in rows:
        crop = cut_face(cascade, path, margin)
        if crop is not None:
            crops.append(crop)
            labels.append(label)
    if not crops:
        raise UsageError(f"{folder}: no face was found in any of its pictures")
    return OutOfDomainFaces(folder.name, np.stack(crops), np.array(labels), len(rows) - len(crops))


def cut_face(
    cascade: cv2.CascadeClassifier, path: Path, margin: float
) -> npt.NDArray[np.uint8] | None:
    """The crop of the largest face of a picture; None where none is found."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise UsageError(f"{path}: not a readable picture")
    grey = np.asarray(image, np.uint8)
    smallest = int(min(grey.shape) * MIN_FACE_SHARE)
    boxes = cascade.detectMultiScale(grey, 1.1, 4, minSize=(smallest, smallest))
    if len(boxes) == 0:
        return None
    x, y, width, height = max(boxes, key=lambda box: int(box[2]) * int(box[3]))
    return crop_face(grey, Face(BoundingBox(x, y, x + width, y + height), score=1.0), margin)
