"""Paste back: what the generator made of a crop goes into the picture that it was cut from.

The generator moves pixels and paints a little on top, and says how it moved them: the movement is
repeated at the picture's own resolution, so that skin, brows and lips keep their detail, and only
the paint is enlarged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.vision.face_color import MOUTH, FaceColor, inside
from device.vision.preprocess import CROP_PX, Matrix, Points, cut_view, soft, to_grey, upright
from device.vocabulary import GreyImage, Image

FACE_SIDE = 2.6  # of the model's crop, in units of `upright`; as FER2013 frames faces
FACE_DROP_PX = 2.0  # of the face below the crop's middle: a jaw that falls needs room
FULL_PAINT = 25.0  # grey levels of paint from which the old detail is gone
TILE_PX = 512  # side of what is worked on at once
MAX_COVER = 0.85  # share of the old detail that full paint takes away
NUM_CORRECTIONS = 2  # of what enlarging the paint has softened
BRIGHTEST = 99.9  # per cent of a crop are darker than its brightest paint may be
LITTLE_PAINT = 6.0  # grey levels of paint up to which the old colour stays
RECOLORED = 36.0  # and from which the face's own colours replace it
MOUTH_BLUR_PX = 2.0
SOME_PAINT = 8.0  # grey levels of paint from which the softness is corrected in full

Floats = npt.NDArray[np.float32]


def face_view(points: Points) -> Matrix:
    """From a picture to the crop that the model works on, by five points (5, 2) px."""
    view = upright(points, FACE_SIDE)
    view[1, 2] += FACE_DROP_PX
    return view


def cut_face(grey: GreyImage, view: Matrix) -> GreyImage:
    """The (48, 48) uint8 crop of a picture."""
    rows, columns = region_of(view, grey.shape, margin=2.0)
    region = np.ascontiguousarray(grey[rows, columns])
    if not region.size:
        return cut_view(grey, view)
    scale = float(np.sqrt(abs(np.linalg.det(view[:, :2]))))
    return cut_view(soft(region, scale), seen_from(view, rows, columns))


def seen_from(view: Matrix, rows: slice, columns: slice) -> Matrix:
    """The same view from a part of the picture."""
    near = np.asarray(view, np.float64).copy()
    near[:, 2] += near[:, :2] @ (columns.start, rows.start)
    return near


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


def paste_back(image: Image, view: Matrix, crop: GreyImage, made: GreyImage, flow: Floats) -> Image:
    """Moves the picture as the model moved its crop and adds what it painted.

    Where much is painted, the old detail (the line of a mouth that is now open) is taken away in
    proportion; elsewhere it stays. What the result, cut out again, lacks there of what the model
    made is then added: enlarging softens paint (iterative back-projection, Irani and Peleg, 1991).
    No paint is brighter than what was bright already: teeth would glow. In a colour picture paint
    takes the face's own colours (``FaceColor``). Done tile by tile: a face may be as large as the
    picture.

    Args:
        image: (height, width) or (height, width, 3) uint8.
        view: from the picture to the crop; the crop may reach beyond the picture.
        crop: (48, 48) uint8, as the model saw it.
        made: (48, 48) uint8, as it made it.
        flow: (48, 48, 2) px of the crop; see ``Synthesizer.run``. Like the paint, 0 at the border.
    """
    grid = np.stack(np.meshgrid(np.arange(CROP_PX), np.arange(CROP_PX)), -1).astype(np.float32)
    seen = crop.astype(np.float32)
    moved = sample(seen, grid + flow, cv2.INTER_LINEAR)
    wanted = np.minimum(made, np.maximum(moved, np.percentile(crop, BRIGHTEST)))
    paint = wanted - moved
    painted = cv2.GaussianBlur(np.abs(paint), (0, 0), 1.0)
    cover = MAX_COVER * np.clip(painted / FULL_PAINT, 0, 1)
    near_paint = np.clip(painted / SOME_PAINT, 0, 1)
    work = _Work(image, view, seen, flow, np.asarray(paint, np.float32), cover)
    result = image.copy()
    for tile in tiles_of(view, image.shape):
        result[tile] = work.tile(*tile)
    rows, columns = region_of(view, image.shape, margin=2.0)
    near = seen_from(view, rows, columns)
    for _ in range(NUM_CORRECTIONS if result[rows, columns].size else 0):
        seen_small = cut_face(to_grey(result[rows, columns]), near)
        lacking = near_paint * (wanted - seen_small)
        for tile in tiles_of(view, image.shape):
            add(result, tile, spread(lacking, view, *tile, cv2.INTER_CUBIC))
    if image.ndim == 3:
        recolor(result, image, view, painted)
    return result


def recolor(result: Image, image: Image, view: Matrix, painted: Floats) -> None:
    """Gives what was painted the face's own colours, in place.

    Args:
        result: (height, width, 3) RGB, with the paint.
        image: the same without.
        view: from the picture to the crop.
        painted: (48, 48) grey levels of paint.
    """
    channels = [
        cut_face(np.ascontiguousarray(channel), view) for channel in np.moveaxis(image, -1, 0)
    ]
    color = FaceColor.of(np.stack(channels, axis=-1))
    share = (painted - LITTLE_PAINT) / (RECOLORED - LITTLE_PAINT)
    mouth = cv2.GaussianBlur(inside(MOUTH).astype(np.float32), (0, 0), MOUTH_BLUR_PX)
    parts = [np.asarray(np.clip(share, 0, 1), np.float32), np.asarray(mouth, np.float32)]
    for tile in tiles_of(view, image.shape):
        weights = (spread(part, view, *tile, cv2.INTER_LINEAR) for part in parts)
        color.paint(result[tile], *weights)


def tiles_of(view: Matrix, shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """(rows, columns) of the parts of a picture that a crop shows, each of at most a tile's size."""
    rows, columns = region_of(view, shape)
    for top in range(rows.start, rows.stop, TILE_PX):
        for left in range(columns.start, columns.stop, TILE_PX):
            bottom, right = min(top + TILE_PX, rows.stop), min(left + TILE_PX, columns.stop)
            yield slice(top, bottom), slice(left, right)


