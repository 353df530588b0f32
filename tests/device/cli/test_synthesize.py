import argparse
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.__main__ import main
from device.camera import demo
from device.cli import synthesize
from device.errors import CameraError, MienError, UsageError
from device.vision.model_store import ModelStore
from device.vision.trial import try_out
from device.vocabulary import BoundingBox, Face
from tests.generators import generator_bundle

PORTRAIT = Path(demo.__file__).parent / "astronaut.jpg"
STEPS = Path(__file__).parents[2] / "golden" / "steps.tflite"


def call(*words: object) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default=None)
    synthesize.add_arguments(parser)
    return synthesize.main(parser.parse_args([*map(str, words), "--model", str(STEPS)]), {})


def test_the_face_changes_the_rest_stays_and_the_mark_is_there(tmp_path: Path) -> None:
    output = tmp_path / "made.png"
    assert call(PORTRAIT, "--expression", "neutral", "--output", output) == 0
    before, after = cv2.imread(str(PORTRAIT)), cv2.imread(str(output))
    assert before.shape == after.shape
    assert b"Synthetic" in output.read_bytes()[:400]
    changed = (before != after).any(axis=2)
    assert changed[-1].mean() > 0.5  # the visible mark; parts of that row were black before
    rows, columns = np.nonzero(changed[:-60])
    assert 60 < rows.min() < rows.max() < 220  # the astronaut's face
    assert 150 < columns.min() < columns.max() < 300
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is asked to be careful")
def test_root_loads_no_generator_that_somebody_else_has_put_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ModelStore(tmp_path / "models").install(generator_bundle(tmp_path / "bundle"), try_out)
    for path in (tmp_path / "models").rglob("*"):
        os.chown(path, 4321, 4322, follow_symlinks=False)
    words = [str(PORTRAIT), "--expression", "neutral", "--output", str(tmp_path / "made.png")]
    assert main(["synthesize", *words], {"STATE_DIRECTORY": str(tmp_path)}) == 0
    assert "another user's: root does not load it" in capsys.readouterr().err


def test_all_gives_a_sheet_of_eight(tmp_path: Path) -> None:
    output = tmp_path / "all.jpg"
    assert call(PORTRAIT, "--expression", "all", "--output", output) == 0
    made = cv2.imread(str(output))
    assert made.shape[:2] == (2 * (240 + 22), 4 * 240)
    assert b"Exif" in output.read_bytes()[:20]
    tiles = [made[r : r + 262, c : c + 240] for r in (0, 262) for c in range(0, 960, 240)]
    marked = [tile[-16:].mean() < tiles[0][-16:].mean() - 5 for tile in tiles]
    assert marked == [False] + [True] * 7  # each, should somebody cut one out


@pytest.mark.parametrize("kind", ["grey", "colour", "alpha", "16 bit"])
def test_every_kind_of_picture_comes_back_as_colour(kind: str, tmp_path: Path) -> None:
    image = cv2.imread(str(PORTRAIT), cv2.IMREAD_GRAYSCALE if kind == "grey" else cv2.IMREAD_COLOR)
    if kind == "alpha":
        image = np.dstack([image, np.full(image.shape[:2], 200, np.uint8)])
    if kind == "16 bit":
        image = image.astype(np.uint16) * 257
    picture, output = tmp_path / "portrait.png", tmp_path / "made.png"
    cv2.imwrite(str(picture), image)
    assert call(picture, "--expression", "happy", "--output", output) == 0
    assert cv2.imread(str(output), cv2.IMREAD_UNCHANGED).shape == (512, 512, 3)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["missing.jpg"], 1, "missing.jpg: cannot read"),
        ([PORTRAIT, "--expression", "smug"], 2, "known are angry"),
        ([PORTRAIT, "--output", "made"], 2, "must end in .png"),
        ([PORTRAIT, "--output", "/proc/made.png"], 2, "cannot write"),
        ([PORTRAIT, "--model", "missing.tflite"], 2, "no generator here"),
        ([PORTRAIT, "--model", STEPS.with_name("brightness.tflite")], 78, "'classify'"),
    ],
)
def test_what_fails_is_one_line_and_its_exit_status(
    words: list[object],
    status: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    picture, *changed = map(str, words)
    fixed = ["--expression", "happy", "--output", str(tmp_path / "made.png"), "--model", str(STEPS)]
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    assert main(["synthesize", picture, *fixed, *changed], environment) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mien: ")
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (("--expression", "smile"), UsageError, "known are angry, disgust, .* and all"),
        (("--output", "made.gif"), UsageError, "must end in .png"),
        (("--output", "missing/made.png"), UsageError, "not a file in an existing folder"),
        (("--model", "missing.tflite"), UsageError, "no generator here"),
    ],
)
def test_bad_arguments_are_one_sentence(
    words: tuple[str, str],
    kind: type[MienError],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"--expression": "happy", "--output": "made.png", "--model": str(STEPS)}
    given[words[0]] = words[1]
    flat = [word for pair in given.items() for word in pair]
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default=None)
    synthesize.add_arguments(parser)
    with pytest.raises(kind, match=message):
        synthesize.main(parser.parse_args([str(PORTRAIT), *flat]), {})
    assert not list(tmp_path.iterdir())


