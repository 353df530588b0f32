"""``mien doctor`` as a user runs it: its standard output, its exit status.

In a process of its own where that matters, or where the installed package is another.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from device.__main__ import main
from device.cli import doctor
from device.settings import Settings
from tests.broker import MOSQUITTO, Mosquitto, TestBroker, free_port, start_broker
from tests.device.cli.conftest import BLAZEFACE
from tests.device.cli.processes import ROOT, ask_doctor, findings, run_doctor

SECTIONS = [
    *("settings", "mien", "board", "python", "opencv", "detector", "runtime", "model", "shipped"),
    *("commands", "csi camera", "usb camera", "screen", "broker", "clock", "heat"),
]
PASSWORD = "korrekt-pferd-batterie"


def here(capsys: pytest.CaptureFixture[str], environment: Mapping[str, str]) -> tuple[int, dict]:
    """The report of this process, and its exit status."""
    status = main(["doctor"], environment)
    return status, findings(capsys.readouterr().out)


@pytest.fixture
def mute_port() -> Iterator[int]:
    """Somebody listens there and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_report_has_every_section_once_in_order_and_marks_each() -> None:
    done = run_doctor()
    report = findings(done.stdout)
    assert [line[4:15].strip() for line in done.stdout.splitlines()] == SECTIONS
    assert {mark for mark, _ in report.values()} <= {"ok", "--", "!!"}
    assert all(text.strip() for _, text in report.values())


def test_the_status_is_1_exactly_when_something_is_broken(installed: Path) -> None:
    sound = run_doctor(folder=installed)
    assert "!!" not in sound.stdout
    assert sound.returncode == 0
    broken = run_doctor(folder=installed, MIEN_CLASSIFIER__MODEL="nope")
    assert findings(broken.stdout)["model"][0] == "!!"
    assert broken.returncode == 1


def test_it_says_what_it_found_of_mien_and_its_model(installed: Path) -> None:
    report = findings(run_doctor(folder=installed, MIEN_DEVICE__ID="kitchen").stdout)
    assert report["mien"] == ("ok", f"{doctor.__version__}, device id kitchen")
    assert report["detector"] == ("ok", "haar")
    assert report["model"][1].startswith("expression ")
    assert report["model"][1].endswith("self-test passed")


def test_without_a_broker_it_says_so_and_nothing_is_broken() -> None:
    assert findings(ask_doctor().stdout)["broker"] == (
        "--",
        "none set: the daemon brings its own on loopback",
    )


def test_a_broker_that_answers(mosquitto: TestBroker, capsys: pytest.CaptureFixture[str]) -> None:
    _, report = here(capsys, broker_at(mosquitto.port))
    assert report["broker"] == ("ok", f"127.0.0.1:{mosquitto.port} accepts us")


def test_a_broker_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    status, report = here(capsys, broker_at(port))
    assert report["broker"][0] == "!!"
    assert report["broker"][1].startswith(f"broker 127.0.0.1:{port}: nothing listens there")
    assert status == 1


def test_a_broker_whose_name_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    status, report = here(capsys, {"MIEN_MQTT__HOST": "broker.invalid"})
    assert report["broker"][0] == "!!"
    assert "see mqtt.host" in report["broker"][1]
    assert status == 1


@pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")
def test_a_broker_that_refuses_names_the_remedy_and_not_the_password(tmp_path: Path) -> None:
    login = {"MIEN_MQTT__USERNAME": "mien", "MIEN_MQTT__PASSWORD": PASSWORD}
    with start_broker(tmp_path, "allow_anonymous false") as broker:
        done = ask_doctor(**broker_at(broker.port), **login)
    mark, text = findings(done.stdout)["broker"]
    assert mark == "!!"
    assert text.startswith(f"broker 127.0.0.1:{broker.port} refuses: ")
    assert "mqtt.password_file" in text
    assert PASSWORD not in done.stdout + done.stderr
    assert done.returncode == 1


def test_a_broker_that_stays_mute_does_not_hold_the_report_up(
    mute_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "probe", partial(doctor.probe, within_s=1.0))
    done = ask_doctor(**broker_at(mute_port))
    report = findings(done.stdout)
    assert report["broker"][0] == "!!"
    assert list(report) == SECTIONS
    assert done.returncode == 1


@pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")
def test_a_running_device_is_not_pushed_off_its_broker(
    real_mosquitto: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    here(capsys, {**broker_at(real_mosquitto.port), "MIEN_DEVICE__ID": "kitchen"})
    log = real_mosquitto.log_path.read_text()
    assert "mien-probe-" in log
    assert "mien-kitchen" not in log


def test_a_password_file_that_is_not_there_breaks_only_the_broker(
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment = {**broker_at(1), "MIEN_MQTT__PASSWORD_FILE": "/nowhere/password"}
    status, report = here(capsys, environment)
    assert "/nowhere/password" in report["broker"][1]
    assert [name for name in ("settings", "mien", "model") if report[name][0] != "ok"] == []
    assert status == 1


@pytest.mark.parametrize(
    "table",
    [
        f'host = "127.0.0.1"\nport = 1\nusername = "mien"\npassword = "{PASSWORD}"',
        f'host = "mien:{PASSWORD}@broker.local"',
        f'host = "mqtt://mien:{PASSWORD}@broker.local:1883"',
        f'password = ["{PASSWORD}"]',
        f'pasword = "{PASSWORD}"',
        f'password = "{PASSWORD}',
        f'password = "{PASSWORD}" # not\nTOML {PASSWORD}',
    ],
)
def test_no_secret_is_printed(table: str, tmp_path: Path) -> None:
    config = tmp_path / "mien.toml"
    config.write_text(f"[mqtt]\n{table}\n")
    done = ask_doctor("--debug", "--config", str(config))
    assert PASSWORD not in done.stdout + done.stderr
    assert list(findings(done.stdout)) == SECTIONS
    assert done.returncode == 1


def test_wrong_settings_are_told_and_the_report_goes_on_with_the_defaults(tmp_path: Path) -> None:
    config = tmp_path / "mien.toml"
    config.write_text('[mqtt]\nhost = "broker.local"\nprot = 1883\nqos = 1\n')
    done = ask_doctor("--config", str(config))
    report = findings(done.stdout)
    assert report["settings"][0] == "!!"
    for line, key in ((3, "prot"), (4, "qos")):
        assert f"{config}:{line}: unknown key mqtt.{key}" in report["settings"][1]
    assert report["settings"][1].endswith("(what follows is with the defaults)")
    assert report["broker"][0] == "--"
    assert list(report) == SECTIONS
    assert done.returncode == 1


def test_a_settings_file_is_named_when_it_is_sound(tmp_path: Path) -> None:
    config = tmp_path / "mien.toml"
    config.write_text('[device]\nid = "kitchen"\n')
    report = findings(ask_doctor("--config", str(config)).stdout)
    assert report["settings"] == ("ok", str(config))
    assert report["mien"][1].endswith("device id kitchen")


def test_no_camera_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "list_cameras", list)
    _, report = here(capsys, {})
    assert report["usb camera"][0] == "--"
    assert "/dev/video*" in report["usb camera"][1]


def test_a_camera_is_named_with_its_driver(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = SimpleNamespace(path="/dev/video7", card="HD Webcam")
    monkeypatch.setattr(doctor, "list_cameras", lambda: [camera])
    _, report = here(capsys, {})
    assert report["usb camera"] == ("ok", "/dev/video7 (HD Webcam)")


def test_a_missing_runtime_is_told_and_the_report_comes_to_its_end(tmp_path: Path) -> None:
    for package in ("ai_edge_litert", "tflite_runtime", "tensorflow"):
        (tmp_path / f"{package}.py").write_text(f'raise ImportError("no {package}")\n')
    done = run_doctor(PYTHONPATH=str(tmp_path))
    report = findings(done.stdout)
    for section in ("runtime", "model", "shipped"):
        assert report[section][0] == "!!"
        assert "install ai-edge-litert" in report[section][1]
    assert list(report) == SECTIONS
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


def test_a_damaged_blazeface_is_broken_and_names_the_remedy(installed: Path) -> None:
    for name in BLAZEFACE:
        (installed / "device" / "models" / name).write_bytes(b"TFL3 cut short")
    done = run_doctor(folder=installed)
    mark, text = findings(done.stdout)["detector"]
    assert mark == "!!"
    assert text.startswith("haar: BlazeFace in ")
    assert "`mien fetch`" in text
    assert done.returncode == 1


def test_half_a_blazeface_is_broken_too(installed: Path) -> None:
    (installed / "device" / "models" / BLAZEFACE[0]).write_bytes(b"TFL3 cut short")
    assert findings(run_doctor(folder=installed).stdout)["detector"][0] == "!!"


def test_a_blazeface_that_is_wanted_and_not_there(installed: Path) -> None:
    done = run_doctor(folder=installed, MIEN_DETECTOR__KIND="blazeface")
    mark, text = findings(done.stdout)["detector"]
    assert mark == "!!"
    assert "`mien fetch`" in text
    assert done.returncode == 1


def test_a_camera_whose_driver_fails_oddly_does_not_end_the_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(number: int) -> None:
        raise RuntimeError("the pipeline handler is in use")

    monkeypatch.setattr(doctor.util, "find_spec", lambda name: object())
    monkeypatch.setattr("device.camera.picamera._connect", fail)
    mark, text = doctor._csi_camera(Settings())
    assert mark == "--", "it may be Mien itself that has it"
    assert "RuntimeError: the pipeline handler is in use" in text


def test_a_model_cut_short_is_broken(installed: Path) -> None:
    model = installed / "device" / "models" / "expression.tflite"
    model.write_bytes(model.read_bytes()[:1000])
    done = run_doctor(folder=installed)
    mark, text = findings(done.stdout)["model"]
    assert mark == "!!"
    assert "expression" in text
    assert done.returncode == 1


def test_in_a_pipe_there_are_plain_lines_and_no_control_characters() -> None:
    text = run_doctor().stdout
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
    assert text.endswith("\n")


def test_a_reader_that_leaves_early_makes_no_noise() -> None:
    command = ["bash", "-o", "pipefail", "-c", f"{sys.executable} -m device doctor | head -n 1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300)
    assert done.stdout.startswith(("ok  settings", "!!  settings"))
    assert not [word for word in ("Traceback", "BrokenPipe") if word in done.stderr]


def test_nothing_is_left_behind(installed: Path) -> None:
    before = {path for path in installed.rglob("*") if "__pycache__" not in path.parts}
    run_doctor(folder=installed, HOME=str(installed), PYTHONDONTWRITEBYTECODE="1")
    assert {p for p in installed.rglob("*") if "__pycache__" not in p.parts} == before


def broker_at(port: int) -> dict[str, str]:
    return {"MIEN_MQTT__HOST": "127.0.0.1", "MIEN_MQTT__PORT": str(port)}
