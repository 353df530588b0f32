"""What the players are driven by: closed forms, and that a few steps go the right way."""

import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.training.drawn import draw
from training.gan import fitting
from training.gan.faces import VotedFaces
from training.gan.guide import scale_pixels
from training.gan.losses import (
    one_hot,
    squared_gradient,
    structural_similarity,
    told_apart_of,
)
from training.gan.recipe import LOSSES, GanRecipe, StarGanLosses
from training.gan.translation import MEAN_DECAY, Translation

Build = Callable[..., Translation]
RECIPE = GanRecipe(
    steps=100, batch_size=7, guide_steps=1, precision="float32", width=12, blocks=1
)  # fmt: skip
STEPS = 3
KINDS = np.arange(7, dtype=np.int32)
ONLY = dict.fromkeys((f.name for f in fields(StarGanLosses) if f.name.startswith("lambda_")), 0.0)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    random = np.random.default_rng(8)
    return np.stack([draw(k, random)[..., None] for k in KINDS])


@pytest.fixture
def build(pixels: np.ndarray, guide: Path, tmp_path: Path) -> Build:
    def build(kind: str, **changes: object) -> Translation:
        if kind == "stargan":
            shutil.copy(guide, tmp_path)
        recipe = replace(RECIPE, kind=kind, losses=LOSSES[kind](), **changes)
        return fitting.build(recipe, VotedFaces(pixels, np.eye(7, dtype=np.float32)), tmp_path)

    return build


def linear(weights: np.ndarray) -> object:
    """A critic whose gradient is the same everywhere."""

    def ask(inputs: object, training: bool = False) -> list[tf.Tensor]:
        faces = inputs[0] if isinstance(inputs, list) else inputs
        return [tf.reduce_sum(faces * weights, axis=(1, 2, 3), keepdims=True)]

    return ask


def test_telling_apart_costs_little_where_it_is_right() -> None:
    right = [tf.constant([5.0, 5.0, -5.0, -5.0])]
    assert float(told_apart_of(right, 2)) == pytest.approx(2 * np.log1p(np.exp(-5)), rel=1e-4)
    wrong = [tf.constant([-5.0, -5.0, 5.0, 5.0])]
    assert float(told_apart_of(wrong, 2)) == pytest.approx(10, abs=0.1)
    for one_sided in ([5.0, 5.0, 5.0, 5.0], [-5.0] * 4):
        assert float(told_apart_of([tf.constant(one_sided)], 2)) == pytest.approx(5, abs=0.1)


def test_r1_of_a_linear_critic_is_half_its_squared_slope(pixels: np.ndarray) -> None:
    weights = np.random.default_rng(2).normal(size=(48, 48, 1)).astype(np.float32)
    real = tf.constant(pixels, tf.float32)
    expected = 0.5 * float((weights**2).sum())
    assert float(squared_gradient(linear(weights), real)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("norm", [0.0, 1.0, 3.0])
def test_wgan_s_penalty_is_the_squared_distance_of_the_slope_from_one(
    norm: float, pixels: np.ndarray, build: Build
) -> None:
    model = build("wgan")
    weights = np.full((48, 48, 1), norm / 48, np.float32)
    critic, model.__dict__["discriminator"] = model.discriminator, linear(weights)
    real = tf.constant(pixels / 127.5 - 1, tf.float32)
    found = float(model.gradient_penalty(real, -real, one_hot(KINDS)))
    model.__dict__["discriminator"] = critic
    assert found == pytest.approx((norm - 1) ** 2, abs=1e-3)


def test_the_mean_generator_follows_slowly_once_it_is_old(build: Build) -> None:
    model = build("cgan")
    mean, new = model.mean_generator.weights[0], model.generator.weights[0]
    for age, keep in ((0, 0.1), (1_000_000, MEAN_DECAY)):
        model.num_done.assign(age)
        mean.assign(np.zeros(mean.shape))
        new.assign(np.ones(new.shape))
        model.average_generator()
        np.testing.assert_allclose(mean, 1 - keep, rtol=1e-3)
        assert int(model.num_done) == age + 1


def opinion_of_fakes(model: Translation, pixels: np.ndarray, targets: np.ndarray) -> float:
    """The critic's mean opinion, as it stands, of what the generator makes."""
    to_target = one_hot(targets)
    # With the batch's statistics: a batch normalization's averages need more than a few steps.
    made = model.generator([scale_pixels(pixels), to_target], training=True)
    logits = model.discriminator([made, to_target])
    logits = logits[0] if isinstance(logits[0], list) else logits
    return float(np.mean([np.mean(scale) for scale in logits]))


@pytest.mark.parametrize("kind", LOSSES)
def test_a_generator_learns_to_please_the_critic(
    kind: str, pixels: np.ndarray, build: Build
) -> None:
    model = build(kind, learning_rate=2e-3, critic_rate=1e-9)
    if kind.startswith("stargan"):
        named = {f.name for f in fields(model.losses_of) if f.name.startswith("lambda_")}
        only = dict.fromkeys(named, 0.0) | {"lambda_adversarial": 1.0}
        model.losses_of = replace(model.losses_of, **only)
    targets = np.roll(KINDS, 1)
    before = opinion_of_fakes(model, pixels, targets)
    for _ in range(STEPS):
        model.train_step((pixels, KINDS, targets))
    assert opinion_of_fakes(model, pixels, targets) > before


@pytest.mark.parametrize("kind", LOSSES)
def test_a_critic_learns_to_tell_real_faces_from_made_ones(
    kind: str, pixels: np.ndarray, build: Build
) -> None:
    model = build(kind, learning_rate=1e-9, critic_rate=2e6)
    targets = np.roll(KINDS, 1)
    real = scale_pixels(pixels)
    fake = -real
    ways = (real, KINDS, targets) if kind.startswith("stargan") else (real, one_hot(KINDS))

    def step() -> dict[str, float]:
        if kind.startswith("stargan"):
            found = model.train_discriminator(*ways, fake)
        else:
            found = model.train_discriminator(*ways, fake, one_hot(targets))
        return {name: float(value) for name, value in found.items()}

    first = step()
    for _ in range(STEPS + 1):
        last = step()
    if kind == "wgan":
        assert last["distance"] > first["distance"]
    else:
        assert last["told_apart"] < first["told_apart"]


def test_the_way_back_becomes_more_alike(pixels: np.ndarray, build: Build) -> None:
    model = build("stargan", learning_rate=1e-3, critic_rate=1e-9)
    model.losses_of = replace(StarGanLosses(), **ONLY | {"lambda_similarity": 1.0})
    paint = model.generator.trainable_variables
    random = np.random.default_rng(4)
    for variable in paint:  # one that changes faces a lot, so that there is something to mend
        variable.assign_add(random.normal(0, 0.1, variable.shape))
    found = []
    for _ in range(2 * STEPS):
        for mean in model.means.values():
            mean.reset_state()
        found.append(float(model.train_step((pixels, KINDS, np.roll(KINDS, 1)))["similarity"]))
    assert np.mean(found[-2:]) > np.mean(found[:2])


def test_structural_similarity_is_tensorflows(pixels: np.ndarray) -> None:
    first = tf.constant(pixels, tf.float32) / 255.0
    noise = tf.random.stateless_normal(first.shape, (1, 2), stddev=0.1)
    for second in (first, first + noise, first[::-1], 1.0 - first):
        expected = tf.reduce_mean(tf.image.ssim(first, second, 1.0))
        np.testing.assert_allclose(structural_similarity(first, second), expected, atol=1e-4)
