import json
import os
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.__main__ import main
from device.camera import demo
from device.camera.picture import read_picture
from device.camera.replay import read_all
from device.cli.album import Clip
from device.errors import UsageError
from device.vocabulary import EXPRESSIONS

PORTRAIT = Path(demo.__file__).parent / "astronaut.jpg"
NAMES = {e.value for e in EXPRESSIONS}


def analyze(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, list[dict], str]:
    status = main(["analyze", *map(str, args)], {})
    out, err = capsys.readouterr()
    return status, [json.loads(line) for line in out.splitlines()], err


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "demo.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 15, (320, 240))
    frames = demo.frames(320, 240)
    for _ in range(8):
        writer.write(cv2.cvtColor(next(frames).image, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def test_a_picture_gives_the_documented_object(capsys: pytest.CaptureFixture[str]) -> None:
    status, (result,), _ = analyze(capsys, PORTRAIT)
    height, width = cv2.imread(str(PORTRAIT)).shape[:2]
    assert status == 0
    assert set(result) == {"source", "frame", "width", "height", "faces"}
    assert (result["source"], result["frame"]) == (str(PORTRAIT), 0)
    assert (result["width"], result["height"]) == (width, height)
    (face,) = result["faces"]
    assert {"box", "score", "landmarks", "expression", "probability", "probabilities"} <= set(face)
    assert set(face["probabilities"]) == NAMES
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=0.01)
    assert face["expression"] == max(face["probabilities"], key=face["probabilities"].get)
    xmin, ymin, xmax, ymax = face["box"]
    assert 0 <= xmin < xmax <= width
    assert 0 <= ymin < ymax <= height


def test_landmarks_are_written_to_a_tenth_of_a_pixel(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "--json", str(PORTRAIT)], {}) == 0
    written = json.loads(capsys.readouterr().out, parse_float=str)["faces"][0]["landmarks"]
    assert len(written) == 5
    assert [c for point in written for c in point if len(c.partition(".")[2]) != 1] == []


def test_the_astronaut_smiles(capsys: pytest.CaptureFixture[str]) -> None:
    _, (result,), _ = analyze(capsys, PORTRAIT)
    assert result["faces"][0]["expression"] == "happy"


def test_a_video_gives_a_line_a_frame_with_a_steady_track(
    capsys: pytest.CaptureFixture[str], clip: Path
) -> None:
    status, results, _ = analyze(capsys, clip)
    assert status == 0
    assert [r["frame"] for r in results] == list(range(8))
    assert [r["time_s"] for r in results] == pytest.approx([n / 15 for n in range(8)], abs=1e-3)
    assert {f["track_id"] for r in results for f in r["faces"]} == {1}


def test_an_unreadable_file_is_reported_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    status, results, err = analyze(capsys, tmp_path / "broken.png", PORTRAIT, tmp_path / "none.jpg")
    assert status == 1
    assert [r["source"] for r in results] == [str(PORTRAIT)]
    assert "broken.png" in err
    assert "none.jpg" in err
    assert "Traceback" not in err


def test_an_empty_folder_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, results, err = analyze(capsys, tmp_path)
    assert (status, results) == (1, [])
    assert str(tmp_path) in err


def test_a_picture_without_a_face_has_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((240, 320), 90, np.uint8))
    status, (result,), _ = analyze(capsys, tmp_path)
    assert (status, result["faces"]) == (0, [])


def test_every_frame_of_a_video_answers_for_itself(
    capsys: pytest.CaptureFixture[str], clip: Path
) -> None:
    _, results, _ = analyze(capsys, clip)
    assert [len(r["faces"]) for r in results] == [1] * 8


@pytest.mark.parametrize("rate_hz", [1, 0.2])
def test_a_slide_show_shows_the_face_of_each_slide(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rate_hz: float
) -> None:
    path = tmp_path / "slides.avi"
    portrait = cv2.imread(str(PORTRAIT))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, (512, 512))
    for number in range(4):
        writer.write(np.roll(portrait, 100 * (number % 2), axis=1))
    writer.release()
    _, results, _ = analyze(capsys, path)
    assert [r["time_s"] for r in results] == [n / rate_hz for n in range(4)]
    assert [len(r["faces"]) for r in results] == [1] * 4


def test_a_still_gif_is_a_picture_with_a_face(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "still.gif"
    assert cv2.imwrite(str(path), cv2.imread(str(PORTRAIT)))
    status, (result,), _ = analyze(capsys, path)
    assert (status, len(result["faces"])) == (0, 1)


@pytest.mark.parametrize("name", [b"out", b"gr\xfcn"])
def test_save_writes_annotated_pictures_and_one_video_of_a_video(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, clip: Path, name: bytes
) -> None:
    target = tmp_path / os.fsdecode(name)
    status, _, _ = analyze(capsys, PORTRAIT, clip, "--save", target)
    assert status == 0
    assert sorted(p.name for p in target.iterdir()) == ["astronaut.jpg", "demo.mp4"]
    drawn, original = read_picture(target / "astronaut.jpg", True), read_picture(PORTRAIT, True)
    assert np.abs(drawn.astype(int) - original).max() > 100
    pairs = list(zip(read_all(target / "demo.mp4"), read_all(clip), strict=True))
    assert len(pairs) == 8
    assert all(np.abs(a.image.astype(int) - b.image).max() > 100 for a, b in pairs)
    assert pairs[7][0].captured_at_s == pytest.approx(7 / 15)


def test_a_video_that_cannot_be_written_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, clip: Path
) -> None:
    target = tmp_path / "out" / "demo.mp4"
    target.mkdir(parents=True)  # after the folder was looked through
    [frame, *_] = read_all(clip, color=True)
    with (
        pytest.raises(UsageError, match=r"demo\.mp4: cannot write"),
        closing(Clip(target, clip)) as to,
    ):
        to.add(frame, [])
    assert list((tmp_path / "out").iterdir()) == [target]


@pytest.mark.parametrize("name", ["astronaut.jpg", "demo.mp4"])
def test_no_file_of_somebody_else_is_written_over(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, clip: Path, name: str
) -> None:
    mine = tmp_path / "out" / name
    mine.parent.mkdir()
    mine.write_text("mine")
    status, results, err = analyze(capsys, PORTRAIT, clip, "--save", mine.parent)
    assert (status, results) == (2, [])
    assert err == f"mien: {mine} is there already; choose a new folder\n"
    assert (mine.read_text(), list(mine.parent.iterdir())) == ("mine", [mine])


def test_pictures_of_one_name_do_not_overwrite_each_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "same.png"), np.full((64, 64), 90, np.uint8))
    analyze(capsys, tmp_path / "a", tmp_path / "b", "--save", tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_folder_that_cannot_be_made_is_usage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    status, results, err = analyze(capsys, PORTRAIT, "--save", tmp_path / "file" / "out")
    assert (status, results) == (2, [])
    assert "cannot make the folder" in err


def test_pictures_to_analyze_are_never_written_over(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.jpg"
    mine.write_bytes(PORTRAIT.read_bytes())
    status, results, err = analyze(capsys, mine, "--save", tmp_path)
    assert (status, results) == (2, [])
    assert "must not be overwritten" in err
    assert mine.read_bytes() == PORTRAIT.read_bytes()


def test_a_file_that_is_not_there_is_told_before_a_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_model = {"MIEN_CLASSIFIER__MODEL": "none"}
    assert main(["analyze", str(tmp_path / "a.jpg")], without_model) == 1
    assert (
        capsys.readouterr().err
        == f"mien: {tmp_path / 'a.jpg'}: cannot read: No such file or directory\n"
    )
