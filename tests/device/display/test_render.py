from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from device.display.render import (
    AMBER,
    GOOD,
    GROUND,
    MARGIN,
    QUIET,
    WANDER,
    WANDER_PERIOD_S,
    Frills,
    lettering,
    render,
    unit_px,
    wandering,
)
from device.display.wording import CAPTURE_NOTICE, NOTICE, PAGE_NOTICE, caption, notice_text
from device.vocabulary import Expression, Image, SyntheticFace
from tests.device.display.screens import (
    DOCS_FOLDER,
    FRILLS,
    GOLDEN_FOLDER,
    HAPPY,
    STATES,
    camera_view,
    face,
    golden,
    shown,
)

SIZES = [(1920, 1080), (1280, 720), (1366, 768), (640, 480), (720, 576), (160, 120), (480, 1920)]
# Other releases of OpenCV round and scale a little differently.
MEAN_TOLERANCE, STRONG_DIFFERENCE, STRONG_SHARE = 0.5, 48, 0.002


def count(image: Image, color: tuple[int, int, int]) -> int:
    return int((image == np.array(color, np.uint8)).all(axis=2).sum())


@pytest.mark.parametrize("name", [*STATES, "camera-view"])
def test_each_state_looks_like_its_reference_picture(name: str) -> None:
    expected = cv2.imread(str(GOLDEN_FOLDER / f"{name}.png"))
    assert expected is not None
    actual = cv2.cvtColor(golden(name), cv2.COLOR_RGB2BGR)
    assert actual.shape == expected.shape
    difference = cv2.absdiff(actual, expected)
    assert difference.mean() < MEAN_TOLERANCE
    assert (difference > STRONG_DIFFERENCE).mean() < STRONG_SHARE


def test_the_tolerance_tells_the_states_apart() -> None:
    happy, sad = golden("one"), render(shown(face(Expression.SAD, 0.93)), 320, 240, FRILLS)
    assert cv2.absdiff(happy, sad).mean() > 4 * MEAN_TOLERANCE


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", STATES)
def test_every_state_fits_every_size_wherever_it_wanders(name: str, size: tuple[int, int]) -> None:
    width, height = size
    for at_s in np.array([0, 1, 2, 7]) * WANDER_PERIOD_S / 8:
        image = render(STATES[name], width, height, replace(FRILLS, at_s=float(at_s)))
        assert image.shape == (height, width, 3)
        edge = round((MARGIN - WANDER) * unit_px(image)) - 2
        border = image.copy()
        border[edge : height - edge, edge : width - edge] = image[0, 0]
        assert (border == image[0, 0]).all(), "something stands in the margin"


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (159, 200), (200, 119)])
def test_a_screen_on_which_nothing_can_be_read_stays_dark(size: tuple[int, int]) -> None:
    image = render(STATES["three"], *size, FRILLS)
    assert image.shape == (size[1], size[0], 3)
    assert (image == GROUND).all()


def test_the_name_is_readable_from_three_metres() -> None:
    # A 24 inch screen is 299 mm high. Signs take 1/200 of the distance for a letter's height:
    # 15 mm at three metres. Lower-case letters are about half as high as the line.
    for name in ("one", "three"):
        rows = np.flatnonzero((render(STATES[name], 1920, 1080, FRILLS) > 220).all(axis=2).any(1))
        first_word = rows[: np.flatnonzero(np.append(np.diff(rows), 99) > 1)[0] + 1]
        assert len(first_word) / 1080 * 299 > 15, name


def test_bars_are_as_long_as_the_probability() -> None:
    def bar_px(probability: float) -> int:
        image = render(shown(face(Expression.HAPPY, probability), HAPPY), 640, 480, FRILLS)
        return count(image[:240], GOOD)

    assert bar_px(0.5) == pytest.approx(bar_px(1.0) / 2, rel=0.02)
    assert bar_px(0.0) == 0


@pytest.mark.parametrize("probability", [-1.0, 7.0])
def test_a_wrong_probability_does_not_spoil_the_picture(probability: float) -> None:
    render(shown(face(Expression.HAPPY, probability)), 640, 480, FRILLS)


def test_a_problem_is_amber_and_a_long_one_takes_two_lines() -> None:
    def amber_rows(problem: str) -> int:
        status = replace(STATES["no-face"].status, problem=problem)
        image = render(shown(status=status), 640, 480, FRILLS)
        return int((image == AMBER).all(axis=2).any(axis=1).sum())

    assert amber_rows("") == 0
    assert 0 < amber_rows("broker away") < amber_rows("broker away: " + "refused " * 30)


