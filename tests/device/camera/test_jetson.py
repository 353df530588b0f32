from __future__ import annotations

import logging
import select
import shutil
import signal
import sys
from pathlib import Path

import pytest

from device.camera import jetson
from device.camera.argus import choose_mode, read_modes
from device.camera.jetson import JetsonSource, picture_size, pipeline
from device.errors import CameraAbsentError, CameraError
from device.settings.tree import Camera as CameraSettings

MODES = """
GST_ARGUS: Creating output stream
CONSUMER: Waiting until producer is connected...
GST_ARGUS: Available Sensor modes :
GST_ARGUS: 3264 x 2464 FR = 21.000000 fps Duration = 47619048 ; Analog Gain range min 1.000000, max 10.625000; Exposure Range min 13000, max 683709000;

GST_ARGUS: 3264 x 1848 FR = 28.000001 fps Duration = 35714284 ; Analog Gain range min 1.000000, max 10.625000; Exposure Range min 13000, max 683709000;

GST_ARGUS: 1920 x 1080 FR = 29.999999 fps Duration = 33333334 ; Analog Gain range min 1.000000, max 10.625000; Exposure Range min 13000, max 683709000;

GST_ARGUS: 1640 x 1232 FR = 29.999999 fps Duration = 33333334 ; Analog Gain range min 1.000000, max 10.625000; Exposure Range min 13000, max 683709000;

GST_ARGUS: 1280 x 720 FR = 59.999999 fps Duration = 16666667 ; Analog Gain range min 1.000000, max 10.625000; Exposure Range min 13000, max 683709000;

GST_ARGUS: Running with following settings:
   Camera index = 0
"""
FAKE_GST_LAUNCH = """
import os, re, sys, time
line = " ".join(sys.argv[1:])
behaviour = {behaviour!r}
if {modes!r}:
    print({modes!r}, flush=True)
if "fakesink" in line:
    sys.exit()
pictures = os.fdopen(int(re.search("fd=(\\d+)", line)[1]), "wb")
width, height = (int(n) for n in re.findall(r"width=(\\d+),height=(\\d+)", line)[-1])
bytes_px = 4 if "RGBA" in line else 1
for number in range(1, 1 if behaviour in ("absent", "no jetson") else 4):
    row = bytes([number, 2, 3, 255][:bytes_px]) * width
    picture = (row + bytes(-len(row) % 4)) * height
    half = len(picture) // 2
    pictures.write(picture[:half]); pictures.flush()
    pictures.write(picture[half:]); pictures.flush()
    if behaviour == "hang":
        time.sleep(60)
if behaviour == "fail":
    print("Setting pipeline to PAUSED", file=sys.stderr)
    print("ERROR: from element nvarguscamerasrc0: Internal data stream error", file=sys.stderr)
if behaviour == "absent":
    print("nvarguscamerasrc: Error generated. No cameras available", file=sys.stderr)
if behaviour == "no jetson":
    print('WARNING: erroneous pipeline: no element "nvarguscamerasrc"', file=sys.stderr)
"""


def gst_launch(folder: Path, behaviour: str = "fail", modes: str = "") -> list[str]:
    """Speaks gst-launch's side: raw pictures in a pipe, Argus's lines on stdout, complaints."""
    path = folder / "gst-launch"
    path.write_text(FAKE_GST_LAUNCH.format(behaviour=behaviour, modes=modes))
    return [sys.executable, str(path)]


def test_the_pipeline_asks_the_hardware_for_grey_of_our_size_and_rate() -> None:
    line = " ".join(pipeline(CameraSettings(device="1", frame_rate_hz=12.5), color=False))
    assert line == (
        "--quiet nvarguscamerasrc sensor-id=1 "
        "! video/x-raw(memory:NVMM),format=NV12,width=1920,height=1080,framerate=30/1 "
        "! nvvidconv ! video/x-raw,format=GRAY8,width=640,height=360 "
        "! videorate drop-only=true ! video/x-raw,framerate=25/2 ! fdsink fd=1 sync=false"
    )


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(640, 480, (640, 360)), (480, 640, (480, 270)), (1920, 1080, (1920, 1080))],
)
def test_the_picture_is_not_stretched(width: int, height: int, expected: tuple[int, int]) -> None:
    assert picture_size(CameraSettings(width=width, height=height)) == expected


@pytest.mark.parametrize(
    ("rate_hz", "width", "mode", "size", "sensor_rate"),
    [
        (15, 640, 3, "1640,height=1232", 30),
        (15, 1920, 0, "3264,height=2464", 21),
        (30, 1920, 3, "1640,height=1232", 30),  # the largest is too slow
        (60, 640, 3, "1640,height=1232", 30),
    ],
)
def test_the_whole_field_of_view_is_asked_for(
    rate_hz: float, width: int, mode: int, size: str, sensor_rate: int
) -> None:
    height = width * 3 // 4
    chosen = choose_mode(read_modes(MODES), width, height, rate_hz)
    assert chosen is not None
    settings = CameraSettings(frame_rate_hz=rate_hz, width=width, height=height)
    line = " ".join(pipeline(settings, False, chosen, 7))
    assert f"sensor-id=0 sensor-mode={mode} ! " in line
    assert f"width={size},framerate={sensor_rate}/1 !" in line
    assert f"format=GRAY8,width={width},height={height} !" in line
    assert line.endswith("fdsink fd=7 sync=false")


def test_modes_are_read_in_any_language_and_none_is_no_mode() -> None:
    assert read_modes(MODES.replace(".", ",")) == read_modes(MODES)
    assert [mode.number for mode in read_modes(MODES)] == [0, 1, 2, 3, 4]
    assert choose_mode(read_modes("nothing of the kind"), 640, 480, 15) is None


