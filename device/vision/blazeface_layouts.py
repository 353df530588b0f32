"""BlazeFace's models: their files and how their answers are laid out.

Only the standard library is needed to know them: systemd/bundle.sh fetches them with a bare Python.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """How a model's answers are laid out.

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


# Of the package's models these two measure best (docs/faces.md): the newer full-range one
# loses faces that fill the frame, and heads without shoulders.
BACK_CAMERA = Layout(
    "face_detection_back.tflite",
    "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
    256,
    ((16, 2), (8, 6)),
    0.45,
)
SHORT_RANGE = Layout(
    "face_detection_short_range.tflite",
    "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
    128,
    ((16, 2), (8, 6)),
    0.5,
)
LAYOUTS = (BACK_CAMERA, SHORT_RANGE)


def is_sound(path: Path, sha256: str) -> bool:
    """True when the model is there and is the known one."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False
