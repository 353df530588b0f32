"""``mien doctor``: what works on this board; a report to paste into an issue.

Nothing is changed, and nothing is sent but one connection to the broker. Each line is
``ok``, ``--`` (not here and not needed, or in use) or ``!!`` (broken, with the remedy).
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Mapping
from importlib import metadata, util
from pathlib import Path
from shutil import which

import cv2

from device import __version__
from device.camera.jetson import JetsonSource
from device.camera.picamera import PicameraSource
from device.camera.source import failure_of
from device.camera.v4l2 import list_cameras
from device.daemon.board import Board
from device.daemon.paths import REMEMBERED, state_folder
from device.daemon.state_file import look_at
from device.display.pixels import DEPTHS
from device.errors import CameraAbsentError, MienError
from device.files import in_words
from device.mqtt.access import broker_access
from device.mqtt.identity import make_device_id
from device.mqtt.one_shot import probe
from device.mqtt.payloads import clock_is_synced
from device.settings import Settings, load_settings
from device.vision import MODELS
from device.vision.detector import build_detector, choose_kind, lying_in
from device.vision.generator import choose_generator
from device.vision.model_store import GENERATOR, ModelStore, try_classifier
from device.vision.tflite import runtime_name
from device.vision.trial import damaged_shipped

GRAPHICS = Path("/sys/class/graphics")
WANTED = "is not here, but camera.source names it"
Finding = tuple[str, str]  # ("ok" | "--" | "!!", text)
Check = Callable[[Settings], Finding]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def main(args: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints the report; 1 when something is broken."""
    settings, has_file = Settings(), args.config is not None
    try:
        settings = load_settings(args.config, environment)
        first = "ok", str(args.config or "built-in defaults")
    except MienError as error:
        first = "!!", f"{'; '.join(error.lines)} (what follows is with the defaults)"
    broken = False
    for name, check in {"settings": lambda _: first, **_checks(environment, has_file)}.items():
        mark, text = _examine(check, settings)
        broken = broken or mark == "!!"
        print(f"{mark}  {name:<11} {text}", flush=True)
    return int(broken)


def _examine(check: Check, settings: Settings) -> Finding:
    try:
        return check(settings)
    except MienError as error:
        return "!!", str(error)
    except (OSError, ValueError, ImportError, cv2.error) as error:  # ImportError: no such package
        kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
        return "!!", f"{kind}{in_words(error)}"


def _software(settings: Settings) -> Finding:
    return "ok", f"{__version__}, device id {make_device_id(settings.device.id)}"


def _board(_: Settings) -> Finding:
    tree = Path("/proc/device-tree/model")
    name = tree.read_bytes().rstrip(b"\0").decode(errors="replace") if tree.exists() else "unnamed"
    text = f"{name}, {platform.machine()}, Linux {platform.release()}"
    if sys.maxsize < 2**32:
        return "!!", f"{text}: a 32-bit system; install the 64-bit one (no TFLite runtime for this)"
    return "ok", text


def _python(_: Settings) -> Finding:
    packages = ("numpy", "paho-mqtt", "fastjsonschema", "sdnotify")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    return "ok", f"{platform.python_version()}, {versions}"


def _opencv(_: Settings) -> Finding:
    has = {"Haar": hasattr(cv2, "CascadeClassifier"), "HOG": hasattr(cv2, "HOGDescriptor")}
    text = f"{cv2.__version__}, " + ", ".join(f"{n} {'yes' if h else 'no'}" for n, h in has.items())
    if not all(has.values()):
        return "!!", f"{text}: install opencv-python-headless below 5"
    return "ok", text


def _detector(settings: Settings) -> Finding:
    kind = choose_kind(settings.detector.kind)
    if settings.detector.kind == "auto" and kind != "blazeface" and lying_in(MODELS):
        return "!!", f"{kind}: BlazeFace in {MODELS} is damaged: `mien fetch` mends it"
    build_detector(settings.detector)
    return "ok", kind


def _runtime(_: Settings) -> Finding:
    name = runtime_name()
    return "ok", f"{name} {metadata.version(name.replace('_', '-'))} (XNNPACK on the CPU)"


def _model(settings: Settings, environment: Mapping[str, str]) -> Finding:
    folder = state_folder(settings.device.state_dir, environment) / "models"
    store = ModelStore(folder)
    card, problems = try_classifier(settings, store)
    if store.find(GENERATOR):  # the shipped one is tried out with all that came with Mien
        problems += choose_generator(store)[1]
    text = f"{card.name} {card.version}, sha256 {card.sha256[:12]}, self-test passed"
    return ("!!", f"{text}; but {'; '.join(problems)}") if problems else ("ok", text)


def _shipped(_: Settings) -> Finding:
    damaged = damaged_shipped()
    if damaged:
        return "!!", f"cannot be used: {', '.join(damaged)}: {next(iter(damaged.values()))}"
    return "ok", ", ".join(sorted(path.stem for path in MODELS.glob("*.json"))) + " work"


