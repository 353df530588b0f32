from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from device.errors import UsageError
from training.classifier.batches import Batches
from training.classifier.fitting import fit
from training.classifier.losses import DifferenceLoss, cross_entropy
from training.classifier.networks import build
from training.classifier.posed_pairs import NEUTRAL, find_pairs, with_difference
from training.classifier.recipe import Recipe, targets_of
from training.data.extended import POSES_A_FACE
from training.data.fer2013 import Pictures, Split
from training.data.posed import POSES
from training.runs import read_history

LABELS = (0, 1, 2, 3, 4, NEUTRAL)
pytestmark = pytest.mark.usefixtures("untraced")


def pictures_with_posed(num_faces: int = 3, num_others: int = 8) -> Pictures:
    """Others, then posed faces as ``add-posed`` writes them; a face's pictures have its grey."""
    total = num_others + num_faces * len(LABELS)
    grey = [200] * num_others + [10 * (1 + n // len(LABELS)) for n in range(total - num_others)]
    names = [f"row {n}" for n in range(num_others)]
    names += [f"posed row {n}" for n in range(num_others, total)]
    labels = np.array([3] * num_others + list(LABELS) * num_faces)
    votes = np.zeros((total, 10), np.int64)
    votes[:, 0] = 10
    pixels = np.broadcast_to(np.array(grey, np.uint8)[:, None, None], (total, 48, 48)).copy()
    return Pictures(pixels, labels, np.full(total, Split.TRAIN), votes, np.array(names))


def test_a_face_is_written_in_as_many_rows_as_are_read() -> None:
    assert len(POSES) == POSES_A_FACE
    assert list(POSES)[-1] == "neutral"


def test_each_posed_face_stands_beside_itself_at_rest() -> None:
    pictures = pictures_with_posed()
    posed, rest = find_pairs(pictures)
    assert len(posed) == 3 * 5
    assert set(pictures.labels[rest]) == {NEUTRAL}
    assert (pictures.pixels[posed] == pictures.pixels[rest]).all()


def test_a_face_whose_rest_was_dropped_is_no_pair() -> None:
    pictures = pictures_with_posed()
    first_rest = 8 + len(LABELS) - 1
    posed, rest = find_pairs(pictures.subset(np.arange(len(pictures)) != first_rest))
    assert len(posed) == 2 * 5
    assert first_rest not in rest


def test_a_batch_ends_with_rests_and_their_poses() -> None:
    pictures = pictures_with_posed()
    recipe = Recipe(batch_size=4, posed_pairs=3, p_mixup=0.5)
    batches = Batches(pictures, targets_of(pictures, recipe), recipe)
    assert len(batches) == 2
    for pixels, targets in batches.of_epoch(0):
        assert pixels.shape == (4 + 6, 48, 48, 1)
        assert not targets["fer2013"][4:].any()
        assert targets["crowd"][:7, -1].tolist() == [0] * 7
        assert targets["crowd"][7:, -1].tolist() == [1.5] * 3
        assert targets["crowd"][7:, -2].tolist() == [4, 5, 6]


def test_a_teacher_answers_about_rests_and_poses_too() -> None:
    pictures = pictures_with_posed()
    recipe = Recipe(batch_size=4, posed_pairs=3, view_share=1.0)
    happy = np.eye(7, dtype=np.float32)[3]
    asked = []

    def teacher(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        asked.append(len(pixels))
        return np.tile(happy, (len(pixels), 1))

    batches = Batches(pictures, targets_of(pictures, recipe), recipe, {"crowd": teacher})
    _, targets = next(batches.of_epoch(0))
    assert asked == [4, 6]
    assert (targets["crowd"][:, :7] == happy).all()
    assert not (targets["crowd"][7:, 7:14] == happy).all()  # the difference is what was posed


def test_kept_statistics_are_those_of_the_start(tmp_path: Path) -> None:
    pictures = pictures_with_posed(num_faces=4)
    both = replace(pictures, splits=np.where(np.arange(len(pictures)) % 8, 0, 1))
    recipe = Recipe(network="mini-xception", epochs=1, batch_size=4, posed_pairs=2,
                    precision="float32", average_decay=0.0, average_every=1)  # fmt: skip
    moved = {}
    for kept in (False, True):
        own = replace(recipe, keep_statistics=kept)
        run = tmp_path / str(kept)
        run.mkdir()
        model = fit(run, both, own, resume=False, say=lambda line: None)
        keras.utils.set_random_seed(recipe.seed)
        start = build(recipe.network)
        moved[kept] = {
            type(layer).__name__
            for layer, before in zip(model.layers, start.layers, strict=True)
            if any(
                (a != b).any()
                for a, b in zip(layer.get_weights(), before.get_weights(), strict=True)
            )
        }
    assert moved[False] - moved[True] == {"FusedBatchNormalization"}
    assert moved[True]


def test_without_posed_faces_pairs_are_refused() -> None:
    pictures = pictures_with_posed(num_faces=0)
    recipe = Recipe(batch_size=4, posed_pairs=3)
    with pytest.raises(
        UsageError, match=r"--posed-pairs 3: .* 0 posed faces; `training add-posed`"
    ):
        Batches(pictures, targets_of(pictures, recipe), recipe)


def test_pairs_are_not_shared_by_replicas(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--strategy"):
        fit(
            tmp_path,
            pictures_with_posed(),
            Recipe(posed_pairs=2),
            resume=False,
            strategy="mirrored",
        )


def test_the_loss_counts_a_row_and_its_difference() -> None:
    own = np.eye(7, dtype=np.float32)[[NEUTRAL, NEUTRAL]]
    targets = with_difference(own, np.array([0]), smoothing=0.0, weight=2.0)
    rest, anger = np.zeros(7, np.float32), np.zeros(7, np.float32)
    rest[NEUTRAL], anger[NEUTRAL], anger[0] = 5.0, 5.0, 4.0
    loss = DifferenceLoss(reduction=None)
    clear = np.asarray(loss(targets, np.stack([rest, anger])))
    blind = np.asarray(loss(targets, np.stack([rest, rest])))
    plain = keras.losses.CategoricalCrossentropy(from_logits=True, reduction=None)
    alone = np.asarray(plain(own, np.stack([rest, anger])))
    assert clear[0] == pytest.approx(alone[0])
    assert clear[1] > alone[1]
    apart = np.log(np.exp([4.0, *[0.0] * 5, 1.0]).sum()) - 4.0
    assert clear[1] == pytest.approx(alone[1] + 2 * apart, rel=1e-5)
    assert blind[1] - blind[0] > clear[1] - alone[1]


def test_rows_without_a_label_move_nothing() -> None:
    tf = pytest.importorskip("tensorflow")
    logits = tf.Variable([[1.0, 0, 0, 0, 0, 0, 0], [0.0, 2, 0, 0, 0, 0, 0]])
    targets = np.eye(7, dtype=np.float32)[[0, 0]] * np.array([[0], [1]], np.float32)
    with tf.GradientTape() as tape:
        loss = cross_entropy(targets, logits)
    gradient = tape.gradient(loss, logits).numpy()
    assert not gradient[0].any()
    assert gradient[1, 0] < 0 < gradient[1, 1]


def test_training_with_pairs_learns_the_difference(tmp_path: Path) -> None:
    pictures = pictures_with_posed(num_faces=4)
    both = replace(pictures, splits=np.where(np.arange(len(pictures)) % 8, 0, 1))
    recipe = Recipe(network="mini-xception", epochs=1, batch_size=4, posed_pairs=2,
                    precision="float32", average_every=1)  # fmt: skip
    fit(tmp_path, both, recipe, resume=False, say=lambda line: None)
    assert read_history(tmp_path)[0]["crowd_loss"] > 0
