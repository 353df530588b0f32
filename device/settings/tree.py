"""Every key of ``mien.toml``: default, meaning, unit and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from device.vocabulary import EXPRESSIONS


def key(
    default: Any,
    help: str,
    low: float | None = None,
    high: float | None = None,
    *,
    choices: Sequence[str] | None = None,
    secret: bool = False,
) -> Any:
    """A settings field: ``help`` names the unit; ``low``/``high`` are inclusive limits."""
    metadata = {"help": help, "low": low, "high": high, "choices": choices, "secret": secret}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Device:
    """Who this appliance is and where it stands."""

    id: str = key("", "unique name in topics; empty: made from the machine id")
    name: str = key(
        "",
        "name for people, on the screen and in Home Assistant; empty: Mien and the id's last digits",
    )
    deployment: str = key(
        "home",
        "where it stands; reading emotions at work and in education is forbidden in the EU "
        "(AI Act Art. 5(1)(f)), so `workplace` and `education` stop the start",
        choices=("home", "art", "research", "medical", "retail", "workplace", "education"),
    )
    state_dir: str = key(
        "", "folder for remembered settings and models; empty: systemd's, else ~/.local/state/mien"
    )


@dataclass(frozen=True)
class Camera:
    """Where the pictures come from."""

    source: str = key(
        "auto",
        "auto: picamera, else Jetson CSI, else the first V4L2 camera",
        choices=("auto", "picamera", "v4l2", "jetson", "replay", "demo"),
    )
    device: str = key(
        "auto", "V4L2 device such as /dev/video0, or a CSI sensor number; auto: first"
    )
    path: str = key("", "replay: a picture, a folder of pictures or a video")
    loop: bool = key(True, "replay: start again at the end")
    width: int = key(640, "px", 160, 1920)
    height: int = key(480, "px", 120, 1080)
    frame_rate_hz: float = key(15.0, "frames a second asked of the camera", 1, 60)
    rotate_deg: int = key(0, "degrees clockwise: 0, 90, 180 or 270", 0, 270)
    mirror: bool = key(False, "flip left and right")
    stale_after_s: float = key(5.0, "s without a frame until the camera is opened again", 1, 60)
    give_up_after_s: float = key(
        600.0,
        "s without a camera until the daemon ends and leaves it to systemd; 0: never",
        0,
        86400,
    )


@dataclass(frozen=True)
class Detector:
    """How faces are found."""

    kind: str = key(
        "auto",
        "auto: blazeface where it is installed, else haar",
        choices=("auto", "haar", "hog", "both", "blazeface"),
    )
    min_face_px: int = key(48, "px of the frame: smaller faces are not looked for", 24, 480)
    interval_s: float = key(
        0.2, "s between detections at most; tracking fills the frames between", 0, 0.3
    )
    max_faces: int = key(20, "largest faces kept", 1, 100)


@dataclass(frozen=True)
class Quality:
    """Below this a face is `uncertain`, with the reason, not guessed."""

    min_face_px: int = key(32, "px: side of the face box", 16, 480)
    min_sharpness: float = key(4.0, "spread of the crop's detail, grey levels", 0, 100)
    min_brightness: float = key(20.0, "mean grey level 0..255", 0, 255)
    max_brightness: float = key(240.0, "mean grey level 0..255", 0, 255)
    max_yaw: float = key(0.6, "share of the eye distance the nose may stand off centre", 0, 2)


@dataclass(frozen=True)
class Classifier:
    """The expression model."""

    model: str = key("expression", "name of a shipped or installed model, or a path to a .tflite")
    # balanced: better on other people's pictures, no worse on validation (docs/results.md)
    prior: str = key(
        "balanced",
        "natural: as trained; balanced: rare expressions are named more readily",
        choices=("natural", "balanced"),
    )
    interval_s: float = key(
        0.33,
        "s between answers for a face whose expression is steady; 0: every face in every frame",
        0,
        2,
    )
    threads: int = key(1, "threads of the interpreter", 1, 8)


@dataclass(frozen=True)
class Smoothing:
    """How steady a label must be before it counts."""

    threshold: float = key(0.45, "probability a class needs; below: uncertain", 0, 1)
    window_s: float = key(0.2, "s: time constant of the running mean", 0, 5)
    dwell_s: float = key(0.4, "s a new expression must lead before it counts", 0, 10)
    refractory_s: float = key(0.5, "s of silence after a change", 0, 60)
    vanish_after_s: float = key(1.0, "s unseen until a face has vanished", 0.1, 60)
    rest: str = key(
        "auto",
        "auto: expressions are named relative to each person's face at rest; off: as they look",
        choices=("auto", "off"),
    )


@dataclass(frozen=True)
class Mqtt:
    """The broker."""

    host: str = key("", "broker host; empty: a small broker inside the daemon, on loopback only")
    port: int = key(0, "broker port; 0: 1883, with TLS 8883", 0, 65535)
    prefix: str = key("mien", "first part of every topic")
    protocol: str = key("auto", "auto: 5, else 3.1.1", choices=("auto", "5", "3.1.1"))
    username: str = key("", "user name")
    password: str = key("", "password; better in password_file or MIEN_MQTT__PASSWORD", secret=True)
    password_file: str = key("", "file that holds the password alone")
    client_id: str = key("", "empty: mien-<device id>")
    keepalive_s: int = key(30, "s", 5, 3600)
    tls: bool = key(False, "encrypt; the broker's certificate is verified")
    ca_file: str = key("", "own certificate authority (PEM); empty: the system's")
    cert_file: str = key("", "client certificate (PEM)")
    key_file: str = key("", "client key (PEM)")


MOST_IN_MEMORY = 50_000  # events, about 60 MB


@dataclass(frozen=True)
class Outbox:
    """Events that wait for the broker."""

    path: str = key(
        "", "SQLite file, survives power loss; relative: in the state folder; empty: memory"
    )
    max_events: int = key(
        10000, "events kept; the oldest go first; in memory at most 50000", 10, 10_000_000
    )


@dataclass(frozen=True)
class HomeAssistant:
    """MQTT discovery."""

    enabled: bool = key(True, "announce this device to Home Assistant")
    prefix: str = key("homeassistant", "Home Assistant's discovery prefix")
    area: str = key("", "room that is suggested to Home Assistant, such as Kitchen; empty: none")


@dataclass(frozen=True)
class Display:
    """The text on HDMI."""

    backend: str = key(
        "auto",
        "auto: the terminal Mien was started in, else framebuffer, else console, else none",
        choices=("auto", "framebuffer", "console", "terminal", "none"),
    )
    framebuffer: str = key("/dev/fb0", "framebuffer device")
    console: str = key("/dev/tty1", "console the service writes to")
    show_camera: bool = key(False, "show the camera picture with boxes")
    synthesis: str = key(
        "off",
        "framebuffer: beside the text the largest face, live, as it would look with this "
        "expression, marked as synthetic",
        choices=("off", *(e.value for e in EXPRESSIONS)),
    )
    notice: bool = key(True, "say on the screen that expressions are being read")


@dataclass(frozen=True)
class Health:
    """What the device tells about itself."""

    interval_s: float = key(30.0, "s between health messages", 1, 3600)
    prometheus_file: str = key("", "Prometheus text file for the node exporter; empty: none")
    prometheus_port: int = key(
        0, "Prometheus endpoint on 127.0.0.1, beside that of [web]; 0: none", 0, 65535
    )


@dataclass(frozen=True)
class Web:
    """The page for a browser, with /metrics and /healthz."""

    enabled: bool = key(False, "serve the page")
    address: str = key(
        "127.0.0.1",
        "address it listens on: this device alone; 0.0.0.0 or :: for all, which needs a password",
    )
    port: int = key(8420, "TCP port; 0: any that is free", 0, 65535)
    password_hash: str = key(
        "", "made by `mien web password`; or MIEN_WEB__PASSWORD_HASH", secret=True
    )
    password_file: str = key("", "file that holds that line alone")
    host_names: str = key(
        "",
        "names people type for this device, separated by commas, beside localhost, its host name "
        "(with .local) and its addresses; needs a password",
    )
    cert_file: str = key("", "HTTPS: certificate with its chain (PEM)")
    key_file: str = key("", "HTTPS: its key (PEM)")
    show_camera: bool = key(
        False, "show the camera's picture there, small and a few times a second; kept nowhere"
    )


@dataclass(frozen=True)
class Privacy:
    """What may leave the device."""

    publish_synthesis: bool = key(False, "let the command `synthesize` publish a picture")


@dataclass(frozen=True)
class Capture:
    """Collect recognised faces to improve the model; tell the people concerned."""

    enabled: bool = key(False, "store face crops on the device")
    max_pictures: int = key(2000, "pictures kept; the oldest go first", 1, 1_000_000)
    max_days: int = key(14, "days a picture is kept", 1, 3650)
    min_interval_s: float = key(2.0, "s between two pictures of one face", 0, 3600)


@dataclass(frozen=True)
class Log:
    """The journal."""

    level: str = key("info", "what is logged", choices=("debug", "info", "warning", "error"))


@dataclass(frozen=True)
class Settings:
    """The whole tree; each attribute is a TOML table of the same name."""

    device: Device = Device()
    camera: Camera = Camera()
    detector: Detector = Detector()
    quality: Quality = Quality()
    classifier: Classifier = Classifier()
    smoothing: Smoothing = Smoothing()
    mqtt: Mqtt = Mqtt()
    outbox: Outbox = Outbox()
    home_assistant: HomeAssistant = HomeAssistant()
    display: Display = Display()
    health: Health = Health()
    web: Web = Web()
    privacy: Privacy = Privacy()
    capture: Capture = Capture()
    log: Log = Log()
