"""Jetson CSI cameras: ``gst-launch-1.0 nvarguscamerasrc ... ! fdsink`` read as raw pictures.

A child process needs no GStreamer binding for Python and none in OpenCV, and when Argus
hangs it can be killed. ``nvarguscamerasrc`` writes lines of its own to standard output, so the
pictures come through a pipe beside it.
"""

from __future__ import annotations

import logging
import os
import re
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from typing import IO

import numpy as np

from device.camera.argus import ArgusMode, choose_mode, read_modes
from device.errors import CameraAbsentError, CameraError
from device.settings.tree import Camera as CameraSettings
from device.vocabulary import Image

log = logging.getLogger("mien.camera")

PROGRAM = ("gst-launch-1.0",)
SENSOR_RATE_HZ = 30  # at most; videorate drops the rest
UNKNOWN = ArgusMode(-1, 1920, 1080, SENSOR_RATE_HZ)  # a mode that every CSI sensor has
SAME_ASPECT = 0.02  # a smaller difference is not seen when it is stretched away
ASK_S = 8.0  # Argus takes two to tell its modes
KILL_AFTER_S = 2.0
CHUNK_BYTES = 1 << 20
MAX_COMPLAINTS_BYTES = 1 << 16
ROW_BYTES = 4  # GStreamer pads each row to a multiple
ABSENT = ("no element", "No cameras available")  # not a Jetson, or none plugged in


def sensor_number(settings: CameraSettings) -> int:
    """The CSI sensor that the settings name, 0 by default."""
    return int(settings.device) if settings.device.isdigit() else 0


def picture_size(settings: CameraSettings, mode: ArgusMode = UNKNOWN) -> tuple[int, int]:
    """(width, height) px: the largest with the mode's aspect that fits into the settings'."""
    asked, aspect = settings.width / settings.height, mode.width / mode.height
    if abs(asked / aspect - 1) < SAME_ASPECT:
        return settings.width, 2 * round(settings.height / 2)
    scale = min(settings.width / mode.width, settings.height / mode.height)
    return round(mode.width * scale), 2 * round(mode.height * scale / 2)


def pipeline(
    settings: CameraSettings, color: bool, mode: ArgusMode = UNKNOWN, descriptor: int = 1
) -> list[str]:
    """The arguments after ``gst-launch-1.0``.

    Scaling and the conversion to grey or RGBA happen in the Jetson's own hardware
    (``nvvidconv``), which has no 24-bit RGB and stretches what does not have its aspect.

    Args:
        settings: of the camera.
        color: RGBA instead of grey.
        mode: of the sensor.
        descriptor: of the pipe for the pictures.
    """
    rate = Fraction(settings.frame_rate_hz).limit_denominator(100)
    layout = "RGBA" if color else "GRAY8"
    width, height = picture_size(settings, mode)
    size = f"width={mode.width},height={mode.height}"
    sensor_rate = min(SENSOR_RATE_HZ, round(mode.rate_hz))
    return [
        "--quiet",
        *("nvarguscamerasrc", f"sensor-id={sensor_number(settings)}"),
        *([f"sensor-mode={mode.number}"] if mode is not UNKNOWN else []),
        *("!", f"video/x-raw(memory:NVMM),format=NV12,{size},framerate={sensor_rate}/1"),
        *("!", "nvvidconv"),
        *("!", f"video/x-raw,format={layout},width={width},height={height}"),
        *("!", "videorate", "drop-only=true"),
        *("!", f"video/x-raw,framerate={rate.numerator}/{rate.denominator}"),
        *("!", "fdsink", f"fd={descriptor}", "sync=false"),
    ]


