"""``training add-posed`` on drawn faces and a drawn mesh."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from device.vocabulary import Expression
from tests.training.data.test_action_units import drawn_mesh
from training.__main__ import main
from training.data.extended import extend, write_csv_pair
from training.data.fer2013 import POSED, VOTE_COLUMNS, Pictures, Split, read_pictures
from training.data.posed import (
    POSES,
    ask_too,
    draw_sheet,
    neutrals_of,
    pose_faces,
    read_neutrals,
    share_votes,
)

NEUTRAL = VOTE_COLUMNS.index("neutral")
Drawn = tuple[Path, Path]


def see(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """A mesh model that sees a face in the middle of everything."""
    return (drawn_mesh() * 60 + np.array([96, 80], np.float32)).astype(np.float32), 9.0


def rest(pictures: Pictures, seed: int) -> Iterator[np.ndarray]:
    return neutrals_of(pictures, np.random.default_rng(seed))


def test_each_neutral_face_of_the_training_split_gets_every_pose(drawn: Drawn) -> None:
    pictures = read_pictures(*drawn)
    posed = pose_faces(rest(pictures, 0), see, 3, np.random.default_rng(0))
    assert posed.pixels.shape == (3 * len(POSES), 48, 48)
    assert (posed.votes.sum(axis=1) == 100).all()
    assert posed.num_faceless == 0
    train = pictures.split(Split.TRAIN)
    at_rest = train.pixels[train.votes[:, NEUTRAL] >= 8].astype(int)
    nearest = [np.abs(at_rest - one).mean(axis=(1, 2)).min() for one in posed.pixels.astype(int)]
    assert max(nearest) < 25  # each is one of them, moved a little


def test_the_same_seed_poses_the_same_faces(drawn: Drawn) -> None:
    pictures = read_pictures(*drawn)
    one, two = (pose_faces(rest(pictures, 7), see, 2, np.random.default_rng(7)) for _ in range(2))
    assert (one.pixels == two.pixels).all()
    assert (one.votes == two.votes).all()


def test_pictures_without_a_face_are_left_out_and_counted(drawn: Drawn) -> None:
    pictures = read_pictures(*drawn)
    answers = iter([-1.0] + [9.0] * 100)
    posed = pose_faces(
        rest(pictures, 0),
        lambda picture: (see(picture)[0], next(answers)),
        2,
        np.random.default_rng(0),
    )
    assert posed.num_faceless == 1
    with pytest.raises(UsageError, match="no face at rest"):
        pose_faces(rest(pictures, 0), lambda p: (see(p)[0], -1.0), 2, np.random.default_rng(0))


@pytest.mark.parametrize(("strength", "neutral"), [(0.2, 100), (0.75, 50), (1.2, 0), (3.0, 0)])
def test_a_weak_pose_shares_its_votes_with_neutral(strength: float, neutral: int) -> None:
    votes = share_votes(Expression.ANGRY, strength)
    assert votes[NEUTRAL] == neutral
    assert votes[VOTE_COLUMNS.index("anger")] == 100 - neutral


def test_a_face_at_rest_stays_neutral_however_strong() -> None:
    assert share_votes(Expression.NEUTRAL, 1.5)[NEUTRAL] == 100


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
        (["--mesh", str(text), "--faces", "0"], "--faces 0: must be at least 1"),
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


def test_larger_pictures_of_a_folder_are_posed_and_shrunk(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = ["file,expression"]
    for name, label in (("a.png", "neutral"), ("b.png", "happy"), ("c.png", "neutral")):
        cv2.imwrite(str(tmp_path / name), random.integers(60, 200, (128, 128)).astype(np.uint8))
        rows.append(f"{name},{label}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    posed = pose_faces(read_neutrals(tmp_path, random), see, 9, random)
    assert posed.pixels.shape == (2 * len(POSES), 48, 48)
    cv2.imwrite(str(tmp_path / "c.png"), np.zeros((60, 80), np.uint8))
    with pytest.raises(UsageError, match=r"c\.png: not a square picture"):
        list(read_neutrals(tmp_path, random))


def test_half_of_the_votes_are_what_another_network_sees(drawn: Drawn) -> None:
    posed = pose_faces(rest(read_pictures(*drawn), 0), see, 2, np.random.default_rng(0))
    fear = np.eye(7, dtype=np.float32)[np.full(len(posed.pixels), 2)]
    both = ask_too(posed, fear)
    column = VOTE_COLUMNS.index("fear")
    assert (both.votes[:, column] >= 50).all()
    assert (np.abs(both.votes.sum(axis=1) - 100) <= 2).all()
    assert (both.labels[posed.votes[:, VOTE_COLUMNS.index("sadness")] < 50] == 2).any()


def test_a_posed_face_is_known_after_reading_and_is_not_posed_again(
    drawn: Drawn, tmp_path: Path
) -> None:
    pictures = read_pictures(*drawn)
    posed = pose_faces(rest(pictures, 0), see, 2, np.random.default_rng(0))
    extended = extend(pictures, posed.pixels, posed.labels, POSED, posed.votes)
    again = read_pictures(*write_csv_pair(extended, tmp_path / "more"))
    assert again.posed.sum() == len(posed.pixels)
    assert (again.posed == extended.posed).all()
    assert len(list(rest(again, 0))) == len(list(rest(pictures, 0)))
