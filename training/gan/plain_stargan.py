"""``training stargan-plain``: StarGAN by its three losses alone, as the paper says it.

Adversarial, classification on real and fake faces, reconstruction; the plain generator. Critic,
faces, augmentation and steps are those of the others, so that the table compares the recipes.
"""

from __future__ import annotations

import tensorflow as tf
from keras import ops

from training.gan.differentiable import vary
from training.gan.discriminator import build_discriminator
from training.gan.guide import scale_pixels
from training.gan.losses import (
    cross_entropy,
    mean_over_scales,
    one_hot,
    update,
)
from training.gan.recipe import PlainStarGanLosses
from training.gan.stargan import StarGan
from training.gan.translation import Translation


class PlainStarGan(Translation):
    """A generator that draws the whole face, and a discriminator that also names expressions."""

    loss_names = ("adversarial", "domain", "reconstruction", "told_apart", "named", "penalty")

    def __init__(self, losses: PlainStarGanLosses | None = None, **options) -> None:
        super().__init__(build_discriminator(options.get("dtype", "float32")), **options)
        self.losses_of = losses or PlainStarGanLosses()

    def train_step(self, data):
        """One step of each player on ``(faces, sources, targets)``, as in ``StarGan``."""
        faces, sources, targets = data
        weights = self.losses_of
        real = scale_pixels(faces)
        to_target, to_source = one_hot(targets), one_hot(sources)
        with tf.GradientTape() as generator_tape:
            fake = self.generator([real, to_target], training=True)
            with generator_tape.stop_recording():
                critic = self.train_discriminator(real, sources, targets, ops.stop_gradient(fake))
            source_logits, domain_logits = self.discriminator([vary(fake, self.seed), to_target])
            adversarial = mean_over_scales([ops.mean(ops.softplus(-s)) for s in source_logits])
            domain = mean_over_scales([cross_entropy(targets, d) for d in domain_logits])
            back = self.generator([fake, to_source], training=True)
            reconstruction = ops.mean(ops.abs(back - real))
            loss = (
                weights.lambda_adversarial * adversarial
                + weights.lambda_domain * domain
                + weights.lambda_reconstruction * reconstruction
                + self.guided(fake, targets)
            )
        update(self.generator_optimizer, generator_tape, loss, self.generator.trainable_variables)
        self.average_generator()
        return self.mean_losses(
            adversarial=adversarial, domain=domain, reconstruction=reconstruction, **critic
        )

    train_discriminator = StarGan.train_discriminator  # the same critic, the same losses
