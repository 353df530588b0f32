import keras
import numpy as np
import pytest
import tensorflow as tf

from training.gan.differentiable import augment, cover, move
from training.gan.discriminator import MOUTH, build_discriminator
from training.gan.faces import VotedFaces
from training.gan.generator import (
    MAX_FLOW_PX,
    MAX_PARAMETERS,
    ConditionalInstanceNorm,
    GeneratorSettings,
    Warp,
    build_generator,
    inner_of,
    two_sided,
    with_flow,
)
from training.gan.guide import build_guide, obscure, rarity_of
from training.gan.stargan import roughness_of

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


def test_the_plain_generator_draws_all_and_moves_nothing(faces: np.ndarray) -> None:
    plain = build_generator(GeneratorSettings(width=12, num_blocks=1, embedding=8, plain=True))
    target = np.eye(7, dtype=np.float32)[np.zeros(len(faces), int)]
    made, mask, flow = (np.asarray(part) for part in inner_of(plain)([faces, target]))
    assert made.shape == faces.shape
    assert (mask == 1).all()
    assert not flow.any()
    mirrored = np.asarray(two_sided(plain)([faces[:, :, ::-1], target]))
    np.testing.assert_allclose(
        mirrored[:, :, ::-1], np.asarray(two_sided(plain)([faces, target])), atol=1e-5
    )
    kinds = {type(layer).__name__ for layer in plain.layers}
    assert {"Conv2DTranspose", "ConditionalBatchNorm"} <= kinds
    assert "Warp" not in kinds


def test_mask_and_flow_are_the_generator_s_own(faces: np.ndarray) -> None:
    generator = build_generator(TINY)
    made, mask, flow = inner_of(generator)([faces, np.eye(7, dtype=np.float32)])
    np.testing.assert_allclose(made, generator([faces, np.eye(7, dtype=np.float32)]), atol=1e-6)
    assert mask.shape == faces.shape
    assert flow.shape == (7, 48, 48, 2)
    assert np.asarray(mask).min() >= 0
    assert 0.1 < np.asarray(mask).max() < 1


def test_nothing_changes_at_the_border(faces: np.ndarray) -> None:
    generator = build_generator(TINY)
    move = generator.get_layer("move")
    move.kernel.assign(np.random.default_rng(3).normal(0, 0.2, move.kernel.shape))
    made, mask, flow = map(np.asarray, inner_of(generator)([faces, np.eye(7, dtype=np.float32)]))
    assert 1 < np.abs(flow).max() <= MAX_FLOW_PX
    for edge in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
        assert not mask[edge].any()
        assert not flow[edge].any()
        np.testing.assert_allclose(made[edge], faces[edge], atol=1e-6)


def test_both_sides_of_a_face_are_treated_alike(faces: np.ndarray) -> None:
    generator = build_generator(TINY)
    move = generator.get_layer("move")
    move.kernel.assign(np.random.default_rng(3).normal(0, 0.05, move.kernel.shape))
    both, targets = two_sided(generator), np.eye(7, dtype=np.float32)
    made, flow = map(np.asarray, with_flow(both)([faces, targets]))
    turned, back = map(np.asarray, with_flow(both)([faces[:, :, ::-1], targets]))
    np.testing.assert_allclose(turned, made[:, :, ::-1], atol=1e-4)
    np.testing.assert_allclose(back, flow[:, :, ::-1] * (-1, 1), atol=1e-4)
    assert both.count_params() == generator.count_params()


def test_a_flow_is_rough_where_neighbours_move_differently() -> None:
    flow = np.full((2, 48, 48, 2), 3, np.float32)
    assert float(roughness_of(tf.constant(flow))) == 0
    flow[..., 0] += 0.5 * np.arange(48)
    assert float(roughness_of(tf.constant(flow))) == pytest.approx(0.25)


def test_rarity_counts_from_a_seventh_of_the_faces() -> None:
    shares = np.eye(7, dtype=np.float32)[[0] * 10 + [1] + [3] * 70 + [2, 4, 5, 6] * 3]
    rarity = rarity_of(VotedFaces(np.zeros((len(shares), 48, 48, 1), np.uint8), shares))
    assert rarity[1] == pytest.approx(np.log(len(shares) / 7))
    assert rarity[3] == 0
    assert rarity[1] > rarity[2] > rarity[0] > 0


def test_a_guide_sees_each_face_with_noise_of_its_own(faces: np.ndarray) -> None:
    flat = tf.zeros((16, 48, 48, 1))
    seen = np.asarray(obscure(flat, keras.random.SeedGenerator(4)))
    spreads = seen.std(axis=(1, 2, 3))
    assert spreads.max() < 0.6
    assert spreads.max() > 2 * spreads.min() > 0


def test_the_flow_says_where_a_pixel_s_content_lay(faces: np.ndarray) -> None:
    flow = np.zeros((7, 48, 48, 2), np.float32)
    flow[..., 0], flow[..., 1] = 3, -2
    moved = np.asarray(Warp()([faces, flow]))
    np.testing.assert_allclose(moved[:, 2:, :-3], faces[:, :-2, 3:], atol=1e-6)
    np.testing.assert_allclose(moved[:, 2:, -3:], faces[:, :-2, [-1] * 3], atol=1e-6)
    flow[..., 0] = 2.5
    half = (faces[:, :-2, 2:-1] + faces[:, :-2, 3:]) / 2
    np.testing.assert_allclose(np.asarray(Warp()([faces, flow]))[:, 2:, :-3], half, atol=1e-6)


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


def test_the_discriminator_judges_at_two_scales_and_the_mouth(faces: np.ndarray) -> None:
    one = np.eye(7, dtype=np.float32)
    sources, domains = build_discriminator()([faces, one])
    sides = [(s.shape[1], s.shape[2]) for s in sources]
    assert sides == [(12, 12), (3, 3), (6, 6), (3, 3), (3, 4)]
    assert [d.shape for d in domains] == [(7, 7), (7, 7)]


def test_only_the_mouth_is_asked_whether_it_fits_the_expression(faces: np.ndarray) -> None:
    network = build_discriminator()
    one, other = np.eye(7, dtype=np.float32), np.roll(np.eye(7, dtype=np.float32), 1, axis=0)
    changes = [
        np.abs(np.asarray(a) - np.asarray(b)).max()
        for a, b in zip(network([faces, one])[0], network([faces, other])[0], strict=True)
    ]
    assert changes[:4] == [0, 0, 0, 0]
    assert changes[4] > 1e-4
    above = faces.copy()
    above[:, : MOUTH[0].start] = 0  # what lies above is none of its business
    of_mouth = [np.asarray(network([seen, one])[0][4]) for seen in (faces, above)]
    np.testing.assert_array_equal(*of_mouth)


def test_a_conditional_discriminator_looks_at_the_expression(faces: np.ndarray) -> None:
    network = build_discriminator(conditional=True)
    one, other = np.eye(7, dtype=np.float32), np.roll(np.eye(7, dtype=np.float32), 1, axis=0)
    large = slice(1, None, 2)
    for a, b in zip(network([faces, one])[large], network([faces, other])[large], strict=True):
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
