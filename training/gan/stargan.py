"""``training stargan``: one generator for all expressions, by StarGAN's losses.

Choi et al., "StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image
Translation", CVPR 2018. Logistic adversarial loss with a lazy R1 penalty instead of WGAN-GP:
one critic step does where WGAN-GP wants five, and two slow cores have to carry it.
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops

from training.gan.differentiable import vary
from training.gan.discriminator import build_discriminator
from training.gan.guide import less_margin, obscure, scale_pixels
from training.gan.losses import (
    cross_entropy,
    lazily,
    mean_over_scales,
    one_hot,
    squared_gradient,
    structural_similarity,
    told_apart_of,
    update,
)
from training.gan.recipe import StarGanLosses
from training.gan.translation import Translation


class StarGan(Translation):
    """The two players of StarGAN and the frozen guide.

    Args:
        guide: an expression network; frozen.
        rarity: (7,) logarithm of how rare each expression is; see ``guide.rarity_of``.
        losses: their weights.
        options: of ``Translation``.
    """

    loss_names = (
        "adversarial", "domain", "guided", "reconstruction", "similarity", "mask", "roughness",
        "told_apart", "named", "penalty",
    )  # fmt: skip

    def __init__(
        self,
        guide: keras.Model,
        rarity: npt.NDArray[np.float32],
        losses: StarGanLosses | None = None,
        **options,
    ) -> None:
        dtype = options.get("dtype", "float32")
        super().__init__(build_discriminator(dtype), **options)
        self.guide = guide
        self.guide.trainable = False
        self.losses_of = losses or StarGanLosses()
        self.margins = tf.constant(self.losses_of.rare_margin * rarity)

    def train_step(self, data):
        """One step of each player.

        Args:
            data: ``(faces, sources, targets)``: uint8 (N, 48, 48, 1), the expressions they show
                and those they shall show, as class numbers (N,).

        Returns:
            The losses by name.
        """
        faces, sources, targets = data
        weights = self.losses_of
        # 1. Pixels to -1..1, classes to one-hot.
        real = scale_pixels(faces)
        to_target, to_source = one_hot(targets), one_hot(sources)
        with tf.GradientTape() as generator_tape:
            # 2. There: one fake serves both players.
            fake, mask, flow = self.inner_generator([real, to_target], training=True)
            # 3. The discriminator's turn: told apart, named, and smooth around real faces.
            with generator_tape.stop_recording():
                critic = self.train_discriminator(real, sources, targets, ops.stop_gradient(fake))
            # 4. The generator's turn: pass for real and show the target, seen anew by each critic.
            source_logits, domain_logits = self.discriminator([vary(fake, self.seed), to_target])
            adversarial = mean_over_scales([ops.mean(ops.softplus(-s)) for s in source_logits])
            domain = mean_over_scales([cross_entropy(targets, d) for d in domain_logits])
            opinion = self.guide(obscure(fake, self.seed), training=False)
            guided = cross_entropy(targets, less_margin(opinion, to_target, self.margins))
            # 5. And back; noise hides what a generator could smuggle below the eye's threshold.
            noise = keras.random.normal(ops.shape(fake), stddev=0.02, seed=self.seed)
            back = self.generator([fake + noise, to_source], training=True)
            reconstruction = ops.mean(ops.abs(back - real))
            # In 0..1: SSIM's comparison of means is not for signed values.
            similarity = structural_similarity((back + 1.0) / 2.0, (real + 1.0) / 2.0)
            # 6. A face that already shows the target stays what it is.
            same = ops.cast(sources == targets, "float32")
            kept = ops.mean(ops.abs(fake - real), axis=(1, 2, 3))
            kept = ops.sum(same * kept) / ops.maximum(ops.sum(same), 1.0)
            # 7. Little paint, and neighbours move together.
            painted = ops.mean(mask)
            roughness = roughness_of(flow)
            loss = (
                weights.lambda_adversarial * adversarial
                + weights.lambda_domain * domain
                + weights.lambda_guide * guided
                + weights.lambda_reconstruction * (reconstruction + kept)
                + weights.lambda_similarity * (1.0 - similarity)
                + weights.lambda_mask * painted
                + weights.lambda_roughness * roughness
            )
        update(self.generator_optimizer, generator_tape, loss, self.generator.trainable_variables)
        # 8. The running mean is what is looked at and exported.
        self.average_generator()
        return self.mean_losses(
            adversarial=adversarial,
            domain=domain,
            guided=guided,
            reconstruction=reconstruction,
            similarity=similarity,
            mask=painted,
            roughness=roughness,
            **critic,
        )

    def train_discriminator(self, real, sources, targets, fake):
        """The discriminator's half of a step; returns its losses by name."""
        weights = self.losses_of
        with tf.GradientTape() as tape:
            # a. Both kinds in one pass, augmented alike.
            both = vary(ops.concatenate([real, fake]), self.seed)
            shown = one_hot(ops.concatenate([sources, targets]))
            source_logits, domain_logits = self.discriminator([both, shown], training=True)
            n = ops.shape(real)[0]
            told_apart = told_apart_of(source_logits, n)
            # b. The expression is learned from real faces only.
            named = mean_over_scales([cross_entropy(sources, d[:n]) for d in domain_logits])

            # c. Lazy R1 (Mescheder et al., 2018; Karras et al., 2020).
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


def roughness_of(flow):
    """How much movements (N, 48, 48, 2) in px differ from one pixel to the next, on average."""
    across, down = flow[:, :, 1:] - flow[:, :, :-1], flow[:, 1:] - flow[:, :-1]
    return ops.mean(ops.abs(across)) + ops.mean(ops.abs(down))
