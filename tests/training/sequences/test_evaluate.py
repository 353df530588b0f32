"""``training evaluate-sequences`` on pictures of one real face and a drawn mesh."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from device.vision.stage import TFLiteClassifier
from tests.training.data.test_posed import see
from training.__main__ import main
from training.data.action_units import find_head
from training.data.fer2013 import read_pictures
from training.sequences.camera import FilmCamera
from training.sequences.people import read_people
from training.sequences.warps import around, at_rest_frames, course, film_warps

ROOT = Path(__file__).parents[3]
PORTRAIT = ROOT / "device/camera/astronaut.jpg"
MODEL = ROOT / "tests/golden/brightness.tflite"  # dark is one expression, bright another


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """AA has a neutral picture and another, BB no neutral one."""
    picture = cv2.imread(str(PORTRAIT), cv2.IMREAD_GRAYSCALE)
    names = {"AA.1": "neutral", "AA.2": "happy", "BB.1": "sad"}
    for name in names:
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture[:260, :340])
    rows = [f"{name}.png,{label}" for name, label in names.items()]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    return tmp_path


def test_stills_give_a_table_and_numbers(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.json"
    words = ["evaluate-sequences", str(folder), "--model", str(MODEL), "--output", str(output)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "1 people; without a neutral picture: 1" in said
    assert "| stills | off | 1 | 2 |" in said
    figures = json.loads(output.read_text())
    assert [row["rest"] for row in figures["stills"] if row["group"] == "all"] == ["off", "auto"]
    assert figures["stills_left_out"] == ["BB"]
    assert output.with_suffix(".png").is_file()


def test_people_that_were_tuned_on_stand_apart(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AA.1.png", "AA.2.png"):
        shutil.copy(folder / name, folder / name.replace("AA", "DD"))
    labels = folder / "labels.csv"
    rows = labels.read_text().splitlines()
    rows += [row.replace("AA", "DD") for row in rows if row.startswith("AA")]
    labels.write_text("\n".join(rows) + "\n")
    output = tmp_path / "out.json"
    words = ["evaluate-sequences", str(folder), "--model", str(MODEL), "--output", str(output)]
    assert main([*words, "--tuned-on", "DD", "--rest", "auto", "--rounds", "1"]) == 0
    rows = json.loads(output.read_text())["stills"]
    people = {row["group"]: row["people"] for row in rows}
    assert people["all"] == 2
    assert people["tuned on"] == people["not tuned on"] == 1
    assert "| stills, not tuned on | auto | 1 |" in capsys.readouterr().out


def test_people_are_a_column_or_the_first_letters(folder: Path) -> None:
    assert list(read_people(folder, [])) == ["AA", "BB"]
    assert list(read_people(folder, ["BB"])) == ["BB"]
    with pytest.raises(UsageError, match="nobody is called CC"):
        read_people(folder, ["AA", "CC"])
    (folder / "labels.csv").write_text("file,label,person\nAA.1.png,happy,Ann\n")
    assert read_people(folder, []) == {"Ann": [(folder / "AA.1.png", 3)]}


def test_bad_calls_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        ([], "give a folder of stills"),
        ([str(folder), "--persons", "CC"], "nobody is called CC"),
        ([str(folder), "--tuned-on", "CC"], "nobody is called CC"),
        ([str(folder), "--persons", "BB"], "nobody in it has a neutral picture"),
        ([str(folder / "none")], "cannot read the labels"),
    ):
        assert main(["evaluate-sequences", *words]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


def test_a_film_is_named_frame_by_frame_as_a_camera_sees_it() -> None:
    picture = cv2.imread(str(PORTRAIT), cv2.IMREAD_GRAYSCALE)[:260, :340]
    camera = FilmCamera(TFLiteClassifier.load(MODEL), np.random.default_rng(0))
    film = camera.film([picture] * 12)
    assert len(film) == 12
    answers = [answer for answer in film if answer is not None]
    assert len(answers) >= 11
    assert all(answer.face.track_id == 1 and answer.face.crop is None for answer in answers)
    # The camera's noise: few of the frames, if any, are named with the very same probabilities.
    assert len({answer.probabilities.tobytes() for answer in answers}) > len(answers) / 2


def test_nobody_there_is_nobody_named() -> None:
    camera = FilmCamera(TFLiteClassifier.load(MODEL), np.random.default_rng(0))
    assert camera.film([np.full((200, 200), 128, np.uint8)] * 4) == [None] * 4


def test_an_expression_comes_stays_and_goes() -> None:
    shares = course()
    apex = shares.index(1.0)
    assert 0 < shares[0] < 0.3
    assert shares[-1] == pytest.approx(0)
    assert shares[:apex] == sorted(shares[:apex])
    assert sum(share == 1 for share in shares) >= 25


def test_a_face_at_rest_moves_a_little(drawn: tuple[Path, Path]) -> None:
    head = find_head(see, read_pictures(*drawn).pixels[0])
    assert head is not None
    frames = list(at_rest_frames(head, np.random.default_rng(0)))
    assert len(frames) == 60
    still = around(head.picture).astype(int)
    moved = [np.abs(frame - still).mean() for frame in frames]
    assert 0 < np.mean(moved) < 15
    assert any((a != b).any() for a, b in itertools.pairwise(frames))


def test_warps_need_faces_that_the_device_finds(drawn: tuple[Path, Path]) -> None:
    random = np.random.default_rng(0)
    camera = FilmCamera(TFLiteClassifier.load(MODEL), random)
    pictures = read_pictures(*drawn)
    with pytest.raises(UsageError, match="a face that is found"):
        film_warps(pictures, lambda p: (see(p)[0], -1.0), camera, 1, random)
