"""``training cgan``: the first baseline, a conditional GAN alone.

Mirza and Osindero, 2014, with the projection discriminator of Miyato and Koyama, 2018. The same
generator, faces, augmentation and penalty as StarGAN's; what it lacks is StarGAN's point: the
domain heads and the way back.
"""

from __future__ import annotations

import tensorflow as tf
from keras import ops

from training.gan.differentiable import vary
from training.gan.discriminator import build_discriminator
from training.gan.guide import scale_pixels
from training.gan.losses import (
    lazily,
    mean_over_scales,
    one_hot,
    squared_gradient,
    told_apart_of,
    update,
)
from training.gan.recipe import CganLosses
from training.gan.translation import Translation


class Cgan(Translation):
    """A generator and a discriminator that knows which expression it was promised."""

    loss_names = ("adversarial", "change", "told_apart", "penalty")

    def __init__(self, losses: CganLosses | None = None, **options) -> None:
        dtype = options.get("dtype", "float32")
        super().__init__(build_discriminator(dtype, conditional=True), **options)
        self.losses_of = losses or CganLosses()

    def train_step(self, data):
        """One step of each player on ``(faces, sources, targets)``, as in ``StarGan``."""
        faces, sources, targets = data
        # 1. Pixels to -1..1, classes to one-hot.
        real = scale_pixels(faces)
        to_target, shown = one_hot(targets), one_hot(sources)
        with tf.GradientTape() as generator_tape:
            # 2. One fake serves both players.
            fake = self.generator([real, to_target], training=True)
            # 3. The discriminator's turn: real with what it shows against fake with what was asked.
            with generator_tape.stop_recording():
                critic = self.train_discriminator(real, shown, ops.stop_gradient(fake), to_target)
            # 4. The generator's turn: pass for a real face that shows the target.
            source_logits = self.discriminator([vary(fake, self.seed), to_target])
            adversarial = mean_over_scales([ops.mean(ops.softplus(-s)) for s in source_logits])
            loss = adversarial + self.guided(fake, targets)
        update(self.generator_optimizer, generator_tape, loss, self.generator.trainable_variables)
        # 5. The running mean.
        self.average_generator()
        change = ops.mean(ops.abs(fake - real))
        return self.mean_losses(adversarial=adversarial, change=change, **critic)

    def train_discriminator(self, real, shown, fake, to_target):
        """The discriminator's half of a step; returns its losses by name."""
        weights = self.losses_of
        with tf.GradientTape() as tape:
            both = vary(ops.concatenate([real, fake]), self.seed)
            domains = ops.concatenate([shown, to_target])
            source_logits = self.discriminator([both, domains], training=True)
            n = ops.shape(real)[0]
            told_apart = told_apart_of(source_logits, n)

            def ask(faces):
                return self.discriminator([faces, shown], training=True)

            penalty = lazily(squared_gradient, ask, real, self.num_done, weights.penalty_interval)
            loss = told_apart + weights.lambda_penalty * penalty
        variables = self.discriminator.trainable_variables
        update(self.discriminator_optimizer, tape, loss, variables)
        return {"told_apart": told_apart, "penalty": penalty}
