"""Figure 3 of the paper: a face and its HOG features, a star of nine strokes a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training.classifier.hog_svm import BINS, WINDOW, describe, feature_shape
from training.data.pictures import read_grey

FACE = (slice(60, 190), slice(160, 290))  # rows and columns of the demo portrait
SCALE = 6
CELL_PX = 8


def draw_hog(portrait: Path, path: Path) -> None:
    """Writes the picture: left the face in the paper's window, right its features."""
    face = np.asarray(cv2.resize(read_grey(portrait)[FACE], (48, 48)), np.uint8)
    window = cv2.resize(face, WINDOW)
    size = (WINDOW[0] * SCALE, WINDOW[1] * SCALE)
    left = cv2.resize(window, size, interpolation=cv2.INTER_NEAREST)
    cv2.imwrite(str(path), np.hstack([np.asarray(left, np.uint8), stars(face, CELL_PX)]))


def stars(face: npt.NDArray[np.uint8], cell_px: int) -> Any:
    """The strokes, white on black; a stroke lies along the edge, across its gradient."""
    blocks = describe(face[None], cell_px)[0].reshape(*feature_shape(cell_px), 2, 2, BINS)
    picture = np.zeros((WINDOW[1] * SCALE, WINDOW[0] * SCALE), np.uint8)
    half = cell_px * SCALE / 2
    # A block's histograms are its four cells', column by column; a cell's own is its first block's.
    last_block = np.array(blocks.shape[:2]) - 1
    strongest = max(float(blocks.max()), 1e-6)
    for column in range(blocks.shape[0] + 1):
        for row in range(blocks.shape[1] + 1):
            block = np.minimum((column, row), last_block)
            cell = blocks[(*block, column - block[0], row - block[1])]
            center = np.array([column * 2 + 1, row * 2 + 1]) * half
            for number, value in enumerate(cell):
                angle = np.pi * (number + 0.5) / BINS + np.pi / 2
                reach = np.array([np.cos(angle), np.sin(angle)]) * half
                first, last = ([int(v) for v in center + sign * reach] for sign in (-1, 1))
                grey = int(255 * float(value) / strongest)
                cv2.line(picture, first, last, grey, 1, cv2.LINE_AA)
    return picture
