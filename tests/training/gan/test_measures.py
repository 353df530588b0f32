import cv2
import numpy as np
import pytest

from training.gan import measures


@pytest.fixture
def faces() -> np.ndarray:
    random = np.random.default_rng(4)
    rough = random.integers(0, 256, (40, 8, 8)).astype(np.uint8)
    return np.stack([cv2.resize(f, (48, 48), interpolation=cv2.INTER_CUBIC) for f in rough])


def test_ssim_is_one_for_the_same_and_falls_with_noise(faces: np.ndarray) -> None:
    random = np.random.default_rng(1)
    assert measures.structural_similarity(faces, faces) == pytest.approx(1)
    a_little, much = (
        np.clip(faces + random.normal(0, level, faces.shape), 0, 255).astype(np.uint8)
        for level in (5, 40)
    )
    little = measures.structural_similarity(faces, a_little).mean()
    lot = measures.structural_similarity(faces, much).mean()
    assert 1 > little > lot > 0


def test_ssim_of_flat_pictures_is_the_formula_s() -> None:
    a, b = np.full((1, 48, 48), 100, np.uint8), np.full((1, 48, 48), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert measures.structural_similarity(a, b)[0] == pytest.approx(expected)


def test_mean_absolute_error_is_a_share_of_the_range(faces: np.ndarray) -> None:
    dark, bright = np.zeros_like(faces), np.full_like(faces, 51)
    assert measures.mean_absolute_error(dark, bright) == pytest.approx(0.2)


def test_fid_of_shifted_features_is_the_squared_shift() -> None:
    features = np.random.default_rng(2).normal(size=(500, 6))
    shift = np.array([1.0, -2.0, 0, 0, 0.5, 0])
    assert measures.frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
    assert measures.frechet_distance(features, features + shift) == pytest.approx(5.25)


def test_fid_of_spread_features_is_the_squared_difference_of_deviations() -> None:
    features = np.random.default_rng(2).normal(size=(4000, 3))
    features = (features - features.mean(0)) @ np.linalg.inv(
        np.linalg.cholesky(np.cov(features.T))
    ).T
    assert measures.frechet_distance(features, 3 * features) == pytest.approx(3 * (3 - 1) ** 2)


def test_kid_is_about_zero_for_one_set_and_positive_for_two() -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(size=(2, 400, 8))
    same, spread = measures.kernel_distance(a, b, random)
    other, _ = measures.kernel_distance(a, b + 1, random)
    assert abs(same) < 0.1
    assert other > 10 * max(abs(same), spread)


def test_diversity_is_zero_when_every_face_is_the_same(faces: np.ndarray) -> None:
    random = np.random.default_rng(5)
    assert measures.diversity(np.repeat(faces[:1], 40, axis=0), random) == pytest.approx(0)
    assert measures.diversity(faces, random) > 0.5


def test_identity_is_lost_when_the_faces_are_exchanged(faces: np.ndarray) -> None:
    random = np.random.default_rng(6)
    own, stranger, nearer = measures.identity_margin(faces, faces, random)
    assert own == pytest.approx(1)
    assert stranger < 0.5
    assert nearer == 1
    own, stranger, _ = measures.identity_margin(faces, np.roll(faces, 7, axis=0), random)
    assert own < 0.5


def test_only_the_part_above_the_mouth_counts_for_identity(faces: np.ndarray) -> None:
    changed = faces.copy()
    changed[:, 36:] = 0
    own, _, _ = measures.identity_margin(faces, changed, np.random.default_rng(7))
    assert own == pytest.approx(1)


def test_with_several_results_of_each_face_nobody_is_his_own_stranger(faces: np.ndarray) -> None:
    for seed in range(5):
        random = np.random.default_rng(seed)
        results = np.repeat(faces, 7, axis=0)
        own, stranger, nearer = measures.identity_margin(faces, results, random, kinds=7)
        assert own == pytest.approx(1)
        assert nearer == 1
        assert stranger < 0.5