def test_the_notice_can_be_off_but_not_while_faces_are_collected() -> None:
    assert notice_text(True, False) == NOTICE
    assert notice_text(False, False) == ""
    assert notice_text(False, True) == CAPTURE_NOTICE
    assert notice_text(False, False, on_page=True) == PAGE_NOTICE
    assert "page" in notice_text(False, True, on_page=True)
    with_notice = render(STATES["no-face"], 640, 480, FRILLS)
    without = render(STATES["no-face"], 640, 480, replace(FRILLS, notice=""))
    assert count(with_notice[400:], QUIET) > count(without[400:], QUIET)


def test_wandering_moves_everything_slowly_and_comes_back() -> None:
    places = [wandering(t, 1080) for t in np.arange(0, WANDER_PERIOD_S, 10.0)]
    steps = np.abs(np.diff(places, axis=0))
    assert steps.max() <= 2
    assert len(set(places)) > 100
    assert wandering(WANDER_PERIOD_S, 1080) == wandering(0, 1080)
    assert np.abs(places).max() <= round(WANDER * 1080)


def test_the_camera_is_shown_only_when_asked_for() -> None:
    view = camera_view(color=True)
    hidden = render(view, 640, 480, FRILLS)
    assert np.array_equal(hidden, render(replace(view, frame=None), 640, 480, FRILLS))
    visible = render(view, 640, 480, replace(FRILLS, show_camera=True))
    assert not np.array_equal(hidden, visible)


def test_the_box_lies_on_the_face_in_the_camera_view() -> None:
    visible = render(camera_view(True), 1280, 720, replace(FRILLS, show_camera=True))
    columns = np.flatnonzero((visible[:, :600] == GOOD).all(axis=2).sum(axis=0) > 100)
    picture = 640 * (columns - 36) / 576  # left margin 36 px, picture 576 px wide
    assert picture[0] == pytest.approx(210, abs=4)
    assert picture[-1] == pytest.approx(420, abs=4)


@pytest.mark.parametrize("size", SIZES)
def test_camera_and_synthetic_face_stand_above_each_other_in_the_margins(
    size: tuple[int, int],
) -> None:
    width, height = size
    frame = camera_view(color=True).frame
    both = replace(STATES["synthetic"], frame=frame)
    image = render(both, width, height, replace(FRILLS, show_camera=True))
    edge = round((MARGIN - WANDER) * unit_px(image)) - 2
    border = image.copy()
    border[edge : height - edge, edge : width - edge] = image[0, 0]
    assert (border == image[0, 0]).all(), "something stands in the margin"
    one = render(STATES["synthetic"], width, height, FRILLS)
    assert not np.array_equal(one, image)


def test_a_synthetic_face_says_so_in_words_beside_its_own_mark() -> None:
    plain = render(STATES["one"], 640, 480, FRILLS)
    made = render(STATES["synthetic"], 640, 480, FRILLS)
    assert count(plain[:, :320], AMBER) == 0
    assert count(made[:, :320], AMBER) > 100
    assert caption(STATES["synthetic"].synthetic) == "synthetic: surprise"


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_synthetic_face_may_be_grey_or_coloured(channels: tuple[int, ...]) -> None:
    face = SyntheticFace(np.full((400, 400, *channels), 200, np.uint8), Expression.SAD)
    image = render(replace(STATES["one"], synthetic=face), 640, 480, FRILLS)
    assert count(image[:, :320], (200, 200, 200)) > 100 * 100


def test_letters_of_other_languages_and_unknown_ones() -> None:
    bold = lettering("bold")
    for name in ("Küche", "Łódź", "Прихожая", "Είσοδος"):
        assert "?" not in name
        assert bold.width(name, 40) != bold.width("?" * len(name), 40)
    assert bold.width("居間", 40) == bold.width("??", 40)
    render(STATES["identify"], 640, 480, Frills("居間 🙂"))


def test_long_lines_are_shortened_or_wrapped_into_their_width() -> None:
    regular = lettering("regular")
    text = "a rather long explanation of what has gone wrong with the camera"
    short = regular.shorten(text, 200, 20)
    assert short.endswith("…")
    assert regular.width(short, 20) <= 200
    lines = regular.wrap(text, 200, 20, max_lines=2)
    assert len(lines) == 2
    assert all(regular.width(line, 20) <= 200 for line in lines)
    assert regular.wrap("", 200, 20, 2) == []
    assert regular.wrap("unbreakable" * 20, 200, 20, 2)[0].endswith("…")


def test_the_documentation_has_its_pictures() -> None:
    for name in ("one", "three", "camera-lost", "camera-view"):
        assert (DOCS_FOLDER / f"screen-{name}.png").is_file()
