from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from device.vocabulary import BoundingBox, Face
from training.__main__ import main
from training.data.pictures import is_held_out
from training.reports.evaluate_detector import (
    measure,
    read_boxes,
    read_video,
    recall,
    video_cost_ms,
)
from training.reports.faces import MOTION_COLUMNS, detector_table


class Everywhere:
    """Finds one 50 px face at (10, 10), whatever it is shown; counts."""

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image: np.ndarray) -> list[Face]:
        self.calls += 1
        return [Face(BoundingBox(10, 10, 60, 60), 1.0)]


def test_recall_counts_annotated_faces_of_a_size_at_half_overlap() -> None:
    found = {"a": [Face(BoundingBox(0, 0, 100, 100), 1)], "b": []}
    boxes = {
        "a": [BoundingBox(0, 0, 100, 60), BoundingBox(0, 0, 90, 40), BoundingBox(0, 0, 50, 50)],
        "b": [BoundingBox(0, 0, 80, 80)],
    }
    assert recall(found, boxes, 60, 10_000) == pytest.approx(1 / 3)
    assert recall(found, boxes, 40, 60) == 0
    assert np.isnan(recall(found, boxes, 500, 600))


def test_a_row_has_recall_false_alarms_and_cost() -> None:
    picture = np.zeros((100, 100), np.uint8)
    row = measure(Everywhere(), {"a": picture}, {"a": [BoundingBox(10, 10, 60, 60)]},
                  [np.zeros((1000, 1000), np.uint8)] * 2, [], False)  # fmt: skip
    assert row["recall_40_60"] == 1
    assert row["false_alarms"] == 2
    assert row["false_alarms_a_megapixel"] == 1
    assert row["ms_a_picture"] >= 0
    assert "ms_vga" not in row


def test_cost_is_amortised_over_the_frames_between_detections() -> None:
    frames = [np.zeros((48, 64), np.uint8)] * 30
    rare, always = Everywhere(), Everywhere()
    video_cost_ms(rare, frames, every_frame=False)
    video_cost_ms(always, frames, every_frame=True)
    assert (rare.calls, always.calls) == (10, 30)


@pytest.mark.parametrize(
    "text", ["", "file,x,y\n1,2,3\n", "file,x,y,w,h\n", "file,x,y,w,h\na,b,1,1,1\n"]
)
def test_a_bad_box_list_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"boxes\.csv"):
        read_boxes(path)


def test_a_missing_list_or_video_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the boxes"):
        read_boxes(tmp_path / "boxes.csv")
    with pytest.raises(UsageError, match="not a readable video"):
        read_video(tmp_path / "film.mp4")


def test_video_frames_are_grey_at_640_by_480(tmp_path: Path) -> None:
    path = str(tmp_path / "film.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 15, (320, 240))
    for _ in range(5):
        writer.write(np.zeros((240, 320, 3), np.uint8))
    writer.release()
    frames = read_video(Path(path), max_frames=3)
    assert [frame.shape for frame in frames] == [(480, 640)] * 3


def test_the_command_counts_stills_and_the_demo_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.reports.evaluate_detector.DETECTORS", {"all": Everywhere})
    monkeypatch.setattr("training.reports.evaluate_detector.DEMO_S", 0.2)
    for name in ("face.png", "wall-1.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((100, 100), np.uint8))
    assert is_held_out("wall-1.png")
    (tmp_path / "boxes.csv").write_text("file,x,y,w,h\nface.png,10,10,50,50\n")
    output = tmp_path / "detectors.json"
    output.write_text('{"other": {"recall_60": 0.5}}')
    folder = str(tmp_path)
    words = ["evaluate-detector", "--pictures", folder, "--faceless", folder, "--group",
             f"{folder}/face.png", "--output", str(output)]  # fmt: skip
    assert main(words) == 0
    rows = json.loads(output.read_text())
    assert rows["other"] == {"recall_60": 0.5}
    row = rows["all"]
    assert (row["portrait_faces"], row["group_faces"]) == (1, 1)
    assert row["demo_ghosts"] == 1  # a box in the corner is not the demo's face
    table = detector_table({"all": row}, MOTION_COLUMNS)
    assert "| all | 1 | 1 | 0.0% | 0 | 2 | 1 |" in table
