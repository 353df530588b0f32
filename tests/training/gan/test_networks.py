import keras
import numpy as np
import pytest
import tensorflow as tf

from training.gan.differentiable import augment, cover, move
from training.gan.discriminator import build_discriminator
from training.gan.generator import (
    MAX_PARAMETERS,
    ConditionalInstanceNorm,
    GeneratorSettings,
    attention_of,
    build_generator,
)
from training.gan.guide import build_guide

TINY = GeneratorSettings(width=12, num_blocks=1, embedding=8)


@pytest.fixture
def faces() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (7, 48, 48, 1)).astype(np.float32)


def test_the_shipped_size_stays_within_its_budget() -> None:
    assert build_generator().count_params() <= MAX_PARAMETERS
    with pytest.raises(ValueError, match="allowed: 1,300,000"):
        build_generator(GeneratorSettings(width=192))


def test_a_new_generator_hardly_changes_a_face(faces: np.ndarray) -> None:
    made = build_generator(TINY)([faces, np.eye(7, dtype=np.float32)])
    assert made.shape == faces.shape
    assert 0 < np.abs(np.asarray(made) - faces).mean() < 0.1


def test_the_mask_is_the_generator_s_own(faces: np.ndarray) -> None:
    generator = build_generator(TINY)
    made, mask = attention_of(generator)([faces, np.eye(7, dtype=np.float32)])
    np.testing.assert_allclose(made, generator([faces, np.eye(7, dtype=np.float32)]), atol=1e-6)
    assert mask.shape == faces.shape
    assert 0 < np.asarray(mask).min() <= np.asarray(mask).max() < 1


def test_the_norm_has_zero_mean_and_unit_spread_until_the_target_says_otherwise() -> None:
    norm = ConditionalInstanceNorm()
    features = np.random.default_rng(2).normal(5, 3, (2, 6, 6, 4)).astype(np.float32)
    embedding = np.array([[1, 0], [0, 1]], np.float32)
    plain = np.asarray(norm([features, embedding]))
    np.testing.assert_allclose(plain.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(plain.std(axis=(1, 2)), 1, atol=1e-3)
    norm.shift.bias.assign(np.full(4, 2.0))
    norm.scale.kernel.assign(np.array([[1.0] * 4, [0.0] * 4]))
    moved = np.asarray(norm([features, embedding]))
    np.testing.assert_allclose(moved[0], 2 * plain[0] + 2, atol=1e-5)
    np.testing.assert_allclose(moved[1], plain[1] + 2, atol=1e-5)


def test_the_discriminator_judges_at_two_scales(faces: np.ndarray) -> None:
    sources, domains = build_discriminator()(faces)
    assert [s.shape for s in sources] == [(7, 3, 3, 1), (7, 3, 3, 1)]
    assert [d.shape for d in domains] == [(7, 7), (7, 7)]


def test_a_conditional_discriminator_looks_at_the_expression(faces: np.ndarray) -> None:
    network = build_discriminator(conditional=True)
    one, other = np.eye(7, dtype=np.float32), np.roll(np.eye(7, dtype=np.float32), 1, axis=0)
    for a, b in zip(network([faces, one]), network([faces, other]), strict=True):
        assert np.abs(np.asarray(a) - np.asarray(b)).max() > 1e-4


def test_the_guide_gives_seven_logits(faces: np.ndarray) -> None:
    assert build_guide()(faces).shape == (7, 7)


def test_augmentation_varies_each_face_and_lets_gradients_through(faces: np.ndarray) -> None:
    seed = keras.random.SeedGenerator(1)
    same = tf.constant(np.repeat(faces[:1], 4, axis=0))
    with tf.GradientTape() as tape:
        tape.watch(same)
        varied = augment(same, seed)
        total = tf.reduce_sum(tf.square(varied))
    assert varied.shape == same.shape
    assert len({np.asarray(v).tobytes() for v in varied}) == 4
    assert float(tf.reduce_mean(tf.abs(tape.gradient(total, same)))) > 0
    np.testing.assert_array_equal(augment(same, seed, 0.0), same)


def test_mirroring_is_the_only_move_at_no_strength(faces: np.ndarray) -> None:
    moved = np.asarray(move(tf.constant(faces), keras.random.SeedGenerator(1), 0.0))
    mirrored = [np.allclose(m, f[:, ::-1], atol=1e-5) for m, f in zip(moved, faces, strict=True)]
    kept = [np.allclose(m, f, atol=1e-5) for m, f in zip(moved, faces, strict=True)]
    assert all(m or k for m, k in zip(mirrored, kept, strict=True))
    assert any(mirrored)
    assert any(kept)


def test_cover_hides_at_most_a_quarter_of_the_side() -> None:
    ones = tf.ones((64, 48, 48, 1))
    hidden = 1 - np.asarray(cover(ones, keras.random.SeedGenerator(2), 1.0))
    areas = hidden.sum(axis=(1, 2, 3))
    assert areas.max() <= 12 * 12
    assert 0.5 < (areas > 0).mean() < 0.95
