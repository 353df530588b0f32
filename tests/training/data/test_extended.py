import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from training.__main__ import main
from training.data.extended import extend, write_csv_pair
from training.data.fer2013 import Split, read_pictures
from training.data.listings import read_captured

DISGUST = 1


def test_additions_join_the_training_split_and_nothing_else_changes(
    drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    pictures = read_pictures(*drawn)
    crops = np.random.default_rng(1).integers(0, 256, (3, 48, 48), np.uint8)
    more = extend(pictures, crops, np.full(3, DISGUST), "synthetic")
    again = read_pictures(*write_csv_pair(more, tmp_path / "new"))
    count = len(pictures)
    np.testing.assert_array_equal(pictures.pixels, again.pixels[:count])
    np.testing.assert_array_equal(pictures.votes, again.votes[:count])
    np.testing.assert_array_equal(pictures.splits, again.splits[:count])
    np.testing.assert_array_equal(crops, again.pixels[count:])
    assert again.splits[count:].tolist() == [Split.TRAIN] * 3
    assert again.crowd()[count:].argmax(axis=1).tolist() == [DISGUST] * 3
    with pytest.raises(UsageError, match="already there"):
        write_csv_pair(more, tmp_path / "new")


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    folder = tmp_path / "collected"
    folder.mkdir()
    random = np.random.default_rng(2)
    rows = [("a.png", "happy", "0.91"), ("b.png", "sad", "0.55"), ("c.png", "happy", "0.47")]
    for name, _, _ in rows:
        cv2.imwrite(str(folder / name), random.integers(0, 256, (48, 48), np.uint8))
    with (folder / "captured.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "expression", "probability"), *rows])
    return folder


def test_collected_faces_are_reviewed_before_they_train(
    collected: Path, drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    assert main(["add-captured", str(collected)]) == 0
    assert cv2.imread(str(collected / "review.png")).shape[:2] == (120, 12 * 96)
    review = collected / "review.csv"
    assert [f.file for f in read_captured(review)] == ["c.png", "a.png", "b.png"]
    lines = review.read_text().splitlines()
    review.write_text("\n".join([lines[0], lines[1].replace("happy", "fear"), lines[3]]) + "\n")
    data, votes = map(str, drawn)
    words = ["--reviewed", "--output", str(tmp_path / "new"), "--data", data, "--votes", votes]
    assert main(["add-captured", str(collected), *words]) == 0
    new = read_pictures(tmp_path / "new" / "fer2013.csv", tmp_path / "new" / "fer2013new.csv")
    assert new.labels[-2:].tolist() == [2, 4]
    assert new.splits[-2:].tolist() == [Split.TRAIN] * 2
    corrected = cv2.imread(str(collected / "c.png"), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(corrected, new.pixels[-2])


def test_a_corrected_review_is_never_overwritten(
    collected: Path, drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["add-captured", str(collected)]) == 0
    (collected / "review.csv").write_text("corrected")
    assert main(["add-captured", str(collected)]) == 2
    assert "go on with --reviewed" in capsys.readouterr().err
    assert (collected / "review.csv").read_text() == "corrected"
    (tmp_path / "fer2013.csv").touch()
    assert main(["add-captured", str(collected), "--reviewed", "--output", str(tmp_path)]) == 2
    assert "already there" in capsys.readouterr().err  # before the review is even read


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.png,smug,0.9", "line 2: smug is not an expression"),
        ("a.png,happy,sure", "line 2"),
        ("../../a.png,happy,0.9", "lies outside"),
        ("gone.png,happy,0.9", "not a readable picture"),
        ("", "names no faces"),
    ],
)
def test_a_bad_list_is_one_sentence(
    collected: Path, line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (collected / "captured.csv").write_text(f"file,expression,probability\n{line}\n")
    assert main(["add-captured", str(collected)]) == 2
    assert message in capsys.readouterr().err
    assert not (collected / "review.csv").exists()


def test_a_review_needs_a_place_for_its_outcome(
    collected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["add-captured", str(collected), "--reviewed"]) == 2
    assert "--output" in capsys.readouterr().err
