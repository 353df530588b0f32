"""The generator in the running daemon, from the command over a real broker to the picture."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.camera import demo
from device.daemon.build import make_live_face
from device.display.live_face import LiveFace
from device.errors import ConfigurationError, MienError, ModelError
from device.settings import Settings, replace_setting
from device.vision.generator import LazySynthesizer, find_generators
from device.vision.model_store import ModelStore
from device.vision.synthetic_mark import DESCRIPTION
from device.vision.trial import try_out
from device.vocabulary import BoundingBox, Expression
from tests.broker import TestBroker
from tests.device.daemon import running_daemon
from tests.device.test_daemon import PICTURES, START_S, ask, last, wait_for_life
from tests.generators import STEPS, generator_bundle
from tests.scenes import scene_with
from tests.subscriber import Subscriber

PORTRAIT = Path(demo.__file__).with_name("astronaut.jpg")
PUBLISH = "[privacy]\npublish_synthesis = true\n"


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A device's store, the generator of known answers installed."""
    store = ModelStore(tmp_path / "state" / "models")
    store.install(generator_bundle(tmp_path / "bundle"), try_out)
    return store


def decode(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)


def look_at(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon's camera sees nothing but this picture."""
    monkeypatch.setenv("MIEN_CAMERA__SOURCE", "replay")
    monkeypatch.setenv("MIEN_CAMERA__PATH", str(picture))


def test_the_picture_is_made_marked_and_the_frame_left_alone() -> None:
    frame = next(demo.frames(640, 480, color=False))
    before = frame.image.copy()
    png = LazySynthesizer(lambda: [STEPS]).picture(
        frame, scene_with(Expression.HAPPY), Expression.ANGRY
    )
    np.testing.assert_array_equal(before, frame.image)
    made = decode(png)
    assert made.shape == before.shape
    middle = slice(140, 160), slice(140, 160)  # of the scene's box
    assert before[middle].mean() - made[middle].mean() == pytest.approx(60, abs=8)
    assert DESCRIPTION.encode() in png
    assert not np.array_equal(made[-10:], before[-10:])


def test_a_face_that_has_left_or_is_too_small_is_not_taken() -> None:
    frame = next(demo.frames(640, 480, color=False))
    lazy = LazySynthesizer(lambda: [STEPS])
    scene = scene_with(Expression.HAPPY, Expression.SAD)
    gone = replace(scene, faces=tuple(replace(face, missing_s=0.2) for face in scene.faces))
    assert gone.largest is None
    assert replace(gone, faces=(gone.faces[0], scene.faces[1])).largest is scene.faces[1]
    with pytest.raises(MienError, match="no face is seen now"):
        lazy.picture(frame, gone, Expression.NEUTRAL)
    assert LiveFace(lazy.portrait, Expression.NEUTRAL)(frame, gone) is None
    small = replace(scene.faces[0], box=BoundingBox(100, 100, 125, 126))
    with pytest.raises(MienError, match="25 px wide, at least 32"):
        lazy.picture(frame, replace(scene, faces=(small,)), Expression.NEUTRAL)


def test_without_a_generator_that_is_said() -> None:
    lazy = LazySynthesizer(lambda: [])
    with pytest.raises(MienError, match="no generator is installed"):
        lazy.get()


def test_a_new_generator_is_used_at_once_and_a_damaged_one_is_told(
    store: ModelStore, tmp_path: Path
) -> None:
    lazy = LazySynthesizer(lambda: [path] if (path := store.find("generator")) else [])
    both = LazySynthesizer(lambda: find_generators(store))
    first = lazy.get()
    assert lazy.get() is first
    assert both.get().card.version == "1"
    damaged = tmp_path / "state" / "models" / "generator" / "2-bad"
    damaged.mkdir()
    current = damaged.parent / "current"
    (damaged / "generator.tflite").write_bytes(STEPS.read_bytes()[:900])
    (damaged / "generator.json").write_bytes((current / "generator.json").read_bytes())
    current.unlink()
    current.symlink_to(damaged.name)
    for _ in range(2):
        with pytest.raises(ModelError, match="truncated"):
            lazy.get()
    assert both.get().card.version != "1"  # the shipped one goes on


def test_the_screen_gets_a_marked_square_of_the_largest_face() -> None:
    frame = next(demo.frames(640, 480, color=True))
    before = frame.image.copy()
    scene = scene_with(Expression.HAPPY, Expression.SAD)
    made = LiveFace(LazySynthesizer(lambda: [STEPS]).portrait, Expression.ANGRY)(frame, scene)
    asis = LiveFace(LazySynthesizer(lambda: [STEPS]).portrait, Expression.HAPPY)(frame, scene)
    assert made is not None
    assert asis is not None
    assert (made.expression, made.image.shape) == (Expression.ANGRY, (400, 400, 3))
    np.testing.assert_array_equal(before, frame.image)
    middle = slice(190, 210), slice(190, 210)
    assert asis.image[middle].mean() - made.image[middle].mean() == pytest.approx(60, abs=8)
    np.testing.assert_array_equal(made.image[:40], asis.image[:40])
    unmarked = before[50:250, 50:250]  # twice the scene's box
    assert asis.image[-10:].mean() < unmarked[-5:].mean() - 20


@pytest.mark.parametrize(
    ("generator", "message"),
    [("gone.tflite", "no generator is installed"), ("damaged.tflite", "truncated")],
)
def test_without_a_good_generator_the_screen_is_plain_after_one_warning(
    generator: str, message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "damaged.tflite").write_bytes(STEPS.read_bytes()[:900])
    shutil.copy(STEPS.with_suffix(".json"), tmp_path / "damaged.json")
    paths = [path for path in [tmp_path / generator] if path.exists()]
    make_face = LiveFace(LazySynthesizer(lambda: paths).portrait, Expression.SAD)
    frame = next(demo.frames(640, 480, color=False))
    assert make_face(frame, scene_with()) is None
    assert caplog.records == []  # nobody there, nothing tried
    for _ in range(3):
        assert make_face(frame, scene_with(Expression.HAPPY)) is None
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert message in record.getMessage()


@pytest.mark.parametrize("left", [-90.0, 600.0, 2000.0])
def test_a_face_at_the_border_or_beyond_is_no_failure(
    left: float, caplog: pytest.LogCaptureFixture
) -> None:
    make_face = LiveFace(LazySynthesizer(lambda: [STEPS]).portrait, Expression.SAD)
    frame = next(demo.frames(640, 480, color=False))
    made = make_face(frame, scene_with(Expression.HAPPY, shift_px=left - 100))
    assert made is not None
    assert caplog.records == []


def test_the_screen_asks_for_a_face_only_where_that_is_set(store: ModelStore) -> None:
    def makes_one(**changes: str) -> bool:
        settings = Settings()
        for name, value in changes.items():
            settings = replace_setting(settings, f"display.{name}", value)
        return make_live_face(settings, store) is not None

    assert not makes_one()
    assert makes_one(synthesis="sad")
    assert makes_one(synthesis="sad", backend="framebuffer")
    assert not makes_one(synthesis="sad", backend="terminal")
    assert not makes_one(synthesis="sad", backend="none")
    with pytest.raises(ConfigurationError, match="allowed: off, angry"):
        makes_one(synthesis="smug")


def test_the_command_publishes_a_marked_picture_where_that_is_set(
    mosquitto: TestBroker, tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at(PORTRAIT, monkeypatch)
    with (
        Subscriber(mosquitto.port) as subscriber,
        running_daemon(tmp_path, mosquitto.port, PUBLISH) as daemon,
    ):
        wait_for_life(subscriber)
        answer = ask(subscriber, "synthesize", expression="sad")
        (picture,) = subscriber.wait_for("synthesis")
        assert answer["data"] == {"bytes": len(picture.payload), "published": True}
        assert (picture.qos, picture.retained) == (1, False)
        assert picture.payload.startswith(b"\x89PNG")
        assert DESCRIPTION.encode() in picture.payload
        assert decode(picture.payload).shape == (480, 480)  # as high as camera.height
        with Subscriber(mosquitto.port) as late:
            assert "error" in ask(late, "synthesize", expression="smug")
            assert late.seen("synthesis") == []
        assert "lacks expression" in ask(subscriber, "synthesize")["error"]
        assert ask(subscriber, "pause")["status"] == "ok"
        assert "paused" in ask(subscriber, "synthesize", expression="sad")["error"]
        assert ask(subscriber, "resume")["status"] == "ok"
        assert len(subscriber.seen("synthesis")) == 1
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log_path.read_text()


def test_no_picture_leaves_the_device_unless_that_is_set(
    mosquitto: TestBroker, tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at(PORTRAIT, monkeypatch)
    with (
        Subscriber(mosquitto.port) as subscriber,
        running_daemon(tmp_path, mosquitto.port) as daemon,
    ):
        wait_for_life(subscriber)
        data = ask(subscriber, "synthesize", expression="happy")["data"]
        assert data["bytes"] > 1000
        assert data["published"] is False
        assert daemon.stop() == 0
        subscriber.wait_for("availability", lambda seen: last(seen) == b"stopped")
        assert not any(m.payload.startswith(PICTURES) for m in subscriber.seen())


def test_without_a_face_there_is_an_error_and_no_picture(
    mosquitto: TestBroker, tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = tmp_path / "wall.png"
    cv2.imwrite(str(wall), np.full((512, 512), 120, np.uint8))
    look_at(wall, monkeypatch)
    with (
        Subscriber(mosquitto.port) as subscriber,
        running_daemon(tmp_path, mosquitto.port, PUBLISH) as daemon,
    ):
        subscriber.wait_for("camera", lambda seen: last(seen) == b"online", START_S)
        assert "no face" in ask(subscriber, "synthesize", expression="happy")["error"]
        assert daemon.stop() == 0
        assert subscriber.seen("synthesis") == []
