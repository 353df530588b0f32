from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

import device
from device.errors import UsageError
from training.classifier.batches import Batches, mix_up
from training.classifier.recipe import (
    Recipe,
    crowd_targets,
    fer2013_targets,
    informed_labels,
    targets_of,
)
from training.classifier.train import add_arguments, recipe_of
from training.classifier.trained import load_view_teachers
from training.data.fer2013 import CROWD_ORDER, Pictures, read_pictures
from training.gan import command
from training.runs import read_recipe_file

MODELS = Path(device.__file__).parent / "models"


def picture_with(votes: list[int], label: int = 2) -> Pictures:
    row = np.zeros((1, 10), np.int64)
    row[0, list(CROWD_ORDER)] = votes
    return Pictures(np.zeros((1, 48, 48), np.uint8), np.array([label]), np.zeros(1, np.int64),
                    row, np.array(["row 0"]))  # fmt: skip


def test_labels_are_smoothed() -> None:
    targets = fer2013_targets(picture_with([0] * 7), 0.07)
    np.testing.assert_allclose(targets[0], [0.01, 0.01, 0.94, 0.01, 0.01, 0.01, 0.01], atol=1e-6)


def test_single_votes_are_slips_unless_there_is_nothing_else() -> None:
    np.testing.assert_allclose(
        crowd_targets(picture_with([6, 1, 0, 0, 2, 0, 0]), 0)[0], [0.75, 0, 0, 0, 0.25, 0, 0]
    )
    np.testing.assert_allclose(
        crowd_targets(picture_with([1, 0, 0, 0, 0, 0, 1]), 0)[0], [0.5, 0, 0, 0, 0, 0, 0.5]
    )


def test_without_votes_the_label_has_to_serve() -> None:
    targets = crowd_targets(picture_with([0] * 7, label=5), 0)
    assert targets[0].tolist() == [0, 0, 0, 0, 0, 1, 0]


def test_teacher_takes_its_share_of_the_crowd() -> None:
    pictures = picture_with([10, 0, 0, 0, 0, 0, 0], label=0)
    answers = {head: np.eye(7, dtype=np.float32)[[1]] for head in ("fer2013", "crowd")}
    recipe = replace(Recipe(), teacher_share=0.7, informed_share=0, label_smoothing=0)
    targets = targets_of(pictures, recipe, answers)
    np.testing.assert_allclose(targets["crowd"][0, :2], [0.3, 0.7], atol=1e-6)
    np.testing.assert_allclose(targets["fer2013"][0, :2], [1, 0], atol=1e-6)


def test_votes_and_a_teacher_say_how_likely_a_label_is() -> None:
    # Half of the pictures that all call happy are labelled sad, as no network could foresee.
    pictures = picture_with([0, 0, 0, 10, 0, 0, 0]).subset(np.zeros(40, np.int64))
    pictures = replace(pictures, labels=np.tile([3, 4], 20))
    informed = informed_labels(pictures)
    np.testing.assert_allclose(informed[:, 3:5], 0.5, atol=0.02)
    assert informed[:, :3].max() == 0
    right = {head: np.eye(7, dtype=np.float32)[pictures.labels] for head in ("fer2013", "crowd")}
    told = informed_labels(pictures, right)
    assert (told.argmax(axis=1) == pictures.labels).all()
    half = targets_of(pictures, replace(Recipe(), informed_share=0.5, label_smoothing=0))
    np.testing.assert_allclose(half["fer2013"][0, 3:5], [0.75, 0.25], atol=0.02)


def test_an_epoch_shows_every_picture_once_and_can_be_repeated(drawn: tuple[Path, Path]) -> None:
    pictures = read_pictures(*drawn)
    recipe = replace(Recipe(), batch_size=12)
    batches = Batches(pictures, targets_of(pictures, recipe), recipe)
    first, again = list(batches.of_epoch(3)), list(batches.of_epoch(3))
    other = list(batches.of_epoch(4))
    assert len(first) == len(batches) == len(pictures) // 12
    for (pixels, targets), (same, _) in zip(first, again, strict=True):
        assert pixels.shape == (12, 48, 48, 1)
        assert set(targets) == {"fer2013", "crowd"}
        np.testing.assert_array_equal(pixels, same)
    assert (first[0][0] != other[0][0]).any()
    shown = sum(targets["fer2013"].argmax(axis=1).tolist().count(3) for _, targets in first)
    assert shown == (pictures.labels == 3).sum()


def test_a_teacher_is_asked_about_every_varied_picture(drawn: tuple[Path, Path]) -> None:
    pictures = read_pictures(*drawn)
    recipe = replace(Recipe(), batch_size=12, view_share=0.75, label_smoothing=0)
    shown = []

    def teacher(varied: np.ndarray) -> np.ndarray:
        shown.append(varied)
        return np.eye(7, dtype=np.float32)[[6] * len(varied)]

    batches = Batches(pictures, targets_of(pictures, recipe), recipe, {"fer2013": teacher})
    for number, (pixels, targets) in enumerate(batches.of_epoch(0)):
        np.testing.assert_array_equal(pixels[..., 0], shown[number])
        assert (targets["fer2013"][:, 6] >= 0.75).all()
        np.testing.assert_allclose(targets["fer2013"].sum(axis=1), 1, atol=1e-6)
        assert (targets["crowd"][:, 6] < 0.75).any()