def test_what_argus_says_on_standard_output_is_no_picture(tmp_path: Path) -> None:
    source = JetsonSource(CameraSettings(), program=gst_launch(tmp_path, modes=MODES))
    source.open()
    try:
        for number in (1, 2, 3):
            image = source.read()
            assert image is not None
            assert image.shape == (480, 640)  # the whole sensor has the picture's aspect
            assert (image == number).all()
    finally:
        source.close()
    assert str(source.view) == "sensor mode 3, 1640 × 1232 px, the whole field of view"


def test_a_sensor_without_modes_is_said_once_and_one_that_is_not_there_never(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mien.camera")
    absent = JetsonSource(CameraSettings(), program=["false"])
    for _ in range(3):  # as long as no camera is plugged in
        absent.open()
        with pytest.raises(CameraError):
            absent.read()
        absent.close()
    assert caplog.messages == []
    source = JetsonSource(CameraSettings(), program=gst_launch(tmp_path))
    for _ in range(2):
        source.open()
        source.read()
        source.close()
    assert caplog.messages == ["jetson 0: field of view unknown"]


def test_an_argus_that_hangs_when_it_is_asked_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetson, "ASK_S", 0.1)
    hanging = [sys.executable, "-c", "import time; time.sleep(600)"]
    source = JetsonSource(CameraSettings(), program=hanging)
    source.open()
    process = source._process
    source.close()
    assert source.view is None
    assert process is not None
    assert process.returncode == -signal.SIGTERM


def test_grey_pictures_come_whole_though_the_pipe_cuts_them(tmp_path: Path) -> None:
    source = JetsonSource(CameraSettings(), program=gst_launch(tmp_path))
    source.open()
    try:
        for number in (1, 2, 3):
            image = source.read()
            assert image is not None
            assert image.shape == (360, 640)
            assert (image == number).all()
        with pytest.raises(CameraError, match=r"GStreamer ended: ERROR: .* Internal data stream"):
            source.read()
    finally:
        source.close()


def test_rows_lose_gstreamers_padding(tmp_path: Path) -> None:
    source = JetsonSource(CameraSettings(width=641), program=gst_launch(tmp_path))
    source.open()
    image = source.read()
    source.close()
    assert image is not None
    assert image.shape == (360, 641)
    assert (image == 1).all()


@pytest.mark.skipif(shutil.which("gst-launch-1.0") is None, reason="GStreamer is not installed")
@pytest.mark.parametrize("width", [640, 641])
@pytest.mark.parametrize("color", [False, True])
def test_a_real_gstreamer_delivers_what_we_read(tmp_path: Path, width: int, color: bool) -> None:
    test_picture = (  # upright bars, white first; needs no Jetson
        "videotestsrc is-live=true num-buffers=5 pattern=smpte100 ! video/x-raw,format=NV12,"
        "framerate=30/1,width=1280,height=720 ! videoconvert ! videoscale"
    )
    program = tmp_path / "gst-launch"
    program.write_text(
        "import re, subprocess, sys\n"
        "line = re.sub('nvarguscamerasrc.*nvvidconv', sys.argv[1], ' '.join(sys.argv[2:]))\n"
        "sys.exit(subprocess.call(['gst-launch-1.0', *line.split()], close_fds=False))\n"
    )
    settings = CameraSettings(width=width, stale_after_s=20)
    source = JetsonSource(settings, color, [sys.executable, str(program), test_picture])
    source.open()
    try:
        image = source.read()
    finally:
        source.close()
    assert image is not None
    columns = image[::100, [20, width // 2, width - 20]]  # bars: white, green, blue
    assert (columns == columns[0]).all(), "rows are sheared"
    if color:
        white, green, blue = columns[0].tolist()
        assert min(white) > 240
        assert green[1] > 200 > green[0]
        assert blue[2] > 200 > blue[0]
    else:
        assert columns[0][0] > 170 > columns[0][2]


def test_color_is_rgb_without_the_fourth_byte(tmp_path: Path) -> None:
    source = JetsonSource(CameraSettings(), color=True, program=gst_launch(tmp_path))
    source.open()
    try:
        image = source.read()
    finally:
        source.close()
    assert image is not None
    assert image.shape == (360, 640, 3)
    assert image[0, 0].tolist() == [1, 2, 3]


def test_a_hanging_argus_is_an_error_and_its_process_is_ended(tmp_path: Path) -> None:
    settings = CameraSettings(stale_after_s=1)
    source = JetsonSource(settings, program=gst_launch(tmp_path, "hang"))
    source.open()
    process, pictures = source._process, source._pictures
    assert process is not None
    assert select.select([pictures], [], [], 60.0)[0]  # Python has started
    source.read()
    with pytest.raises(CameraError, match="restart nvargus-daemon"):
        source.read()
    source.close()
    source.close()
    assert process.poll() is not None


@pytest.mark.parametrize("behaviour", ["absent", "no jetson"])
def test_without_a_csi_camera_another_kind_may_be_tried(tmp_path: Path, behaviour: str) -> None:
    source = JetsonSource(CameraSettings(), program=gst_launch(tmp_path, behaviour))
    source.open()
    with pytest.raises(CameraAbsentError, match="no such CSI camera: "):
        source.read()
    source.close()


def test_without_gstreamer_the_way_to_get_it_is_said() -> None:
    source = JetsonSource(CameraSettings(), program=["no-such-gst-launch"])
    with pytest.raises(CameraAbsentError, match=r"no-such-gst-launch: .* apt install gstreamer1"):
        source.open()
    source.close()
