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
    lazily,
    mean_over_scales,
    one_hot,
    squared_gradient,
    told_apart_of,
    update,
)
from training.gan.recipe import PlainStarGanLosses
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

    def train_discriminator(self, real, sources, targets, fake):
        """The discriminator's half of a step; returns its losses by name."""
        weights = self.losses_of
        with tf.GradientTape() as tape:
            both = vary(ops.concatenate([real, fake]), self.seed)
            shown = one_hot(ops.concatenate([sources, targets]))
            source_logits, domain_logits = self.discriminator([both, shown], training=True)
            n = ops.shape(real)[0]
            told_apart = told_apart_of(source_logits, n)
            named = mean_over_scales([cross_entropy(sources, d[:n]) for d in domain_logits])

            def ask(faces):
                return self.discriminator([faces, one_hot(sources)], training=True)[0]

            penalty = lazily(squared_gradient, ask, real, self.num_done, weights.penalty_interval)
            loss = (
                weights.lambda_adversarial * told_apart
                + weights.lambda_domain * named
                + weights.lambda_penalty * penalty
            )
        variables = self.discriminator.trainable_variables
        update(self.discriminator_optimizer, tape, loss, variables)
        return {"told_apart": told_apart, "named": named, "penalty": penalty}
