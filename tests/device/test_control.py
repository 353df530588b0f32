from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from device.control import SETTABLE, RemoteControl
from device.errors import DetectorError, MienError
from device.mqtt.commands import CommandDesk
from device.mqtt.schemas import read_schema
from device.service.state_file import StateFile
from device.settings import Settings
from device.vocabulary import Expression, Frame, Scene
from tests.fakes import grey_frame
from tests.scenes import scene_with

NOBODY = Scene((), 640, 480, 0.0)


class FakeActions:
    def __init__(self) -> None:
        self.applied: list[Settings] = []
        self.done: list[str] = []
        self.failure: Exception | None = None

    def apply(self, settings: Settings) -> None:
        if self.failure:
            raise self.failure
        self.applied.append(settings)

    def reload_model(self) -> Mapping[str, str]:
        if self.failure:
            raise self.failure
        return {"name": "expression", "version": "2", "sha256": "00"}

    def describe(self) -> Mapping[str, Any]:
        return {"detector": "haar"}

    def identify(self) -> None:
        self.done.append("identify")

    def restart(self) -> None:
        self.done.append("restart")

    def synthesize(self, frame: Frame, scene: Scene, expression: Expression) -> bytes:
        return b"png " + expression.value.encode()


class Desk:
    """A control with fakes around it."""

    def __init__(self, folder: Path, publish_pictures: bool = False) -> None:
        self.answers: list[dict[str, Any]] = []
        self.pictures: list[bytes] = []
        self.actions = FakeActions()
        self.state = StateFile(folder / "settings.json")
        self.desk = CommandDesk(self.respond, clock=lambda: 0.0)
        self.control = RemoteControl(
            self.state.apply(Settings()),
            self.state,
            self.desk,
            self.respond,
            self.actions,
            self.pictures.append if publish_pictures else None,
        )

    def respond(
        self, name: str, transaction: str | None, *, data: Any = None, error: str = ""
    ) -> None:
        self.answers.append({"name": name, "data": data, "error": error})

    def ask(
        self, name: str, scene: Scene = NOBODY, frame: Frame | None = None, **body: Any
    ) -> dict[str, Any]:
        self.desk.receive(f"mien/x/command/{name}", json.dumps(body).encode(), False)
        self.control.apply_pending(scene, frame)
        return self.answers[-1]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_setting_is_applied_and_survives_a_restart(desk: Desk, tmp_path: Path) -> None:
    answer = desk.ask("set", settings={"smoothing.threshold": 0.7, "smoothing.dwell_s": 1})
    assert answer["error"] == ""
    assert answer["data"]["settings"]["smoothing.threshold"] == 0.7
    assert desk.actions.applied[-1].smoothing.dwell_s == 1.0
    assert Desk(tmp_path).control.settings.smoothing.threshold == 0.7


def test_a_refused_setting_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    answer = desk.ask("set", settings={"smoothing.threshold": 0.7, "smoothing.dwell_s": 99})
    assert "allowed: 0 to 10" in answer["error"]
    assert desk.actions.applied == []
    assert desk.control.settings == Settings()
    assert not (tmp_path / "settings.json").exists()


def test_a_setting_that_cannot_be_put_into_effect_is_not_remembered(
    desk: Desk, tmp_path: Path
) -> None:
    desk.actions.failure = DetectorError("no HOG here")
    assert desk.ask("set", settings={"detector.kind": "hog"})["error"] == "no HOG here"
    assert desk.control.settings.detector.kind == Settings().detector.kind
    assert not (tmp_path / "settings.json").exists()


def test_a_setting_that_cannot_be_remembered_is_taken_back(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    desk = Desk(tmp_path / "file")
    assert desk.ask("set", settings={"smoothing.threshold": 0.7})["error"]
    assert desk.actions.applied[-1] == Settings()
    assert desk.control.settings == Settings()


def test_what_can_be_set_is_what_the_schema_says() -> None:
    schema = read_schema("command-set")["properties"]["settings"]["properties"]
    assert tuple(schema) == SETTABLE


def test_a_pause_lasts_over_a_restart_until_resumed(desk: Desk, tmp_path: Path) -> None:
    assert desk.ask("pause")["data"] == {"paused": True}
    assert desk.control.paused
    assert Desk(tmp_path).control.paused
    assert desk.ask("resume")["data"] == {"paused": False}
    assert not Desk(tmp_path).control.paused


def test_pause_as_a_switch(desk: Desk) -> None:
    assert desk.ask("pause", paused=True)["data"] == {"paused": True}
    assert desk.ask("pause", paused=False)["data"] == {"paused": False}


def test_a_pause_counts_even_when_it_cannot_be_remembered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    desk = Desk(tmp_path / "file")
    assert desk.ask("pause")["error"]
    assert desk.control.paused


def test_get_tells_settings_and_what_runs(desk: Desk) -> None:
    data = desk.ask("get")["data"]
    assert data["paused"] is False
    assert data["detector"] == "haar"
    assert set(data["settings"]) == set(SETTABLE)


def test_a_network_that_fails_its_self_test_is_an_error(desk: Desk) -> None:
    assert desk.ask("reload-model")["data"]["model"]["version"] == "2"
    desk.actions.failure = MienError("self-test failed")
    assert desk.ask("reload-model")["error"] == "self-test failed"


def test_a_mistake_of_ours_is_answered_and_does_not_end_the_loop(desk: Desk) -> None:
    desk.actions.failure = ZeroDivisionError("oops")
    assert desk.ask("reload-model")["error"] == "internal error: ZeroDivisionError"


def test_identify_and_restart_reach_the_device(desk: Desk) -> None:
    desk.ask("identify")
    desk.ask("restart")
    assert desk.actions.done == ["identify", "restart"]


def test_a_picture_is_made_of_a_face_only(desk: Desk) -> None:
    assert "no face" in desk.ask("synthesize", expression="happy")["error"]
    scene = scene_with(Expression.SAD)
    answer = desk.ask("synthesize", scene, grey_frame(), expression="happy")
    assert answer["data"] == {"bytes": 9, "published": False}
    desk.ask("pause")
    assert "paused" in desk.ask("synthesize", scene, grey_frame(), expression="happy")["error"]


def test_a_picture_is_said_only_where_that_is_set(tmp_path: Path) -> None:
    silent, open_desk = Desk(tmp_path), Desk(tmp_path, publish_pictures=True)
    for desk in (silent, open_desk):
        desk.ask("synthesize", scene_with(Expression.SAD), grey_frame(), expression="happy")
    assert silent.pictures == []
    assert open_desk.pictures == [b"png happy"]
