from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from training.classifier.checkpoint import load_checkpoint, save_checkpoint
from training.classifier.losses import cross_entropy
from training.classifier.networks import HEADS, build
from training.classifier.optimizer import compile_model, schedule_of
from training.classifier.recipe import Recipe

RECIPE = replace(Recipe(), network="expression-tiny", precision="float32", learning_rate=0.1)


def closed_form(step: int, peak: float, warmup: int, total: int) -> float:
    """What the networks that ship were trained with."""
    rise = (step + 1) / max(warmup, 1)
    progress = min(max((step - warmup) / max(total - warmup, 1), 0.0), 1.0)
    return peak * min(rise, 0.5 * (1 + np.cos(np.pi * progress)))


@pytest.mark.parametrize(
    ("epochs", "steps_per_epoch", "warmup_epochs"), [(48, 231, 1.5), (85, 209, 1.5), (70, 209, 0)]
)
def test_learning_rate_is_the_one_that_the_shipped_networks_had(
    epochs: int, steps_per_epoch: int, warmup_epochs: float
) -> None:
    warmup, total = int(warmup_epochs * steps_per_epoch), epochs * steps_per_epoch
    schedule = schedule_of(0.1, warmup, total)
    steps = sorted({*range(warmup + 2), *range(0, total, 97), total - 1, total})
    actual = [float(schedule(step)) for step in steps]
    expected = [closed_form(step, 0.1, warmup, total) for step in steps]
    np.testing.assert_allclose(actual[:warmup], expected[:warmup], rtol=1e-5)
    np.testing.assert_allclose(actual, expected, atol=0.1 * 1e-4)  # a step in ten thousand


@pytest.mark.parametrize("warmup", [0, 1, 2, 7, 30])
def test_learning_rate_rises_then_falls_to_nothing_in_short_trainings(warmup: int) -> None:
    rates = [float(schedule_of(0.2, warmup, 20)(step)) for step in range(31)]
    top = int(np.argmax(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert max(rates) == pytest.approx(0.2)
    if warmup < 20:
        assert rates[20] == pytest.approx(0.0, abs=1e-7)


class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Stands for the schedule that checkpoints of earlier versions were trained with."""

    def __call__(self, step: object) -> object:
        return 0.1 * keras.ops.minimum((keras.ops.cast(step, "float32") + 1.0) / 5.0, 1.0)


@pytest.mark.usefixtures("untraced")
def test_a_checkpoint_of_another_schedule_is_resumed(tmp_path: Path) -> None:
    before, after = build("expression-tiny"), build("expression-tiny")
    compile_model(before, RECIPE, steps_per_epoch=10)
    old = keras.optimizers.SGD(OwnSchedule(), momentum=0.9, nesterov=True, weight_decay=0.003)
    before.compile(old, loss=before.loss)
    pixels = np.random.default_rng(1).integers(0, 256, (8, 48, 48, 1)).astype(np.float32)
    before.train_on_batch(pixels, {head: np.eye(8, 7, dtype=np.float32) for head in HEADS})
    save_checkpoint(tmp_path, before, before.get_weights())
    compile_model(after, RECIPE, steps_per_epoch=10)
    load_checkpoint(tmp_path, after)
    assert int(after.optimizer.iterations) == 1
    for expected, actual in zip(before.optimizer.variables, after.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(expected), np.asarray(actual))


def test_only_kernels_decay() -> None:
    model = build("expression-tiny")
    recipe = replace(RECIPE, weight_decay=0.5, warmup_epochs=0)
    compile_model(model, recipe, steps_per_epoch=10)
    variables = model.trainable_variables
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    model.optimizer.apply([np.zeros(v.shape, np.float32) for v in variables], variables)
    for variable in variables:
        expected = 0.95 if variable.name == "kernel" else 1.0
        np.testing.assert_allclose(variable, expected, atol=1e-3, err_msg=variable.path)


def test_a_weighted_picture_pulls_as_its_weight_says() -> None:
    tf = pytest.importorskip("tensorflow")
    logits = tf.Variable(np.array([[1.0, -1.0, 0.5]], np.float32))
    target = np.array([[0.0, 1.0, 0.0]], np.float32)
    with tf.GradientTape() as tape:
        loss = cross_entropy(3 * target, logits)
    plain = keras.losses.categorical_crossentropy(target, logits, from_logits=True)
    np.testing.assert_allclose(loss, 3 * plain, rtol=1e-5)
    expected = 3 * (tf.nn.softmax(logits) - target)
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, rtol=1e-5)
