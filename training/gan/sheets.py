"""What people look at while a generator trains: the sample sheet and the losses."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt

from device.vocabulary import EXPRESSIONS
from training.files import whole
from training.gan.faces import Classes, Pixels

ZOOM = 2
HEADER_PX = 18


def as_signed(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Pixels 0 to 255 as generators take them, -1 to 1."""
    return pixels.astype(np.float32) / np.float32(127.5) - 1


def as_pixels(values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """What a generator gives, about -1 to 1, as pixels."""
    return np.clip(np.rint((values + 1.0) * 127.5), 0, 255).astype(np.uint8)


def translate(
    generator: keras.Model, faces: Pixels, targets: npt.NDArray[np.integer], batch_size: int = 256
) -> Pixels:
    """Faces (N, 48, 48, 1) uint8 as the generator makes them show the targets (N,), uint8."""
    results = []
    for start in range(0, len(faces), batch_size):
        part = as_signed(faces[start : start + batch_size])
        wanted = np.eye(len(EXPRESSIONS), dtype=np.float32)[targets[start : start + batch_size]]
        made = np.asarray(generator([part, wanted], training=False), np.float32)
        results.append(as_pixels(made))
    return np.concatenate(results) if results else faces[:0]


def sample_sheet(generator: keras.Model, faces: Pixels) -> npt.NDArray[np.uint8]:
    """A row a face: the face itself, then all seven expressions.

    Args:
        generator: the network.
        faces: (N, 48, 48, 1) uint8.

    Returns:
        (height, width) uint8 grey picture with the expressions' names on top.
    """
    count = len(EXPRESSIONS)
    repeated = np.repeat(faces, count, axis=0)
    made = translate(generator, repeated, np.tile(np.arange(count), len(faces)))
    rows = [
        np.hstack([face[..., 0], *made[i * count : (i + 1) * count, ..., 0]])
        for i, face in enumerate(faces)
    ]
    sheet = cv2.resize(np.vstack(rows), None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST)
    header = np.full((HEADER_PX, sheet.shape[1]), 255, np.uint8)
    for column, name in enumerate(["input", *(e.value for e in EXPRESSIONS)]):
        at = (column * faces.shape[2] * ZOOM + 4, HEADER_PX - 5)
        cv2.putText(header, name, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 0, 1, cv2.LINE_AA)
    return np.vstack([header, sheet])


def one_of_each(expressions: Classes, rows: int = 10) -> npt.NDArray[np.int64]:
    """Positions of ``rows`` faces, those expressions that there are in turn; always the same."""
    by_class = [np.flatnonzero(expressions == k) for k in np.unique(expressions)]
    turns = [by_class[i % len(by_class)] for i in range(rows)]
    places = [i // len(by_class) for i in range(rows)]
    return np.array([t[min(p, len(t) - 1)] for t, p in zip(turns, places, strict=True)], np.int64)


def write_picture(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Writes a PNG, and its folder, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    written, data = cv2.imencode(".png", picture)
    if not written:
        raise OSError(f"{path}: OpenCV cannot encode the picture")
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        part.write_bytes(data.tobytes())


def plot_losses(history: Path, target: Path) -> None:
    """Draws every column of ``history`` (CSV with a ``step`` column) over the steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with history.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return
    names = [n for n in rows[0] if n not in ("step", "seconds")]
    figure, axes = pyplot.subplots(
        len(names), 1, sharex=True, figsize=(8, 1.6 * len(names)), squeeze=False
    )
    steps = [int(r["step"]) for r in rows]
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.plot(steps, [float(r[name]) for r in rows])
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
    axes[-1, 0].set_xlabel("step")
    figure.tight_layout()
    figure.savefig(target, dpi=80)
    pyplot.close(figure)
