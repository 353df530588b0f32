"""Batch normalization as one kernel, which is a quarter of a training step on a CPU.

Keras computes the batch's mean and variance and applies them in several passes over memory.
TensorFlow has one kernel for it, also in bfloat16; other backends and inference use Keras'
own way. The weights are the same, so a model can be rebuilt with either.
"""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="mien")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """``BatchNormalization`` over the last of four axes, fused where TensorFlow is the backend."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalizes (batch, height, width, channels)."""
        fused = training and self.trainable and keras.backend.backend() == "tensorflow"
        if not fused:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf  # only here: the other backends need none

        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=tf.zeros([0]),  # unused while training
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return outputs
