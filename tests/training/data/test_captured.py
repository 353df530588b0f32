"""The whole way of a collected face, from the device to the training split."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.__main__ import main as mien
from device.daemon.collected_faces import CaptureStore, list_captures
from device.errors import UsageError
from device.settings.tree import Capture
from device.vocabulary import EXPRESSIONS, BoundingBox, Classification, Expression, Face
from tests.device.mqtt.appliance import wait_until
from tests.scenes import probabilities_for
from training.__main__ import main
from training.data.captured import read_crop
from training.data.fer2013 import Split, read_pictures
from training.data.listings import Captured, read_captured

SHOWN = (Expression.HAPPY, Expression.SAD, Expression.HAPPY, Expression.FEAR)
SURE = (0.91, 0.55, 0.47, 0.72)


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """What a device collected, as ``mien capture export`` hands it over."""
    folder = tmp_path / "mien" / "capture"
    store = CaptureStore(folder, Capture(enabled=True))
    random = np.random.default_rng(4)
    for number, (expression, probability) in enumerate(zip(SHOWN, SURE, strict=True), start=1):
        face = Face(BoundingBox(0, 0, 48, 48), 0.9, track_id=number)
        crop = random.integers(0, 256, (48, 48), np.uint8)
        store.add(crop, Classification(face, probabilities_for(expression, probability)))
        wait_until(lambda number=number: len(list_captures(folder)) == number)  # type: ignore[misc]
    store.close()
    target = tmp_path / "handed-over"
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    assert mien(["capture", "export", str(target)], environment) == 0
    return target


def test_collected_faces_extend_the_training_split_after_their_review(
    exported: Path, drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    assert main(["add-captured", str(exported)]) == 0
    review = exported / "review.csv"
    faces = read_captured(review)
    assert [EXPRESSIONS[f.expression].value for f in faces] == ["fear", "happy", "happy", "sad"]
    assert [f.probability for f in faces] == [0.72, 0.47, 0.91, 0.55]
    sheet = cv2.imread(str(exported / "review.png"), cv2.IMREAD_GRAYSCALE)
    tile = sheet[0:96:2, 0:96:2]
    np.testing.assert_array_equal(read_crop(exported, faces[0]), tile)

    data, votes = map(str, drawn)
    words = ["--output", str(tmp_path / "new"), "--data", data, "--votes", votes]
    assert main(["add-captured", str(exported), "--reviewed", *words]) == 0
    before = read_pictures(*drawn)
    after = read_pictures(tmp_path / "new" / "fer2013.csv", tmp_path / "new" / "fer2013new.csv")
    assert len(after) == len(before) + 4
    np.testing.assert_array_equal(before.pixels, after.pixels[:-4])
    np.testing.assert_array_equal(before.splits, after.splits[:-4])
    assert after.splits[-4:].tolist() == [Split.TRAIN] * 4
    assert after.labels[-4:].tolist() == [f.expression for f in faces]
    np.testing.assert_array_equal(
        np.stack([read_crop(exported, f) for f in faces]), after.pixels[-4:]
    )


@pytest.mark.parametrize("file", ["happy/../../secret.png", "/etc/hostname", "happy/link.png", ""])
def test_what_lies_outside_the_folder_is_not_read(file: str, exported: Path) -> None:
    secret = exported.parent / "secret.png"
    cv2.imwrite(str(secret), np.zeros((48, 48), np.uint8))
    (exported / "happy" / "link.png").symlink_to(secret)
    with pytest.raises(UsageError, match=r"lies outside|not a readable picture"):
        read_crop(exported, Captured(file, 3, 0.9))


def test_a_list_that_is_no_text_is_one_sentence(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (exported / "captured.csv").write_bytes(b"\xff\xfe\x00file")
    assert main(["add-captured", str(exported)]) == 2
    assert "not a CSV file" in capsys.readouterr().err
