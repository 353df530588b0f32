"""``training add-posed`` on drawn faces and a drawn mesh."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from device.vocabulary import Expression
from tests.training.data.test_action_units import drawn_mesh
from training.__main__ import main
from training.data.fer2013 import VOTE_COLUMNS, Split, read_pictures
from training.data.posed import POSES, draw_sheet, pose_neutrals, share_votes

NEUTRAL = VOTE_COLUMNS.index("neutral")
Drawn = tuple[Path, Path]


def see(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """A mesh model that sees a face in the middle of everything."""
    return (drawn_mesh() * 60 + np.array([96, 80], np.float32)).astype(np.float32), 9.0


def test_each_neutral_face_of_the_training_split_gets_every_pose(drawn: Drawn) -> None:
    pictures = read_pictures(*drawn)
    posed = pose_neutrals(pictures, see, 3, np.random.default_rng(0))
    assert posed.pixels.shape == (3 * len(POSES), 48, 48)
    assert (posed.votes.sum(axis=1) == 10).all()
    assert posed.num_faceless == 0
    train = pictures.split(Split.TRAIN)
    at_rest = train.pixels[train.votes[:, NEUTRAL] >= 8].astype(int)
    nearest = [np.abs(at_rest - one).mean(axis=(1, 2)).min() for one in posed.pixels.astype(int)]
    assert max(nearest) < 25  # each is one of them, moved a little


def test_the_same_seed_poses_the_same_faces(drawn: Drawn) -> None:
    pictures = read_pictures(*drawn)
    one, two = (pose_neutrals(pictures, see, 2, np.random.default_rng(7)) for _ in range(2))
    assert (one.pixels == two.pixels).all()
    assert (one.votes == two.votes).all()


def test_pictures_without_a_face_are_left_out_and_counted(drawn: Drawn) -> None:
    pictures = read_pictures(*drawn)
    answers = iter([-1.0] + [9.0] * 100)
    posed = pose_neutrals(
        pictures, lambda picture: (see(picture)[0], next(answers)), 2, np.random.default_rng(0)
    )
    assert posed.num_faceless == 1
    with pytest.raises(UsageError, match="no face with 8 neutral votes"):
        pose_neutrals(pictures, lambda p: (see(p)[0], -1.0), 2, np.random.default_rng(0))


@pytest.mark.parametrize(("strength", "neutral"), [(0.2, 10), (0.75, 5), (1.2, 0), (3.0, 0)])
def test_a_weak_pose_shares_its_votes_with_neutral(strength: float, neutral: int) -> None:
    votes = share_votes(Expression.ANGRY, strength)
    assert votes[NEUTRAL] == neutral
    assert votes[VOTE_COLUMNS.index("anger")] == 10 - neutral


def test_a_face_at_rest_stays_neutral_however_strong() -> None:
    assert share_votes(Expression.NEUTRAL, 1.5)[NEUTRAL] == 10


def test_the_sheet_has_a_tile_a_face() -> None:
    assert draw_sheet(np.zeros((5, 48, 48), np.uint8)).shape == (96, 12 * 96)


def test_bad_calls_are_one_line_and_write_nothing(
    drawn: Drawn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, votes = map(str, drawn)
    target = tmp_path / "out"
    words = ["add-posed", "--output", str(target), "--data", data, "--votes", votes]
    text = tmp_path / "mesh.tflite"
    text.write_text("no model")
    for more, said in (
        (["--mesh", str(text)], "not MediaPipe's face landmark model"),
        (["--mesh", str(tmp_path / "none")], "not MediaPipe's face landmark model"),
        (["--mesh", str(text), "--faces", "0"], "--faces 0: at least 1"),
    ):
        assert main([*words, *more]) == 2
        assert said in capsys.readouterr().err
        assert not target.exists()


def test_the_command_writes_a_pair_that_is_read_again(
    drawn: Drawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.data.posed.load_mesh", lambda path: see)
    before = read_pictures(*drawn)
    target = tmp_path / "out"
    assert main(["add-posed", "--mesh", "x", "--faces", "2", "--output", str(target),
                 "--data", str(drawn[0]), "--votes", str(drawn[1])]) == 0  # fmt: skip
    after = read_pictures(target / "fer2013.csv", target / "fer2013new.csv")
    assert len(after.pixels) == len(before.pixels) + 2 * len(POSES)
    assert (after.splits[len(before.pixels) :] == Split.TRAIN).all()
    assert (after.pixels[: len(before.pixels)] == before.pixels).all()
    assert cv2.imread(str(target / "posed.png"), cv2.IMREAD_GRAYSCALE) is not None
