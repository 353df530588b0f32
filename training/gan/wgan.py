"""``training wgan``: the second baseline, a conditional Wasserstein GAN with gradient penalty.

Gulrajani et al., "Improved Training of Wasserstein GANs", 2017. The same generator, faces and
augmentation as StarGAN's; two critic steps instead of their five, so that a step costs about
what StarGAN's does.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops

from training.gan.differentiable import vary
from training.gan.discriminator import build_discriminator
from training.gan.guide import scale_pixels
from training.gan.losses import mean_over_scales, one_hot, update
from training.gan.recipe import WganLosses
from training.gan.translation import Translation


class Wgan(Translation):
    """A generator and a critic that measures the distance between two sets of faces."""

    loss_names = ("adversarial", "change", "distance", "penalty")

    def __init__(self, losses: WganLosses | None = None, **options) -> None:
        losses = losses or WganLosses()
        critic = build_discriminator(options.get("dtype", "float32"), conditional=True)
        super().__init__(critic, critic_steps=losses.critic_steps, **options)
        self.losses_of = losses

    def train_step(self, data):
        """One step on ``(faces, sources, targets)``, as in ``StarGan``."""
        faces, sources, targets = data
        # 1. Pixels to -1..1, classes to one-hot.
        real = scale_pixels(faces)
        to_target, shown = one_hot(targets), one_hot(sources)
        with tf.GradientTape() as generator_tape:
            # 2. One fake serves both players.
            fake = self.generator([real, to_target], training=True)
            # 3. The critic's turns.
            with generator_tape.stop_recording():
                for _ in range(self.losses_of.critic_steps):
                    still = ops.stop_gradient(fake)
                    critic = self.train_discriminator(real, shown, still, to_target)
            # 4. The generator's turn: shorten the distance.
            scores = self.discriminator([vary(fake, self.seed), to_target])
            adversarial = -mean_over_scales([ops.mean(s) for s in scores])
            loss = adversarial + self.guided(fake, targets)
        update(self.generator_optimizer, generator_tape, loss, self.generator.trainable_variables)
        # 5. The running mean.
        self.average_generator()
        change = ops.mean(ops.abs(fake - real))
        return self.mean_losses(adversarial=adversarial, change=change, **critic)

    def train_discriminator(self, real, shown, fake, to_target):
        """One critic step; returns its losses by name."""
        with tf.GradientTape() as tape:
            real_seen, fake_seen = vary(real, self.seed), vary(fake, self.seed)
            of_real = self.discriminator([real_seen, shown], training=True)
            of_fake = self.discriminator([fake_seen, to_target], training=True)
            distance = mean_over_scales(
                [ops.mean(r) - ops.mean(f) for r, f in zip(of_real, of_fake, strict=True)]
            )
            penalty = self.gradient_penalty(real_seen, fake_seen, to_target)
            loss = self.losses_of.lambda_penalty * penalty - distance
        variables = self.discriminator.trainable_variables
        update(self.discriminator_optimizer, tape, loss, variables)
        return {"distance": distance, "penalty": penalty}

    def gradient_penalty(self, real, fake, to_target):
        """Mean squared distance of the gradient's norm from 1, between real and fake faces."""
        share = keras.random.uniform((ops.shape(real)[0], 1, 1, 1), seed=self.seed)
        between = share * real + (1.0 - share) * fake
        with tf.GradientTape() as tape:
            tape.watch(between)
            scores = self.discriminator([between, to_target], training=True)
            total = mean_over_scales([ops.sum(ops.mean(s, axis=(1, 2, 3))) for s in scores])
        gradient = tape.gradient(total, between)
        norm = ops.sqrt(ops.sum(ops.square(gradient), axis=(1, 2, 3)) + 1e-8)
        return ops.mean(ops.square(norm - 1.0))