def test_a_picture_laid_over_another_has_both_their_targets() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (200, 48, 48), np.uint8)
    targets = {"crowd": np.eye(200, dtype=np.float32)}
    laid, both = mix_up(pixels, targets, 0.5, np.random.default_rng(1))
    weights = both["crowd"]
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    expected = np.einsum("ij,jhw->ihw", weights, pixels.astype(np.float32))
    np.testing.assert_allclose(laid, expected, atol=0.51)
    mixed = weights.max(axis=1) < 1
    assert 70 < mixed.sum() < 130
    np.testing.assert_array_equal(laid[~mixed], pixels[~mixed])
    own = weights[np.arange(200), np.arange(200)][mixed]
    assert own.min() < 0.1 < 0.4 < own.mean() < 0.6 < 0.9 < own.max()


def test_a_teacher_sees_laid_pictures_as_the_network_does(drawn: tuple[Path, Path]) -> None:
    pictures = read_pictures(*drawn)
    recipe = replace(Recipe(), batch_size=12, p_mixup=0.5, view_share=0.5, label_smoothing=0)
    shown = []

    def teacher(varied: np.ndarray) -> np.ndarray:
        shown.append(varied)
        return np.eye(7, dtype=np.float32)[[6] * len(varied)]

    batches = Batches(pictures, targets_of(pictures, recipe), recipe, {"crowd": teacher})
    again = list(batches.of_epoch(0))
    for number, (pixels, targets) in enumerate(batches.of_epoch(0)):
        np.testing.assert_array_equal(pixels, again[number][0])
        np.testing.assert_array_equal(pixels[..., 0], shown[number])
        assert (targets["crowd"][:, 6] >= 0.5).all()
    plain = Batches(pictures, batches.targets, replace(recipe, p_mixup=0.0), {})
    assert (next(iter(plain.of_epoch(0)))[0] != again[0][0]).any()


def test_shipped_pairs_teach_the_head_that_they_have(tmp_path: Path) -> None:
    paths = [str(MODELS / f"{name}.tflite") for name in ("expression", "expression-fer2013")]
    teachers = load_view_teachers(paths)
    answers = teachers["crowd"](np.zeros((3, 48, 48), np.uint8))
    assert set(teachers) == {"crowd", "fer2013"}
    assert answers.shape == (3, 7)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    tiny = str(MODELS / "expression-tiny.tflite")
    pixels = np.random.default_rng(1).integers(0, 256, (5, 48, 48), np.uint8)
    alone = [load_view_teachers([path])["crowd"](pixels) for path in (paths[0], tiny)]
    together = load_view_teachers([paths[0], tiny])["crowd"](pixels)
    np.testing.assert_allclose(together, (alone[0] + alone[1]) / 2, atol=1e-6)
    with pytest.raises(UsageError, match="none of the heads"):
        load_view_teachers([str(MODELS / "landmarks.tflite")])
    with pytest.raises(UsageError, match=r"no teacher: .*absent"):
        load_view_teachers([str(tmp_path / "absent.tflite")])


def test_a_recipe_is_taken_from_a_run_a_card_or_a_file(tmp_path: Path) -> None:
    recipe = replace(Recipe(), epochs=7, teacher="teacher", view_teachers=("pair.tflite",))
    forms = (asdict(recipe), {"recipe": asdict(recipe)}, {"run": {"recipe": asdict(recipe)}})
    for number, content in enumerate(forms):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(content))
        assert read_recipe_file(path) == recipe
    path.write_text('{"recipe": {"epochs": 7}}')
    with pytest.raises(UsageError, match="no classifier's recipe"):
        read_recipe_file(path)


def test_a_recipe_file_is_kept_whole_but_for_what_is_named(tmp_path: Path) -> None:
    recipe = replace(Recipe(), epochs=7, clean=False, relabel=True)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(asdict(recipe)))
    parser = argparse.ArgumentParser()
    add_arguments(parser.add_subparsers())
    words = ["classifier", "--recipe", str(path), "--epochs", "9"]
    assert recipe_of(parser.parse_args(words)) == replace(recipe, epochs=9)
    with pytest.raises(UsageError, match="not a run directory"):
        recipe_of(parser.parse_args([*words, "--teacher", str(tmp_path / "nobody")]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classifier", "--epochs", "0"], "--epochs 0: must be at least 1"),
        (["classifier", "--view-share", "1.5"], "--view-share 1.5: must be from 0 to 1"),
        (["classifier", "--learning-rate", "nan"], "--learning-rate nan: must be a finite number"),
        (["classifier", "--crowd-weight", "-1"], "--crowd-weight -1: must be at least 0"),
        (["stargan", "--steps", "0"], "--steps 0: must be at least 1"),
        (["stargan", "--lambda-mask", "-1"], "--lambda-mask -1: must be at least 0"),
        (["stargan", "--critic-rate", "0"], "--critic-rate 0: must be above 0"),
        (["wgan", "--critic-steps", "0"], "--critic-steps 0: must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused_before_a_run_is_made(
    words: list[str], message: str
) -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    add_arguments(commands)
    command.add_arguments(commands)
    make = recipe_of if words[0] == "classifier" else command.recipe_of
    with pytest.raises(UsageError, match=message):
        make(parser.parse_args(words))