def add(image: Image, tile: tuple[slice, slice], delta: Floats) -> None:
    """Changes a part of a picture in place, the same in every channel."""
    if image.ndim == 3:
        delta = delta[:, :, None]
    image[tile] = np.clip(np.rint(image[tile] + delta), 0, 255)


@dataclass(frozen=True)
class _Work:
    """What ``paste_back`` knows about a face; arrays of the crop are (48, 48, ...) float32."""

    image: Image
    view: Matrix
    seen: Floats
    flow: Floats
    paint: Floats
    cover: Floats

    def tile(self, rows: slice, columns: slice) -> Image:
        """A part of the picture as it becomes."""
        y, x = np.mgrid[rows, columns].astype(np.float32)
        own = np.stack([x, y], axis=-1)
        view = self.view.astype(np.float32)
        inside = own @ view[:, :2].T + view[:, 2]
        movement = spread(self.flow, self.view, rows, columns, cv2.INTER_LINEAR)
        far = movement @ np.linalg.inv(view[:, :2]).T
        reach = int(np.ceil(np.abs(far).max())) + 1  # around a tile lies what moves into it
        top, left = max(rows.start - reach, 0), max(columns.start - reach, 0)
        near = self.image[top : rows.stop + reach, left : columns.stop + reach]
        offset = np.array([left, top], np.float32)
        moved = sample(near, own - offset + far, cv2.INTER_LINEAR)
        rough = sample(self.seen, inside + movement, cv2.INTER_CUBIC)
        detail = to_grey(moved).astype(np.float32) - rough
        delta = spread(self.paint, self.view, rows, columns, cv2.INTER_CUBIC)
        delta -= spread(self.cover, self.view, rows, columns, cv2.INTER_LINEAR) * detail
        add(moved, (slice(None), slice(None)), delta)
        return moved


def spread(values: Floats, view: Matrix, rows: slice, columns: slice, method: int) -> Floats:
    """Values of the crop (48, 48) or (48, 48, C) at each pixel of a part of the picture; 0 beyond."""
    near = seen_from(view, rows, columns)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    flags = method | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(values, near, size, flags=flags), np.float32)


def sample(values: npt.NDArray[Any], places: Floats, method: int) -> npt.NDArray[Any]:
    """Values of an array (H, W) or (H, W, C) at places (h, w, 2), x and y in px."""
    x, y = np.ascontiguousarray(np.moveaxis(places, -1, 0))
    values = np.ascontiguousarray(values)
    return np.asarray(cv2.remap(values, x, y, method, borderMode=cv2.BORDER_REPLICATE))
