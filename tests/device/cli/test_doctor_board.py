"""What ``mien doctor`` says of cameras, heat and power supply, each asked by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from device.camera.jetson import JetsonSource
from device.cli import doctor
from device.daemon.board import THROTTLED_FILES, Board
from device.errors import CameraAbsentError, CameraError
from device.settings import Settings
from tests.device.camera.test_jetson import gst_launch

ABSENT = CameraAbsentError("picamera 0: no such CSI camera (0 found); check the ribbon cable")
BUSY = CameraError("picamera 0: busy or not answering; is another camera program running?")


def wanting(source: str) -> Settings:
    settings = Settings()
    return replace(settings, camera=replace(settings.camera, source=source))


@pytest.mark.parametrize(
    ("source", "failure", "mark"),
    [
        ("auto", ABSENT, "--"),
        ("v4l2", ABSENT, "--"),
        ("picamera", ABSENT, "!!"),
        ("auto", BUSY, "--"),
        ("picamera", BUSY, "--"),  # the running service has it
    ],
)
def test_a_csi_camera_that_cannot_be_opened_is_not_ok(
    monkeypatch: pytest.MonkeyPatch, source: str, failure: CameraError, mark: str
) -> None:
    def connect(number: int) -> None:
        raise failure

    monkeypatch.setattr(doctor.util, "find_spec", lambda name: object())
    monkeypatch.setattr("device.camera.picamera._connect", connect)
    assert doctor._csi_camera(wanting(source)) == (mark, f"picamera2: {failure}")


@pytest.mark.parametrize(
    ("behaviour", "is_wanted", "mark", "said"),
    [
        ("absent", False, "--", "no such CSI camera"),
        ("absent", True, "!!", "no such CSI camera"),
        ("end", True, "ok", "gives pictures; its field of view is unknown"),
    ],
)
def test_a_jetson_without_a_camera_is_not_ok_though_its_program_starts(
    tmp_path: Path, behaviour: str, is_wanted: bool, mark: str, said: str
) -> None:
    source = JetsonSource(Settings().camera, program=gst_launch(tmp_path, behaviour))
    found, text = doctor._view_of(source, is_wanted)
    assert found == mark
    assert said in text


@pytest.mark.parametrize(
    ("source", "mark"), [("auto", "--"), ("v4l2", "--"), ("picamera", "!!"), ("jetson", "!!")]
)
def test_the_wanted_kind_of_csi_camera_without_its_software_is_broken(
    monkeypatch: pytest.MonkeyPatch, source: str, mark: str
) -> None:
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None)
    monkeypatch.setattr(doctor, "which", lambda name: None)
    assert doctor._csi_camera(wanting(source))[0] == mark


@pytest.mark.parametrize(("source", "mark"), [("auto", "--"), ("demo", "--"), ("v4l2", "!!")])
def test_no_usb_camera_is_broken_only_where_one_is_wanted(
    monkeypatch: pytest.MonkeyPatch, source: str, mark: str
) -> None:
    monkeypatch.setattr(doctor, "list_cameras", list)
    assert doctor._usb_camera(wanting(source))[0] == mark
    camera = SimpleNamespace(path="/dev/video7", card="HD Webcam")
    monkeypatch.setattr(doctor, "list_cameras", lambda: [camera])
    assert doctor._usb_camera(wanting(source))[0] == "ok"


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ("0", ("ok", "61 °C")),
        ("50000", ("ok", "61 °C, under-voltage has occurred, throttled has occurred")),
        (
            "50005",
            (
                "!!",
                "61 °C, under-voltage, throttled, under-voltage has occurred, "
                "throttled has occurred: cool the board, or give it a stronger power supply",
            ),
        ),
    ],
)
def test_a_board_that_is_slowed_down_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bits: str, expected: tuple[str, str]
) -> None:
    zone, throttled = tmp_path / "class/thermal/thermal_zone0", tmp_path / THROTTLED_FILES[0]
    for folder in (zone, throttled.parent):
        folder.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("61322\n")
    throttled.write_text(f"{bits}\n")
    monkeypatch.setattr(doctor, "Board", lambda: Board(tmp_path, vcgencmd=str))
    assert doctor._heat(Settings()) == expected


def test_a_board_without_sensors_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "Board", lambda: Board(tmp_path, vcgencmd=str))
    assert doctor._heat(Settings()) == ("--", "no thermal sensor")


@pytest.mark.parametrize(
    ("bits", "backend", "mark"),
    [
        ("32", "auto", "ok"),
        ("16", "framebuffer", "ok"),
        ("24", "auto", "--"),
        ("24", "framebuffer", "!!"),
        ("1", "auto", "--"),
    ],
)
def test_a_framebuffer_of_another_depth_is_not_ok(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bits: str, backend: str, mark: str
) -> None:
    (tmp_path / "fb7").touch()
    facts = tmp_path / "graphics" / "fb7"
    facts.mkdir(parents=True)
    (facts / "virtual_size").write_text("1024,768\n")
    (facts / "bits_per_pixel").write_text(f"{bits}\n")
    monkeypatch.setattr(doctor, "GRAPHICS", tmp_path / "graphics")
    display = replace(Settings().display, backend=backend, framebuffer=str(tmp_path / "fb7"))
    found, text = doctor._screen(replace(Settings(), display=display))
    assert found == mark
    assert f"1024,768, {bits} bits a pixel" in text