class JetsonSource:
    """Reads one CSI camera through a GStreamer child process: ``program`` with its pipeline.

    Attributes:
        view: the sensor mode, once open; None: the sensor told nothing about its modes.
    """

    name: str
    is_live: bool = True

    def __init__(
        self, settings: CameraSettings, color: bool = False, program: Sequence[str] = PROGRAM
    ) -> None:
        self._settings, self._color, self._program = settings, color, tuple(program)
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None
        self._pictures: int | None = None  # the pipe
        self._width, self._rows = 0, (0, 0)
        self.view: ArgusMode | None = None
        self._tells_no_modes = False  # known once it gave a picture all the same
        self.name = f"jetson {sensor_number(settings)}"

    def open(self) -> None:
        """Starts the child, with the sensor's whole field of view where that is known.

        Raises:
            CameraError: GStreamer is not installed.
        """
        if not self.view and not self._tells_no_modes:
            self.view = self._ask_view()
            if self.view:
                log.info("%s: %s", self.name, self.view)
        mode = self.view or UNKNOWN
        self._width, height = picture_size(self._settings, mode)
        width_bytes = self._width * (4 if self._color else 1)
        self._rows = (height, -(-width_bytes // ROW_BYTES) * ROW_BYTES)
        self._complaints = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - close() closes it
        self._pictures, pictures = os.pipe()
        try:
            self._process = subprocess.Popen(
                [*self._program, *pipeline(self._settings, self._color, mode, pictures)],
                stdin=subprocess.DEVNULL,
                stdout=self._complaints,
                stderr=self._complaints,
                pass_fds=(pictures,),
                start_new_session=True,  # Ctrl-C in a terminal is for us to handle
            )
        except OSError as error:
            raise CameraAbsentError(
                f"{self._program[0]}: {error.strerror}; on JetPack: sudo apt install "
                "gstreamer1.0-tools nvidia-l4t-gstreamer"
            ) from error
        finally:
            os.close(pictures)

    def _ask_view(self) -> ArgusMode | None:
        """Has one picture taken for the sake of the modes that are told before it."""
        source = ("nvarguscamerasrc", f"sensor-id={sensor_number(self._settings)}")
        command = [*self._program, *source, "num-buffers=1", "!", "fakesink"]
        said = b""
        with suppress(OSError, subprocess.TimeoutExpired):  # what is wrong the open pipeline says
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, timeout=ASK_S)  # fmt: skip
            said = done.stdout
        wanted = self._settings.width, self._settings.height, self._settings.frame_rate_hz
        return choose_mode(read_modes(said.decode("utf-8", "replace")), *wanted)

    def read(self) -> Image | None:
        """The next picture.

        Raises:
            CameraError: the child ended, or sent nothing for ``stale_after_s``.
        """
        if not (self._process and self._pictures is not None and self._complaints):
            raise CameraError(f"{self.name}: not open")
        data = self._read_exactly(self._rows[0] * self._rows[1], self._pictures)
        if not self.view and not self._tells_no_modes:
            log.info("%s: field of view unknown", self.name)
            self._tells_no_modes = True
        rows = np.frombuffer(data, np.uint8).reshape(self._rows)
        if os.fstat(self._complaints.fileno()).st_size > MAX_COMPLAINTS_BYTES:
            self._complaints.truncate(0)  # a child may live for years
        if self._color:
            return np.ascontiguousarray(rows.reshape(len(rows), -1, 4)[..., :3])
        return np.ascontiguousarray(rows[:, : self._width])

    def close(self) -> None:
        """Ends the child, by force if Argus hangs."""
        process, self._process = self._process, None
        if self._pictures is not None:
            os.close(self._pictures)
            self._pictures = None
        if process:
            with process:  # waits for the end
                process.terminate()
                try:
                    process.wait(KILL_AFTER_S)
                except subprocess.TimeoutExpired:
                    process.kill()
        if self._complaints:
            self._complaints.close()
            self._complaints = None

    def _read_exactly(self, num_bytes: int, descriptor: int) -> bytearray:
        data, limit_s = bytearray(), self._settings.stale_after_s
        deadline_s = time.monotonic() + limit_s
        while len(data) < num_bytes:
            left_s = max(0.0, deadline_s - time.monotonic())
            if not select.select([descriptor], [], [], left_s)[0]:
                raise CameraError(
                    f"{self.name}: no picture for {limit_s:g} s; "
                    "if it stays so: sudo systemctl restart nvargus-daemon"
                )
            chunk = os.read(descriptor, min(CHUNK_BYTES, num_bytes - len(data)))
            if not chunk:
                complaint = self._complaint()
                if any(words in complaint for words in ABSENT):
                    raise CameraAbsentError(f"{self.name}: no such CSI camera: {complaint}")
                raise CameraError(f"{self.name}: GStreamer ended: {complaint}")
            data += chunk
        return data

    def _complaint(self) -> str:
        """The line that says most of why the child ended."""
        if not self._complaints:
            return "without a word"
        self._complaints.seek(0)
        text = self._complaints.read().decode("utf-8", "replace")
        error = re.search("^.*(error|no element).*$", text, re.I | re.M)
        said = error[0] if error else text.strip().split("\n")[0]
        return said.strip() or "without a word"
