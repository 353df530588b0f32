import base64
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.camera import demo
from device.errors import ModelError
from device.vision.landmarks import SHIPPED
from device.vision.model_card import read_model
from device.vision.paste_back import cut_face, face_view, paste_back
from device.vision.preprocess import to_grey
from device.vision.synthesizer import Synthesizer
from device.vocabulary import EXPRESSIONS, BoundingBox, Expression, Face

GOLDEN = Path(__file__).parents[2] / "golden"
STEPS = GOLDEN / "steps.tflite"
PORTRAIT = Path(demo.__file__).parent / "astronaut.jpg"
LIGHT = {e: 20 * (number - 3) for number, e in enumerate(EXPRESSIONS)}


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return Synthesizer.load(STEPS)


def detailed(height: int = 200, width: int = 240) -> np.ndarray:
    random = np.random.default_rng(5)
    return random.integers(90, 160, (height, width, 3), np.uint8)


def face_at(x: float, y: float, unit: float = 40.0, turn: float = 0.0) -> Face:
    """A face between whose eyes and mouth (x, y) lies; ``turn`` in radians."""
    points = np.array([[-0.5, -0.5], [0.5, -0.5], [0, 0], [-0.4, 0.5], [0.4, 0.5]]) * unit
    cosine, sine = np.cos(turn), np.sin(turn)
    points = points @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y)
    box = BoundingBox(x - unit, y - unit, x + unit, y + unit)
    return Face(box, 1.0, landmarks=points.astype(np.float32))


def test_only_the_face_changes_and_the_original_stays(synthesizer: Synthesizer) -> None:
    image = detailed()
    before = image.copy()
    made = synthesizer.synthesize(image, face_at(110, 90), Expression.ANGRY)
    np.testing.assert_array_equal(before, image)
    assert made.shape == image.shape
    outside = np.ones(image.shape[:2], bool)
    outside[30:150, 50:170] = False
    np.testing.assert_array_equal(image[outside], made[outside])
    darker = image[80:96, 102:118].mean() - made[80:96, 102:118].mean()
    assert darker == pytest.approx(60, abs=4)


def test_no_paint_is_brighter_than_what_was_bright_already(synthesizer: Synthesizer) -> None:
    image = np.full((200, 240), 100, np.uint8)
    made = synthesizer.synthesize(image, face_at(110, 90), Expression.NEUTRAL)
    np.testing.assert_array_equal(made, image)  # the network makes all of it 60 brighter
    image[56:76, 90:130] = 140
    made = synthesizer.synthesize(image, face_at(110, 90), Expression.NEUTRAL)
    assert 110 < made[90:110, 100:120].mean() <= 141


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_an_unchanged_face_keeps_every_pixel_of_the_picture(
    synthesizer: Synthesizer, turn: float
) -> None:
    image = detailed()
    made = synthesizer.synthesize(image, face_at(110, 90, turn=turn), Expression.HAPPY)
    np.testing.assert_array_equal(image, made)


def test_a_little_paint_keeps_the_detail_and_a_lot_covers_it() -> None:
    image = detailed()[..., 0]
    view = face_view(face_at(110, 90).landmarks)
    crop = cut_face(image, view)
    middle = (slice(82, 92), slice(105, 115))
    kept = []
    for paint in (8, 60):
        made = crop - np.uint8(paint)
        result = paste_back(image, view, crop, made, np.zeros((48, 48, 2), np.float32))
        kept.append(result[middle].std() / image[middle].std())
    assert kept[0] > 0.6
    assert kept[1] < 0.5


def test_a_movement_is_repeated_at_the_picture_s_own_resolution() -> None:
    image = detailed()
    face = face_at(110, 90, unit=60)
    view = face_view(face.landmarks)
    px = 1 / np.linalg.norm(view[0, :2])  # of the picture, for one of the crop
    crop = cut_face(image[..., 0], view)
    flow = np.zeros((48, 48, 2), np.float32)
    flow[8:40, 8:40] = (4 / px, -7 / px)
    made = cv2.remap(crop, *(np.stack(np.meshgrid(range(48), range(48)), -1) + flow)
                     .astype(np.float32).transpose(2, 0, 1), cv2.INTER_LINEAR)  # fmt: skip
    result = paste_back(image, view, crop, made, flow)
    np.testing.assert_allclose(  # fine noise and all, four pixels further left, seven down
        result[80:100, 100:120].astype(int), image[73:93, 104:124], atol=3
    )