def _remembered(settings: Settings, environment: Mapping[str, str], is_run: bool) -> Finding:
    if not is_run:
        return "--", "a run without a settings file neither reads nor keeps any"
    path = state_folder(settings.device.state_dir, environment) / REMEMBERED
    problem, told = look_at(path, settings)
    return ("!!", f"{path}: {problem}") if problem else ("ok", told or "nothing above the settings")


def _csi_camera(settings: Settings) -> Finding:
    wanted, found = settings.camera.source, list[Finding]()
    if util.find_spec("picamera2"):
        mark, view = _view_of(PicameraSource(settings.camera), wanted == "picamera")
        found.append((mark, f"picamera2: {view}"))
    elif wanted == "picamera":
        found.append(("!!", f"picamera2 {WANTED}: sudo apt install python3-picamera2"))
    if which("gst-launch-1.0") and Path("/etc/nv_tegra_release").exists():
        mark, view = _view_of(JetsonSource(settings.camera), wanted == "jetson")
        found.append((mark, f"Jetson GStreamer: {view}"))
    elif wanted == "jetson":
        found.append(("!!", f"Jetson GStreamer {WANTED}: install nvidia-l4t-gstreamer"))
    if not found:
        return "--", "neither picamera2 nor Jetson's GStreamer"
    marks = {mark for mark, _ in found}
    worst = next(mark for mark in ("!!", "ok", "--") if mark in marks)
    return worst, ", ".join(view for _, view in found)


def _view_of(source: PicameraSource | JetsonSource, is_wanted: bool) -> Finding:
    def look() -> None:
        source.open()
        source.read()  # a Jetson's opens without a camera, too

    failure = failure_of(look, source)
    view = source.view
    failure_of(source.close, source)
    if failure is None:
        return "ok", str(view or "gives pictures; its field of view is unknown")
    is_absent = isinstance(failure, CameraAbsentError)  # otherwise Mien itself may have it
    return "!!" if is_wanted and is_absent else "--", str(failure)


def _usb_camera(settings: Settings) -> Finding:
    cameras = [f"{c.path} ({c.card})" for c in list_cameras()]
    if cameras:
        return "ok", ", ".join(cameras)
    nodes = len(list(Path("/dev").glob("video*")))
    unusable = f"{nodes} /dev/video* but none that this user can open as a camera"
    if settings.camera.source == "v4l2":
        return "!!", f"{unusable if nodes else 'no /dev/video*'}; plug one in"
    return "--", unusable if nodes else "no /dev/video*"


def _screen(settings: Settings) -> Finding:
    framebuffer = Path(settings.display.framebuffer)
    if not framebuffer.exists():
        return "--", f"no {framebuffer}: text goes to the console, or nowhere"
    facts = GRAPHICS / framebuffer.name
    if not (facts / "virtual_size").exists():
        return "ok", str(framebuffer)
    size, bits = ((facts / name).read_text().strip() for name in ("virtual_size", "bits_per_pixel"))
    seen = f"{framebuffer} {size}, {bits} bits a pixel"
    if int(bits) in DEPTHS:
        return "ok", seen
    mark = "!!" if settings.display.backend == "framebuffer" else "--"  # else the console serves
    return mark, f"{seen}, supported are 16 and 32: set the screen's depth in the boot settings"


def _broker(settings: Settings) -> Finding:
    if not settings.mqtt.host:
        return "--", "none set: the daemon brings its own on loopback"
    access = broker_access(settings.mqtt, make_device_id(settings.device.id))
    probe(access)
    return "ok", f"{access} accepts us"


def _clock(_: Settings) -> Finding:
    not_synced = "--", "not synchronised: events carry clock_synced = false"
    return ("ok", "synchronised") if clock_is_synced() else not_synced


def _heat(_: Settings) -> Finding:
    state = Board().read()
    degrees = state.temperature_c
    told = ["no thermal sensor" if degrees is None else f"{degrees:.0f} °C", *state.throttling]
    if state.throttled:
        return "!!", f"{', '.join(told)}: cool the board, or give it a stronger power supply"
    return "--" if degrees is None and len(told) == 1 else "ok", ", ".join(told)


def _checks(environment: Mapping[str, str], has_file: bool) -> dict[str, Check]:
    """The sections of the report, in order; ``has_file``: settings were named."""
    return {
        "mien": _software,
        "board": _board,
        "python": _python,
        "opencv": _opencv,
        "detector": _detector,
        "runtime": _runtime,
        "model": lambda settings: _model(settings, environment),
        "shipped": _shipped,
        "commands": lambda settings: _remembered(settings, environment, has_file),
        "csi camera": _csi_camera,
        "usb camera": _usb_camera,
        "screen": _screen,
        "broker": _broker,
        "clock": _clock,
        "heat": _heat,
    }
