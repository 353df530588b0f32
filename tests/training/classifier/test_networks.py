from __future__ import annotations

import keras
import numpy as np
import pytest

from training.classifier.networks import HEADS, NETWORKS, build, count_macs
from training.classifier.normalization import FusedBatchNormalization


@pytest.mark.parametrize(
    ("name", "most_weights", "most_mmacs"),
    [
        ("expression", 1_450_000, 150),
        ("expression-light", 1_450_000, 80),
        ("expression-tiny", 72_000, 9),
        ("mini-xception", 70_000, 8),
        ("paper", 420_000, 12),
    ],
)
def test_every_network_answers_with_two_heads_within_its_budget(
    name: str, most_weights: int, most_mmacs: float
) -> None:
    model = build(name)
    logits = model(np.zeros((2, 48, 48, 1), np.float32))
    assert {head: tuple(value.shape) for head, value in logits.items()} == dict.fromkeys(
        HEADS, (2, 7)
    )
    assert 10_000 < model.count_params() <= most_weights
    assert 1 < count_macs(model) / 1e6 <= most_mmacs


def test_all_networks_of_the_command_line_can_be_built() -> None:
    from training.classifier.train import NETWORK_NAMES

    assert set(NETWORK_NAMES) == set(NETWORKS)


def test_macs_are_counted_by_hand() -> None:
    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    x = keras.layers.Dense(7)(keras.layers.Flatten()(x))
    assert count_macs(keras.Model(inputs, x)) == 24 * 24 * 9 * 4 + 24 * 24 * 4 * 7


def test_fused_normalization_is_batch_normalization() -> None:
    x = np.random.default_rng(0).normal(3, 2, (8, 5, 5, 6)).astype(np.float32)
    fused, plain = FusedBatchNormalization(momentum=0.9), keras.layers.BatchNormalization()
    plain.momentum = 0.9
    np.testing.assert_allclose(fused(x, training=True), plain(x, training=True), atol=1e-3)
    np.testing.assert_allclose(fused.moving_mean, plain.moving_mean, atol=1e-4)
    # One divides by n - 1, the other by n.
    np.testing.assert_allclose(fused.moving_variance, plain.moving_variance, rtol=1e-2)
    np.testing.assert_allclose(fused(x, training=False), plain(x, training=False), atol=2e-2)