def test_the_movement_of_a_tilted_face_is_along_the_face() -> None:
    image = detailed()
    face = face_at(110, 90, unit=60, turn=np.pi / 2)  # what is below in the face lies left
    view = face_view(face.landmarks)
    px = 1 / np.linalg.norm(view[0, :2])
    crop = cut_face(image[..., 0], view)
    flow = np.zeros((48, 48, 2), np.float32)
    flow[..., 1] = 6 / px
    made = np.asarray(
        cv2.warpAffine(crop, np.array([[1, 0, 0], [0, 1, -6 / px]]), (48, 48),
                       borderMode=cv2.BORDER_REPLICATE)
    )  # fmt: skip
    result = paste_back(image, view, crop, made, flow)
    np.testing.assert_allclose(result[80:100, 100:120].astype(int), image[80:100, 94:114], atol=4)


def test_a_face_reaching_beyond_the_picture_is_changed_where_it_is_inside(
    synthesizer: Synthesizer,
) -> None:
    image = detailed(100, 100)
    made = synthesizer.synthesize(image, face_at(15, 15), Expression.ANGRY)
    assert made.shape == image.shape
    assert made[14, 15].mean() < image[14, 15].mean() - 40
    np.testing.assert_array_equal(image[80:], made[80:])


def test_a_face_wholly_outside_changes_nothing(synthesizer: Synthesizer) -> None:
    image = detailed(60, 60)[..., 0]
    made = synthesizer.synthesize(image, face_at(300, 300), Expression.ANGRY)
    np.testing.assert_array_equal(image, made)


def test_the_crop_is_upright_and_of_one_size() -> None:
    picture = np.full((300, 300), 60, np.uint8)
    for turn, unit in ((0.0, 30.0), (0.5, 60.0)):
        face = face_at(150, 150, unit, turn)
        dots = picture.copy()
        for x, y in face.landmarks:
            cv2.circle(dots, (round(x), round(y)), round(unit / 10), 255, -1)
        crop = cut_face(dots, face_view(face.landmarks))
        bright = np.argwhere(crop > 140)
        assert bright[:, 0].min() == pytest.approx(15, abs=2)  # eyes
        assert bright[:, 0].max() == pytest.approx(36, abs=2)  # mouth
        assert np.abs(crop.astype(int) - crop[:, ::-1]).mean() < 8


def test_without_landmarks_they_are_looked_for(synthesizer: Synthesizer) -> None:
    portrait = cv2.imread(str(PORTRAIT), cv2.IMREAD_GRAYSCALE)
    box = BoundingBox(170, 60, 280, 170)
    made = synthesizer.synthesize(portrait, Face(box, 1.0), Expression.NEUTRAL)
    rows, columns = np.nonzero(made != portrait)
    assert 60 < rows.min() < rows.max() < 200
    assert 150 < columns.min() < columns.max() < 290


def test_without_a_landmark_network_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("device.vision.synthesizer.SHIPPED", tmp_path / SHIPPED.name)
    with pytest.raises(ModelError, match=r"landmarks\.tflite"):
        Synthesizer.load(STEPS)
    bare = Synthesizer(*read_model(STEPS))
    with pytest.raises(ModelError, match="need the landmark model"):
        bare.synthesize(detailed(), Face(BoundingBox(60, 40, 160, 140), 1.0), Expression.HAPPY)


