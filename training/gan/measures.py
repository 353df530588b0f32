"""Measures of translated faces, all in numpy on uint8 pictures or on features.

Faces are (N, 48, 48) uint8 here, features (N, D) float.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import scipy.linalg

Pictures = npt.NDArray[np.uint8]
Features = npt.NDArray[np.floating]

SSIM_SIGMA = 1.5  # of the Gaussian window (Wang et al., 2004)
UPPER_SHARE = 0.55  # rows of a FER2013 crop above the mouth: forehead, eyes, most of the nose
KID_SUBSET = 500


def structural_similarity(a: Pictures, b: Pictures) -> npt.NDArray[np.float64]:
    """SSIM (N,) of two stacks (N, H, W), Gaussian window of 11 px (Wang et al., 2004)."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def blur(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.stack([cv2.GaussianBlur(p, (11, 11), SSIM_SIGMA) for p in x])

    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    both = blur(x * y) - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + c1) * (2 * both + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )
    return np.asarray(similarity[:, 5:-5, 5:-5].mean(axis=(1, 2)))


def upper_faces(faces: Pictures) -> Pictures:
    """The part of each face that an expression changes least."""
    return faces[:, : round(faces.shape[1] * UPPER_SHARE)]


def mean_absolute_error(a: Pictures, b: Pictures) -> float:
    """Mean absolute difference in shares of the full range, 0 to 1."""
    return float(np.abs(a.astype(np.float64) - b).mean() / 255)


def frechet_distance(a: Features, b: Features) -> float:
    """FID (Heusel et al., 2017) of two sets of features."""
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # The trace of the root of cov_a·cov_b, by a symmetric product that stays real.
    root_a = _root(cov_a)
    values = np.linalg.eigvalsh(root_a @ cov_b @ root_a)
    trace = np.sqrt(np.clip(values, 0, None)).sum()
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * trace)


def _root(matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    values, vectors = scipy.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T)


def kernel_distance(
    a: Features, b: Features, chance: np.random.Generator, num_subsets: int = 20
) -> tuple[float, float]:
    """KID (Binkowski et al., 2018): unbiased squared MMD under a cubic kernel.

    Returns:
        Mean and standard deviation over random subsets of at most 500 and half of them.
    """
    size = max(min(KID_SUBSET, len(a) // 2, len(b) // 2), 2)
    values = []
    for _ in range(num_subsets):
        x = a[chance.choice(len(a), size, replace=False)]
        y = b[chance.choice(len(b), size, replace=False)]
        own = _cubic(x, x), _cubic(y, y)
        within = sum((k.sum() - np.trace(k)) / (size * (size - 1)) for k in own)
        values.append(within - 2 * _cubic(x, y).mean())
    return float(np.mean(values)), float(np.std(values))


def _cubic(x: Features, y: Features) -> npt.NDArray[np.float64]:
    return np.asarray((x.astype(np.float64) @ y.T / x.shape[1] + 1) ** 3)


def diversity(faces: Pictures, chance: np.random.Generator, num_pairs: int = 1000) -> float:
    """Mean ``1 - SSIM`` of random pairs: near 0 when every face became the same one."""
    first, second = chance.integers(0, len(faces), (2, num_pairs))
    different = first != second
    return float(
        1 - structural_similarity(faces[first[different]], faces[second[different]]).mean()
    )


def identity_margin(
    sources: Pictures, results: Pictures, chance: np.random.Generator, kinds: int = 1
) -> tuple[float, float, float]:
    """How much nearer a result's upper face is to its source's than to a stranger's.

    Args:
        sources: (N, 48, 48) before.
        results: (N * kinds, 48, 48) after, in the same order: all of a source's together.
        chance: deals the strangers.
        kinds: results of each source.

    Returns:
        Mean SSIM of the upper face to the own source, to strangers, and the share of
        results that are nearer to their source than to the stranger.
    """
    order = chance.permutation(len(sources))
    strangers = sources[np.roll(order, 1)][np.argsort(order)]  # nobody is his own stranger
    sources, strangers = (np.repeat(faces, kinds, axis=0) for faces in (sources, strangers))
    own = structural_similarity(upper_faces(sources), upper_faces(results))
    other = structural_similarity(upper_faces(strangers), upper_faces(results))
    return float(own.mean()), float(other.mean()), float((own > other).mean())
