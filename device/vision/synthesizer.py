"""The generator through TFLite, and its result carried back into the picture it came from.

The network works at 48×48 on an upright face whose eyes and mouth lie where they always lie. It
moves pixels and paints a little on top, and says how it moved them: the movement is repeated at
the picture's own resolution, so that skin, brows and lips keep their detail, and only the paint
is enlarged. Whatever is shown or stored of it has to be marked first
(``device.vision.synthetic_mark``).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import ModelError
from device.vision.landmarks import (
    SHIPPED,
    LandmarkNetwork,
    Matrix,
    Points,
    cut_view,
    soft,
    upright,
)
from device.vision.model_card import ModelCard, read_model
from device.vision.preprocess import CROP_PX, to_grey
from device.vision.runtime import load_interpreter
from device.vocabulary import EXPRESSIONS, BoundingBox, Expression, Face, GreyImage, Image

GOLDEN_TOLERANCE = 3.0  # grey levels on average: processors round differently
FLOW_TOLERANCE_PX = 0.25  # likewise
MAX_FLOW_PX = 6.0  # of the crop; generators are made to move at most 5
FACE_SIDE = 2.6  # of the network's crop, in units of `upright`; as FER2013 frames faces
FACE_DROP_PX = 2.0  # of the face below the crop's middle: a jaw that falls needs room
FULL_PAINT = 50.0  # grey levels of paint from which the old detail is gone
TILE_PX = 512  # side of what is worked on at once
MAX_COVER = 0.85  # share of the old detail that full paint takes away

Floats = npt.NDArray[np.float32]


class Synthesizer:
    """Makes a face show another expression."""

    def __init__(
        self,
        content: bytes,
        card: ModelCard,
        threads: int = 1,
        landmarks: LandmarkNetwork | None = None,
    ) -> None:
        """Prepares the network and tests it; see ``load``.

        Without ``landmarks`` it can ``run``, and ``synthesize`` faces that have their own.
        """
        self.card = card
        self._landmarks = landmarks
        self._interpreter = load_interpreter(content, threads)
        self._interpreter.allocate_tensors()
        self._face, self._target = _find(
            self._interpreter.get_input_details(),
            ((1, CROP_PX, CROP_PX, 1), np.uint8),
            ((1, len(EXPRESSIONS)), np.float32),
            "the network does not take a uint8 face and a float32 target",
        )
        self._made, self._flow = _find(
            self._interpreter.get_output_details(),
            ((1, CROP_PX, CROP_PX, 1), np.uint8),
            ((1, CROP_PX, CROP_PX, 2), np.float32),
            "the network does not give a uint8 face and a float32 flow",
        )
        self._check_golden()

    @classmethod
    def load(cls, path: Path, threads: int = 1) -> Synthesizer:
        """Reads a generator and its card and refuses a pair that does not fit.

        Args:
            path: the ``.tflite``; the card of the same name lies beside it.
            threads: of the interpreter.

        Raises:
            ModelError: unreadable, mismatched, no generator, self-test failed, or the landmark
                network that places its crops is not there.
        """
        content, card = read_model(path)
        if card.task != "synthesize":
            raise ModelError(f"{path}: its card says it can {card.task!r}, not 'synthesize'")
        landmarks = LandmarkNetwork.load(SHIPPED)
        try:
            return cls(content, card, threads, landmarks)
        except (ModelError, RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: {error}") from error

    def synthesize(self, image: Image, face: Face, expression: Expression) -> Image:
        """The picture with one face showing another expression; not marked yet.

        Args:
            image: (height, width) grey or (height, width, 3) RGB uint8; left as it is.
            face: which face; landmarks are found if it has none.
            expression: one of the seven.

        Returns:
            A new picture of the same shape.
        """
        grey = to_grey(image)
        if face.landmarks is None and self._landmarks:
            [face] = self._landmarks.place(grey, [face])
        if face.landmarks is None:
            raise ModelError("faces without landmarks need the landmark network")
        view = face_view(face.landmarks)
        crop = cut_face(grey, view)
        made, flow = self.run(crop, expression)
        return carry_back(image, view, crop, made, flow)

    def run(self, crop: GreyImage, expression: Expression) -> tuple[GreyImage, Floats]:
        """What the network makes of a crop.

        Args:
            crop: (48, 48) uint8, as ``cut_face`` cuts it.
            expression: one of the seven.

        Returns:
            The face (48, 48) uint8 that shows it, and (48, 48, 2) float32 px: how far to the right
            and below each pixel's content lay before it was moved there.
        """
        target = np.zeros((1, len(EXPRESSIONS)), np.float32)
        target[0, EXPRESSIONS.index(expression)] = 1.0
        self._interpreter.set_tensor(self._face, crop.reshape(1, CROP_PX, CROP_PX, 1))
        self._interpreter.set_tensor(self._target, target)
        self._interpreter.invoke()
        made = self._interpreter.get_tensor(self._made)[0, :, :, 0]
        return made.copy(), self._interpreter.get_tensor(self._flow)[0].copy()

    def _check_golden(self) -> None:
        """The self-test: this runtime on this board must give what the exporter saw."""
        for number, golden in enumerate(self.card.golden, start=1):
            try:
                crop, expected = (
                    np.frombuffer(base64.b64decode(golden[k]), np.uint8).reshape(CROP_PX, CROP_PX)
                    for k in ("input", "output")
                )
                made, flow = self.run(crop, Expression(golden["target"]))
                moved = flow
                if "flow" in golden:
                    values = np.frombuffer(base64.b64decode(golden["flow"]), np.float16)
                    moved = values.reshape(flow.shape).astype(np.float32)
            except (KeyError, ValueError, TypeError) as error:
                raise ModelError(f"golden vector {number} of the card is unreadable") from error
            if not np.abs(flow).max() <= MAX_FLOW_PX:  # NaN neither
                raise ModelError(
                    f"self-test failed: golden vector {number} moves pixels by more than "
                    f"{MAX_FLOW_PX:g} px"
                )
            if not np.abs(flow - moved).mean() <= FLOW_TOLERANCE_PX:
                raise ModelError(f"self-test failed: golden vector {number} moves other pixels")
            off = float(np.abs(made.astype(np.float32) - expected).mean())
            if not off <= GOLDEN_TOLERANCE:
                raise ModelError(
                    f"self-test failed: golden vector {number} is off by {off:.1f} grey levels "
                    f"(at most {GOLDEN_TOLERANCE:g}): the file or the runtime is damaged"
                )


def face_view(points: Points) -> Matrix:
    """From a picture to the crop that the network works on, by five points (5, 2) px."""
    view = upright(points, FACE_SIDE)
    view[1, 2] += FACE_DROP_PX
    return view


def cut_face(grey: GreyImage, view: Matrix) -> GreyImage:
    """The (48, 48) uint8 crop of a picture."""
    rows, columns = region_of(view, grey.shape, margin=2.0)
    near = view.copy()
    near[:, 2] += view[:, :2] @ (columns.start, rows.start)
    scale = float(np.sqrt(abs(np.linalg.det(view[:, :2]))))
    if not grey[rows, columns].size:
        return cut_view(grey, view)
    return cut_view(soft(np.ascontiguousarray(grey[rows, columns]), scale), near)


def region_of(view: Matrix, shape: tuple[int, ...], margin: float = 0.0) -> tuple[slice, slice]:
    """(rows, columns) of a picture that a crop shows; empty where it lies beyond the picture.

    Args:
        view: from the picture to the crop.
        shape: of the picture.
        margin: around the crop, in its pixels.
    """
    low, high = -margin, CROP_PX - 1 + margin
    corners = np.array([[low, low], [high, low], [high, high], [low, high]])
    places = (corners - view[:, 2]) @ np.linalg.inv(view[:, :2]).T
    (left, top), (right, bottom) = np.floor(places.min(0)), np.ceil(places.max(0)) + 1
    height, width = shape[:2]
    rows = slice(*(int(np.clip(v, 0, height)) for v in (top, bottom)))
    return rows, slice(*(int(np.clip(v, 0, width)) for v in (left, right)))


def carry_back(image: Image, view: Matrix, crop: GreyImage, made: GreyImage, flow: Floats) -> Image:
    """Moves the picture as the network moved its crop and adds what it painted.

    Where much is painted, the old detail (the line of a mouth that is now open) is taken away in
    proportion; elsewhere it stays. Done tile by tile: a face may be as large as the picture.

    Args:
        image: (height, width) or (height, width, 3) uint8.
        view: from the picture to the crop; the crop may reach beyond the picture.
        crop: (48, 48) uint8, as the network saw it.
        made: (48, 48) uint8, as it made it.
        flow: (48, 48, 2) px of the crop; see ``Synthesizer.run``. Like the paint, 0 at the border.
    """
    grid = np.stack(np.meshgrid(np.arange(CROP_PX), np.arange(CROP_PX)), -1).astype(np.float32)
    seen = crop.astype(np.float32)
    paint = made - sample(seen, grid + flow, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    cover = MAX_COVER * np.clip(cv2.GaussianBlur(np.abs(paint), (0, 0), 1.0) / FULL_PAINT, 0, 1)
    work = _Work(image, view, seen, flow, np.asarray(paint, np.float32), cover)
    result = image.copy()
    rows, columns = region_of(view, image.shape)
    for top in range(rows.start, rows.stop, TILE_PX):
        for left in range(columns.start, columns.stop, TILE_PX):
            tile = (
                slice(top, min(top + TILE_PX, rows.stop)),
                slice(left, min(left + TILE_PX, columns.stop)),
            )
            result[tile] = work.tile(*tile)
    return result


@dataclass(frozen=True)
class _Work:
    """What ``carry_back`` knows about a face; arrays of the crop are (48, 48, ...) float32."""

    image: Image
    view: Matrix
    seen: Floats
    flow: Floats
    paint: Floats
    cover: Floats

    def tile(self, rows: slice, columns: slice) -> Image:
        """A part of the picture as it becomes."""
        y, x = np.mgrid[rows, columns]
        own = np.stack([x, y], axis=-1).astype(np.float64)
        inside = (own @ self.view[:, :2].T + self.view[:, 2]).astype(np.float32)
        movement = sample(self.flow, inside, cv2.INTER_LINEAR)
        far = movement @ np.linalg.inv(self.view[:, :2]).T
        reach = int(np.ceil(np.abs(far).max())) + 1  # around a tile lies what moves into it
        top, left = max(rows.start - reach, 0), max(columns.start - reach, 0)
        near = self.image[top : rows.stop + reach, left : columns.stop + reach]
        sources = (own - (left, top) + far).astype(np.float32)
        moved = sample(near, sources, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        rough = sample(self.seen, inside + movement, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
        detail = to_grey(moved).astype(np.float32) - rough
        delta = sample(self.paint, inside, cv2.INTER_CUBIC)
        delta -= sample(self.cover, inside, cv2.INTER_LINEAR) * detail
        if moved.ndim == 3:
            delta = delta[:, :, None]  # the same in every channel: the colour of the skin stays
        return np.asarray(np.clip(np.rint(moved + delta), 0, 255), np.uint8)


def sample(
    values: npt.NDArray[Any], places: Floats, method: int, border: int = cv2.BORDER_CONSTANT
) -> npt.NDArray[Any]:
    """Values of an array (H, W) or (H, W, C) at places (h, w, 2), x and y in px; 0 beyond it."""
    values = np.ascontiguousarray(values)
    return np.asarray(
        cv2.remap(values, places[..., 0].copy(), places[..., 1].copy(), method, borderMode=border)
    )


def surroundings(image: Image, box: BoundingBox) -> tuple[slice, slice]:
    """(rows, columns) of the square around a face, twice as large, moved into the picture."""
    height, width = image.shape[:2]
    side = min(max(1, round(2 * max(box.width, box.height))), height, width)
    x, y = box.center
    left = min(max(0, round(x - side / 2)), width - side)
    top = min(max(0, round(y - side / 2)), height - side)
    return slice(top, top + side), slice(left, left + side)


def _find(
    details: list[Any], first: tuple[Any, type], second: tuple[Any, type], complaint: str
) -> tuple[int, int]:
    """The numbers of two tensors, told apart by shape and type."""
    found: dict[tuple[tuple[int, ...], type], int] = {
        (tuple(int(n) for n in d["shape"]), d["dtype"]): int(d["index"]) for d in details
    }
    try:
        return found[first], found[second]
    except KeyError as error:
        raise ModelError(complaint) from error
