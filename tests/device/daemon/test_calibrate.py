"""The command ``calibrate``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from device.daemon.appliance import use_model
from device.settings import replace_setting
from device.vocabulary import BoundingBox, Classification, Expression, Face
from tests.device.daemon.test_commands import FRAME, Bench, real_vision
from tests.scenes import scene_with


def test_calibrate_takes_the_faces_in_view_for_their_rest(tmp_path: Path) -> None:
    vision = real_vision()
    bench = Bench(tmp_path, vision=vision)
    assert "no face is seen" in bench.ask("calibrate")["error"]
    face = Face(BoundingBox(0, 0, 50, 50), 0.9, track_id=1)
    smiling = Classification(face, np.array([0.02, 0.02, 0.02, 0.9, 0.02, 0.01, 0.01], np.float32))
    smoother = vision.smoother
    for number in range(10):
        smoother.update([smiling], number / 10)
    scene = smoother.scene(replace(FRAME, captured_at_s=0.9))
    assert scene.faces[0].rest_known < 0.1
    assert bench.ask("calibrate", scene)["data"] == {"faces": 1, "lasts_s": 2.0}
    for number in range(10, 45):
        smoother.update([smiling], number / 10)
    (face_state,) = smoother.scene(FRAME).faces
    assert face_state.rest_known > 0.9
    assert face_state.expression is Expression.NEUTRAL

    use_model(bench.device, vision.classifier)  # another model answers otherwise at rest
    (face_state,) = smoother.scene(FRAME).faces
    assert face_state.rest_known == 0


def test_calibrate_says_why_it_cannot(tmp_path: Path) -> None:
    assert "nobody is watched" in Bench(tmp_path / "safe").ask("calibrate")["error"]
    bench = Bench(tmp_path, vision=real_vision())
    bench.device.settings = replace_setting(bench.device.settings, "smoothing.rest", "off")
    assert 'smoothing.rest is "off"' in bench.ask("calibrate", scene_with(Expression.SAD))["error"]
    bench.ask("pause")
    assert "nobody is watched" in bench.ask("calibrate")["error"]
