"""Commands, from the message that arrives to what it changes in the running parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.daemon.appliance import SETTABLE
from device.daemon.commands import COMMANDS
from device.errors import DetectorError
from device.mqtt.command_queue import NAMES
from device.mqtt.schemas import read_schema
from device.settings.tree import Detector
from device.vision.haar import HaarDetector
from device.vocabulary import Expression, Face
from tests.device.daemon.bench import FRAME, NOBODY, Bench, real_vision
from tests.scenes import scene_with


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, vision=real_vision())


@pytest.fixture
def blocked(tmp_path: Path) -> Bench:
    """A device that cannot remember anything."""
    (tmp_path / "file").write_text("in the way of a folder")
    return Bench(tmp_path / "file", vision=real_vision())


def test_every_command_of_the_schemas_has_its_function() -> None:
    assert set(COMMANDS) == set(NAMES)


def test_a_setting_is_applied_and_survives_a_restart(bench: Bench, tmp_path: Path) -> None:
    answer = bench.ask("set", settings={"smoothing.threshold": 0.7, "smoothing.dwell_s": 1})
    assert answer["error"] == ""
    assert answer["data"]["settings"]["smoothing.threshold"] == 0.7
    assert answer["data"]["after_restart"] == []
    assert bench.reports == 1
    assert Bench(tmp_path).device.settings.smoothing.threshold == 0.7
    answer = bench.ask("set", settings={"camera.frame_rate_hz": 5})
    assert answer["data"]["after_restart"] == ["camera.frame_rate_hz"]


def test_other_smoothing_counts_from_the_next_frame(bench: Bench) -> None:
    def first_event_at(dwell_s: float) -> float:
        bench.ask("set", settings={"smoothing.dwell_s": dwell_s})
        assert bench.device.vision
        smoother, classifier = bench.device.vision.smoother, bench.device.vision.classifier
        face = Face(scene_with(Expression.HAPPY).faces[0].box, 1.0, track_id=int(10 * dwell_s) + 1)
        face = replace(face, crop=np.full((48, 48), 255, np.uint8))
        times = (
            tenth / 10
            for tenth in range(30)
            if smoother.update(classifier.classify([face]), tenth / 10)
        )
        return next(times)

    assert first_event_at(0.0) == 0.0
    assert first_event_at(2.0) > 0.0


def test_another_detector_takes_over(bench: Bench) -> None:
    assert bench.ask("set", settings={"detector.kind": "hog"})["error"] == ""
    assert bench.ask("get")["data"]["detector"] == "hog"
    assert bench.device.parts.status.detector == "hog"


def test_a_refused_setting_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    before = bench.device.settings
    answer = bench.ask("set", settings={"smoothing.threshold": 0.7, "smoothing.dwell_s": 99})
    assert "allowed: 0 to 10" in answer["error"]
    assert bench.device.settings == before
    assert bench.reports == 0
    assert not (tmp_path / "settings.json").exists()


def test_a_detector_that_cannot_be_built_leaves_everything(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("cv2.HOGDescriptor")  # OpenCV 5
    before, status = bench.device.settings, bench.device.parts.status
    answer = bench.ask("set", settings={"detector.kind": "hog", "smoothing.threshold": 0.7})
    assert "no HOG detector" in answer["error"]
    assert bench.device.settings == before
    assert bench.device.parts.status == status
    assert not (tmp_path / "settings.json").exists()


def test_a_setting_that_cannot_be_remembered_is_taken_back(blocked: Bench) -> None:
    before = blocked.device.settings
    answer = blocked.ask("set", settings={"smoothing.threshold": 0.7, "detector.kind": "hog"})
    assert answer["error"]
    assert blocked.device.settings == before
    assert blocked.device.parts.status.detector != "hog"


def test_a_full_disk_is_the_answer_whatever_else_would_fail(
    blocked: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    def build_once(settings: Detector) -> HaarDetector:
        built.append(settings.kind)
        if len(built) > 1:
            raise DetectorError("taking it back fails")
        return HaarDetector(40, 5)

    monkeypatch.setattr("device.daemon.appliance.build_detector", build_once)
    error = blocked.ask("set", settings={"detector.kind": "haar"})["error"]
    assert "taking it back" not in error
    assert "file" in error  # its path
    assert error.startswith("nothing was set: ")
    assert "settings.json: cannot be written: " in error
    assert "Errno" not in error
    assert blocked.device.settings.detector.kind == "auto"


def test_what_can_be_set_is_what_the_schema_says() -> None:
    schema = read_schema("command-set")["properties"]["settings"]["properties"]
    assert tuple(schema) == SETTABLE


def test_a_pause_lasts_over_a_restart_until_resumed(bench: Bench, tmp_path: Path) -> None:
    assert bench.ask("pause")["data"] == {"paused": True}
    assert bench.device.parts.paused
    assert Bench(tmp_path).device.parts.paused
    assert bench.ask("resume")["data"] == {"paused": False}
    assert not Bench(tmp_path).device.parts.paused


def test_pause_as_a_switch(bench: Bench) -> None:
    assert bench.ask("pause", paused=True)["data"] == {"paused": True}
    assert bench.ask("pause", paused=False)["data"] == {"paused": False}


def test_a_pause_counts_even_when_it_cannot_be_remembered(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".settings.json.part").mkdir()  # in the way
    error = bench.ask("pause")["error"]
    assert error.startswith("paused until the next start alone, as this cannot be remembered: ")
    assert error.endswith("settings.json: cannot be written: Is a directory")
    assert bench.device.parts.paused
    assert [error in record.getMessage() for record in caplog.records] == [True]


def test_a_resume_that_cannot_be_remembered_watches_nobody(bench: Bench, tmp_path: Path) -> None:
    bench.ask("pause")
    (tmp_path / ".settings.json.part").mkdir()
    error = bench.ask("resume")["error"]
    assert error.startswith("paused, as this cannot be remembered: ")
    assert bench.device.parts.paused


def test_health_shows_at_once_what_a_command_has_changed(bench: Bench, tmp_path: Path) -> None:
    bench.install(tmp_path, "2")
    for number, name in enumerate(("pause", "resume", "reload-model"), start=1):
        assert bench.ask(name)["error"] == ""
        assert bench.reports == number, name
    for name in ("get", "identify", "resume"):
        bench.ask(name)
    assert bench.reports == 3


def test_get_tells_settings_and_what_runs(bench: Bench) -> None:
    data = bench.ask("get")["data"]
    assert data["paused"] is False
    assert data["model"]["name"] == "brightness"
    assert set(data["settings"]) == set(SETTABLE)


def test_a_new_model_takes_the_place_of_the_old_one(bench: Bench, tmp_path: Path) -> None:
    bench.install(tmp_path, "2")
    assert bench.ask("reload-model")["data"]["model"]["version"] == "2"
    assert bench.device.parts.classifier.classify([], 0.0) == []
    assert bench.device.parts.status.model == "brightness 2"
    assert bench.device.vision
    assert bench.device.vision.classifier.card.version == "2"
    assert bench.stops == 0


def test_a_model_that_fails_leaves_the_old_one(bench: Bench, tmp_path: Path) -> None:
    bench.install(tmp_path, "2", break_it=True)
    old = bench.device.parts.classifier
    assert "brightness" in bench.ask("reload-model")["error"]
    assert bench.device.parts.classifier is old
    assert bench.device.model()["version"] == "1"


def test_a_newest_model_that_is_damaged_is_told_and_the_one_before_serves(
    bench: Bench, tmp_path: Path
) -> None:
    bench.install(tmp_path, "2")
    bench.install(tmp_path, "3", break_it=True)
    assert "cannot be used" in bench.ask("reload-model")["error"]
    assert bench.device.model()["version"] == "2"
    assert bench.ask("reload-model")["data"]["model"]["version"] == "2"


def test_a_good_model_ends_safe_mode_by_a_restart(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.ask("get")["data"]["model"]["name"] == "none"
    assert bench.ask("reload-model")["error"]
    assert bench.stops == 0
    bench.install(tmp_path, "2")
    assert bench.ask("reload-model")["data"]["model"]["version"] == "2"
    assert bench.stops == 1


def test_in_safe_mode_settings_are_remembered_for_the_next_start(tmp_path: Path) -> None:
    settings = {"detector.kind": "haar", "smoothing.threshold": 0.7}
    assert Bench(tmp_path).ask("set", settings=settings)["error"] == ""
    assert Bench(tmp_path).device.settings.detector.kind == "haar"


def test_in_safe_mode_a_detector_that_cannot_be_built_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("cv2.HOGDescriptor")  # OpenCV 5
    answer = Bench(tmp_path).ask("set", settings={"detector.kind": "hog"})
    assert "no HOG detector" in answer["error"]
    assert not (tmp_path / "settings.json").exists()


def test_a_mistake_of_ours_is_answered_and_the_next_command_is_not_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd() -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(bench.screen, "identify", odd)
    bench.send("identify")
    bench.send("get")
    with pytest.raises(ZeroDivisionError):  # the loop logs it and goes on
        bench.control.carry_out(NOBODY, None)
    bench.control.carry_out(NOBODY, None)
    assert [a["name"] for a in bench.answers] == ["identify", "get"]
    assert "internal error" in bench.answers[0]["error"]
    assert bench.answers[1]["error"] == ""


def test_identify_and_restart_reach_the_device(bench: Bench) -> None:
    bench.ask("identify")
    bench.ask("restart")
    assert (bench.screen.flashes, bench.stops) == (1, 1)


def test_a_picture_is_made_of_a_face_only(bench: Bench) -> None:
    assert "no face" in bench.ask("synthesize", expression="happy")["error"]
    scene = scene_with(Expression.SAD)
    data = bench.ask("synthesize", scene, FRAME, expression="happy")["data"]
    assert data["published"] is False
    assert data["bytes"] > 1000
    bench.ask("pause")
    assert "paused" in bench.ask("synthesize", scene, FRAME, expression="happy")["error"]


def test_a_picture_without_a_connection_is_not_published(tmp_path: Path) -> None:
    bench = Bench(tmp_path, publish_pictures=True)
    for bench.is_connected in (True, False):
        answer = bench.ask("synthesize", scene_with(Expression.SAD), FRAME, expression="happy")
        assert answer["data"]["published"] is bench.is_connected


def test_a_picture_is_said_only_where_that_is_set(tmp_path: Path) -> None:
    silent, open_bench = Bench(tmp_path), Bench(tmp_path, publish_pictures=True)
    for bench in (silent, open_bench):
        bench.ask("synthesize", scene_with(Expression.SAD), FRAME, expression="happy")
    assert silent.pictures == []
    assert [picture[:4] for picture in open_bench.pictures] == [b"\x89PNG"]