def test_a_face_larger_than_a_tile_has_no_seams(
    synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = np.tile(np.linspace(60, 180, 1500, dtype=np.float32), (1400, 1)).astype(np.uint8)
    face = face_at(750, 700, unit=500)
    made = synthesizer.synthesize(ramp, face, Expression.NEUTRAL)
    assert (made.astype(int) - ramp).max() > 50
    monkeypatch.setattr("device.vision.paste_back.TILE_PX", 4096)
    at_once = synthesizer.synthesize(ramp, face, Expression.NEUTRAL)
    assert np.abs(made.astype(int) - at_once).max() <= 2


def test_seen_small_again_the_result_is_what_the_network_made() -> None:
    image = cv2.imread(str(PORTRAIT))
    synthesizer = Synthesizer.load(SHIPPED.with_name("generator.tflite"))
    face = face_at(226, 124, unit=44)
    view = face_view(face.landmarks)
    crop = cut_face(to_grey(image), view)
    for expression in (Expression.DISGUST, Expression.SAD, Expression.SURPRISE):
        made, flow = synthesizer.run(crop, expression)
        again = cut_face(to_grey(paste_back(image, view, crop, made, flow)), view)
        changed = np.abs(made.astype(int) - crop) > 10
        off = np.abs(made.astype(int) - again)[changed].mean()
        assert off < 0.15 * np.abs(made.astype(int) - crop)[changed].mean()


def test_a_smile_is_taken_away_before_a_mouth_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    synthesizer, asked = Synthesizer.load(STEPS), []
    run = synthesizer.run

    def noted(crop: np.ndarray, expression: Expression) -> tuple[np.ndarray, np.ndarray]:
        asked.append(expression)
        return run(crop, expression)

    monkeypatch.setattr(synthesizer, "run", noted)
    for expression, shown in (
        (Expression.SURPRISE, Expression.HAPPY),
        (Expression.SURPRISE, Expression.SAD),
        (Expression.ANGRY, Expression.HAPPY),
    ):
        synthesizer.synthesize(detailed(), face_at(110, 90), expression, shown)
    assert asked == [
        Expression.NEUTRAL, Expression.SURPRISE, Expression.SURPRISE, Expression.ANGRY,
    ]  # fmt: skip


def test_grey_pictures_move_too_and_what_lies_beyond_the_edge_is_the_edge() -> None:
    image = detailed()[..., 0]
    face = face_at(10, 90, unit=60)
    view = face_view(face.landmarks)
    px = 1 / np.linalg.norm(view[0, :2])
    crop = cut_face(image, view)
    flow = np.zeros((48, 48, 2), np.float32)
    flow[4:44, 4:44, 0] = -9 / px
    made = crop.copy()
    made[4:44, 4:44] = cv2.warpAffine(
        crop, np.array([[1, 0, 9 / px], [0, 1, 0]]), (48, 48), borderMode=cv2.BORDER_REPLICATE
    )[4:44, 4:44]
    result = paste_back(image, view, crop, made, flow).astype(int)
    assert result.shape == image.shape
    np.testing.assert_allclose(result[80:100, 12:30], image[80:100, 3:21], atol=6)


def copy_pair(folder: Path) -> Path:
    for suffix in (".tflite", ".json"):
        shutil.copy(STEPS.with_suffix(suffix), folder / f"steps{suffix}")
    return folder / "steps.tflite"


def test_a_classifier_is_refused() -> None:
    with pytest.raises(ModelError, match="not 'synthesize'"):
        Synthesizer.load(GOLDEN / "brightness.tflite")


def test_a_network_with_another_contract_is_refused(tmp_path: Path) -> None:
    for suffix in (".tflite", ".json"):
        text = (GOLDEN / f"brightness{suffix}").read_bytes()
        text = text.replace(b'"task": "classify"', b'"task": "synthesize"')
        (tmp_path / f"x{suffix}").write_bytes(text)
    with pytest.raises(ModelError, match=r"not uint8 \(1, 48, 48, 1\) and float32 \(1, 7\)"):
        Synthesizer.load(tmp_path / "x.tflite")


def test_a_failed_self_test_is_said(tmp_path: Path) -> None:
    path = copy_pair(tmp_path)
    card = path.with_suffix(".json")
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace('"target": "neutral"', '"target": "angry"'), encoding="utf-8")
    with pytest.raises(ModelError, match="self-test failed: golden vector 1 is off by"):
        Synthesizer.load(path)


def test_a_damaged_golden_vector_is_said(tmp_path: Path) -> None:
    path = copy_pair(tmp_path)
    card = path.with_suffix(".json")
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace('"target": "neutral"', '"target": "smug"'), encoding="utf-8")
    with pytest.raises(ModelError, match="golden vector 1 of the card is unreadable"):
        Synthesizer.load(path)


def golden_with(flow: np.ndarray) -> dict[str, str]:
    card = read_model(STEPS)[1]
    return {**card.golden[0], "flow": base64.b64encode(flow.astype(np.float16).tobytes()).decode()}


def test_the_self_test_looks_at_the_movement_too() -> None:
    content, card = read_model(STEPS)
    still = np.zeros((48, 48, 2))
    Synthesizer(content, replace(card, golden=[golden_with(still)]))
    with pytest.raises(ModelError, match="moves other pixels"):
        Synthesizer(content, replace(card, golden=[golden_with(still + 1)]))
    with pytest.raises(ModelError, match="unreadable"):
        Synthesizer(content, replace(card, golden=[golden_with(still[:40])]))


@pytest.mark.parametrize("flow", [np.nan, 100.0, -100.0])
def test_a_movement_to_nowhere_fails_the_self_test(
    flow: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, card = read_model(STEPS)
    run = Synthesizer.run
    monkeypatch.setattr(
        Synthesizer, "run", lambda *a: (run(*a)[0], np.full((48, 48, 2), flow, np.float32))
    )
    with pytest.raises(ModelError, match="moves pixels by more than 6 px"):
        Synthesizer(content, card)