def test_a_picture_without_a_face_writes_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(UsageError, match=r"no face found; .* at least 48 px"):
        call(empty, "--expression", "happy", "--output", tmp_path / "made.png")
    assert list(tmp_path.iterdir()) == [empty]


def test_what_is_no_picture_writes_nothing(tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    with pytest.raises(CameraError, match="not a picture"):
        call(text, "--expression", "happy", "--output", tmp_path / "made.png")
    assert list(tmp_path.iterdir()) == [text]


def test_the_picture_itself_is_never_overwritten(tmp_path: Path) -> None:
    picture = tmp_path / "me.jpg"
    picture.write_bytes(PORTRAIT.read_bytes())
    with pytest.raises(UsageError, match="would overwrite the picture itself"):
        call(picture, "--expression", "happy", "--output", picture)
    assert picture.read_bytes() == PORTRAIT.read_bytes()


def test_a_full_or_read_only_disk_leaves_no_half_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        synthesize.write_whole(Path("/proc/made.png"), b"1234")
    folder = tmp_path / "made.png"
    folder.mkdir()
    with pytest.raises(UsageError, match="cannot write"):
        synthesize.write_whole(folder, b"1234")
    assert list(tmp_path.iterdir()) == [folder]


def at(xmin: float, ymin: float, side: float) -> Face:
    return Face(BoundingBox(xmin, ymin, xmin + side, ymin + side), 0.9)


def test_the_largest_of_several_faces_is_taken() -> None:
    image = np.zeros((300, 400), np.uint8)
    faces = [at(0, 0, 40), at(100, 100, 90), at(250, 10, 60)]
    face, count = synthesize.largest_face(image, lambda grey: faces, Path("x.png"))
    assert (face.box, count) == (faces[1].box, 3)


def test_a_twenty_pixel_face_is_refused_with_its_size() -> None:
    image = np.zeros((300, 400), np.uint8)
    with pytest.raises(UsageError, match="20 px wide, at least 32 px are needed"):
        synthesize.largest_face(image, lambda grey: [at(10, 10, 20)], Path("x.png"))


def test_a_huge_picture_is_searched_small_and_the_face_found_in_its_own_pixels() -> None:
    seen = []

    def examine(grey: np.ndarray) -> list[Face]:
        seen.append(grey.shape)
        return [at(100, 50, 200)]

    face, _ = synthesize.largest_face(np.zeros((6400, 3200, 3), np.uint8), examine, Path("x.png"))
    assert seen == [(1600, 800)]
    assert face.box == BoundingBox(400, 200, 1200, 1000)


def test_a_picture_like_a_thread_has_no_face() -> None:
    with pytest.raises(UsageError, match="no face found"):
        synthesize.largest_face(np.zeros((3, 20_000), np.uint8), lambda grey: [], Path("x.png"))


def test_a_model_that_is_a_pipe_makes_nobody_wait(tmp_path: Path) -> None:
    pipe, output = tmp_path / "pipe.tflite", tmp_path / "made.png"
    os.mkfifo(pipe)
    words = ["synthesize", PORTRAIT, "--expression", "happy", "--output", output, "--model", pipe]
    done = subprocess.run(
        [sys.executable, "-m", "device", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"mien: --model {pipe}: cannot read: not a regular file\n"
