"""The discriminator: the same small network at two scales, each with two kinds of heads.

Source: is this patch of a real picture? Asked twice, of small patches (10 px: is this how skin and
lips look?) and of large ones. Domain: which expression? A third network looks at the mouth alone
and asks whether it is a real one of that expression. No normalisation, so that a gradient penalty
of one face does not depend on its neighbours in the batch.
"""

from __future__ import annotations

import keras
from keras import layers

from device.vision.preprocess import CROP_PX
from device.vocabulary import EXPRESSIONS

SCALES = (1, 2)  # full and half size
WIDTHS = {1: (32, 64, 128, 192), 2: (32, 64, 128)}  # channels after each halving
SMALL_PATCH_DEPTH = 1  # after which halving small patches are judged
MOUTH = (slice(24, 46), slice(8, 40))  # rows and columns of the crop where mouths are and open
MOUTH_WIDTHS = (32, 64, 128)


def build_discriminator(dtype: str = "float32", conditional: bool = False) -> keras.Model:
    """Builds the discriminator.

    Args:
        dtype: ``float32`` or ``mixed_bfloat16``.
        conditional: for the baselines: the expression enters every source head of large patches by
            projection (Miyato and Koyama, 2018), and there is neither a domain head nor a mouth's.

    Returns:
        A model from ``face`` (N, 48, 48, 1) in -1..1 and ``domain`` (N, 7) one-hot, what it shows
        or shall show, to a list of source logits (N, h, w, 1), two a scale, and, unless
        conditional, one of the mouth, and a list of domain logits (N, 7), one a scale.
    """
    face = keras.Input((CROP_PX, CROP_PX, 1), name="face", dtype="float32")
    domain = keras.Input((len(EXPRESSIONS),), name="domain", dtype="float32")
    sources, domains = [], []
    for scale in SCALES:
        x = layers.AveragePooling2D(scale, dtype=dtype)(face) if scale > 1 else face
        for depth, width in enumerate(WIDTHS[scale]):
            x = halve(x, width, dtype, f"scale{scale}_{depth}")
            if depth == SMALL_PATCH_DEPTH:
                sources.append(layers.Conv2D(1, 1, dtype="float32", name=f"patch{scale}")(x))
        source = layers.Conv2D(1, 3, padding="same", dtype="float32", name=f"source{scale}")(x)
        if conditional:
            source = source + match(x, domain, f"project{scale}")
        else:
            flat = layers.Flatten(dtype="float32")(x)
            domains.append(
                layers.Dense(len(EXPRESSIONS), dtype="float32", name=f"domain{scale}")(flat)
            )
        sources.append(source)
    if conditional:
        return keras.Model([face, domain], sources, name="discriminator")
    sources.append(mouth_logits(face, domain, dtype))
    return keras.Model([face, domain], [sources, domains], name="discriminator")


def mouth_logits(face, domain, dtype: str):
    """Is this the mouth of such an expression? (N, h, w, 1) logits, by projection.

    The other source heads take any real mouth for one: a smile in a surprised face passes.
    """
    rows, columns = MOUTH
    x = face[:, rows, columns]
    for depth, width in enumerate(MOUTH_WIDTHS):
        x = halve(x, width, dtype, f"mouth_{depth}")
    source = layers.Conv2D(1, 3, padding="same", dtype="float32", name="mouth")(x)
    return source + match(x, domain, "mouth_project")


def halve(x, width: int, dtype: str, name: str):
    """A convolution of stride 2 and its activation."""
    # He's start: with Glorot's, a face fades from layer to layer, and nothing was told apart after
    # 500 steps.
    x = layers.Conv2D(
        width, 4, 2, "same", dtype=dtype, name=name, kernel_initializer="he_normal"
    )(x)  # fmt: skip
    return layers.LeakyReLU(0.2, dtype=dtype)(x)


def match(x, domain, name: str):
    """(N, 1, 1, 1): how well features fit an expression, by projection."""
    embedded = layers.Dense(x.shape[-1], use_bias=False, name=name)(domain)
    pooled = layers.GlobalAveragePooling2D(dtype="float32")(x)
    return layers.Reshape((1, 1, 1))(layers.Dot(1, dtype="float32")([pooled, embedded]))
