"""The generator: encoder, target embedding, modulated residual blocks, decoder, flow and paint.

StarGAN (Choi et al., CVPR 2018, section 3.4 of the paper this project follows) with changes that
make it small and keep the identity: the target enters as an embedding that modulates every
normalisation (FiLM; Perez et al., 2018) instead of label planes, the work is done at 12×12, and the
network does not draw a face: it *moves* the pixels it was given by a smooth flow (as X2Face does;
Wiles et al., ECCV 2018) and then paints what no movement can show, teeth or a dark mouth, through
an attention mask (after GANimation; Pumarola et al., 2018). What the expression does not need is
the input itself, and the device can repeat the movement at the picture's own resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from device.vision.preprocess import CROP_PX
from device.vocabulary import EXPRESSIONS
from training.gan.plain_generator import build_plain_generator
from training.gan.recipe import PLAIN, GanRecipe

MAX_PARAMETERS = 1_300_000
MAX_FLOW_PX = 5.0  # how far a pixel moves at most
FLOW_GAIN = 3.0  # the movement learns faster than the paint: what can be moved is not painted
FADE_PX = 6  # at the border nothing changes; from there on inwards it may more and more


@dataclass(frozen=True)
class GeneratorSettings:
    """Size of the generator.

    Attributes:
        width: channels of the residual blocks at 12×12; half as many at 24×24.
        num_blocks: residual blocks.
        embedding: length of the target's embedding.
        plain: as the paper describes it (``plain_generator.py``).
    """

    width: int = 64
    num_blocks: int = 5
    embedding: int = 64
    plain: bool = False


def settings_of(recipe: GanRecipe) -> GeneratorSettings:
    """The generator of a recipe."""
    return GeneratorSettings(recipe.width, recipe.blocks, plain=recipe.kind == PLAIN)


@keras.saving.register_keras_serializable("mien")
class ConditionalInstanceNorm(layers.Layer):
    """Normalises each channel of each face, then scales and shifts it as the target asks.

    Statistics are taken in float32: in bfloat16 the squares of small differences vanish.
    """

    EPSILON = 1e-5

    def build(self, input_shape):
        """One scale and one shift a channel, both linear in the embedding."""
        channels = input_shape[0][-1]
        self.scale = layers.Dense(channels, kernel_initializer="zeros", dtype="float32")
        self.shift = layers.Dense(channels, kernel_initializer="zeros", dtype="float32")
        self.scale.build(input_shape[1])
        self.shift.build(input_shape[1])

    def call(self, inputs):
        """(N, H, W, C) features and (N, E) embedding to (N, H, W, C)."""
        features, embedding = inputs
        x = ops.cast(features, "float32")
        centred = x - ops.mean(x, axis=(1, 2), keepdims=True)
        variance = ops.mean(ops.square(centred), axis=(1, 2), keepdims=True)
        normal = centred * ops.rsqrt(variance + self.EPSILON)
        scale = ops.reshape(self.scale(embedding), (-1, 1, 1, x.shape[-1]))
        shift = ops.reshape(self.shift(embedding), (-1, 1, 1, x.shape[-1]))
        return ops.cast(normal * (1.0 + scale) + shift, features.dtype)

    def compute_output_shape(self, input_shape):
        """The features' shape."""
        return input_shape[0]


def build_generator(
    settings: GeneratorSettings | None = None, dtype: str = "float32"
) -> keras.Model:
    """Builds the generator.

    Args:
        settings: sizes; None for the shipped ones.
        dtype: ``float32``, or ``mixed_bfloat16`` to train faster where the processor has it.

    Returns:
        A model from ``face`` (N, 48, 48, 1) in -1..1, cut by ``face_view``, and ``target`` (N, 7)
        one-hot to the face (N, 48, 48, 1), about -1..1, that shows the target.

    Raises:
        ValueError: more than ``MAX_PARAMETERS``.
    """
    settings = settings or GeneratorSettings()
    if settings.plain:
        size = settings.width, settings.num_blocks, settings.embedding
        return within_budget(build_plain_generator(*size, dtype))
    width = settings.width
    face = keras.Input((CROP_PX, CROP_PX, 1), name="face", dtype="float32")
    target = keras.Input((len(EXPRESSIONS),), name="target", dtype="float32")
    embedding = layers.Dense(settings.embedding, "swish", dtype="float32", name="embed")(target)

    def modulated(x, name):
        return ConditionalInstanceNorm(dtype=dtype, name=name)([x, embedding])

    def conv(x, filters, kernel, stride=1, *, name):
        options = {"padding": "same", "use_bias": False, "dtype": dtype, "name": name}
        return layers.Conv2D(filters, kernel, stride, **options)(x)

    def relu(x):
        return layers.ReLU(dtype=dtype)(x)

    half = relu(modulated(conv(face, width // 2, 4, 2, name="half"), "half_norm"))
    x = relu(modulated(conv(half, width, 4, 2, name="quarter"), "quarter_norm"))
    for block in range(settings.num_blocks):
        inner = relu(modulated(conv(x, width, 3, name=f"block{block}a"), f"block{block}a_norm"))
        inner = modulated(conv(inner, width, 3, name=f"block{block}b"), f"block{block}b_norm")
        x = layers.Add(dtype=dtype)([x, inner])
    # Resize and convolve: a transposed convolution leaves a checkerboard that int8 makes worse.
    x = layers.UpSampling2D(2, dtype=dtype)(x)
    x = modulated(conv(x, width // 2, 3, name="up"), "up_norm")
    x = relu(layers.Add(dtype=dtype)([x, half]))  # where things are, past the bottleneck
    x = relu(modulated(conv(x, width // 2, 3, name="refine"), "refine_norm"))
    # Small weights or none: the first fakes are nearly the inputs. The sum may leave -1..1; whoever
    # makes pixels of it clips.
    small = keras.initializers.RandomNormal(stddev=0.02)
    flow = layers.Conv2D(
        2, 5, padding="same", dtype="float32", name="move", kernel_initializer="zeros"
    )(x)
    flow = ops.tanh(FLOW_GAIN * soften(flow))
    flow = layers.UpSampling2D(2, interpolation="bilinear", dtype="float32")(flow)
    fade = fade_window()[None, :, :, None]
    flow = layers.Identity(dtype="float32", name="flow")(MAX_FLOW_PX * flow * fade)
    # The last step is one anyway, at 48×48 any other convolution and its normalisation would
    # take half of the whole time; its checkerboard is filtered out below.
    paint = layers.Conv2DTranspose(
        2, 6, 2, padding="same", dtype=dtype, name="paint", kernel_initializer=small
    )(x)
    paint = soften(ops.cast(paint, "float32"))
    change = layers.Activation("tanh", dtype="float32", name="change")(paint[..., :1])
    mask = ops.sigmoid(paint[..., 1:] - 1.0) * fade
    mask = layers.Identity(dtype="float32", name="mask")(mask)
    result = Warp(dtype="float32", name="warp")([face, flow]) + 2.0 * mask * change
    return within_budget(keras.Model([face, target], result, name="generator"))


def within_budget(model: keras.Model) -> keras.Model:
    """The model, unless it is too large.

    Raises:
        ValueError: more than ``MAX_PARAMETERS``.
    """
    if model.count_params() > MAX_PARAMETERS:
        raise ValueError(
            f"a generator of {model.count_params():,} parameters; allowed: {MAX_PARAMETERS:,}"
        )
    return model


def soften(paint):
    """(N, 48, 48, C) without its highest frequency: [1 2 1] / 4 along rows and columns.

    The filter's zero lies exactly where a transposed convolution's checkerboard does; fine
    detail is not lost by it, because that is the input's.
    """
    across = (paint[:, :, :-2] + 2.0 * paint[:, :, 1:-1] + paint[:, :, 2:]) / 4.0
    across = ops.concatenate([paint[:, :, :1], across, paint[:, :, -1:]], axis=2)
    down = (across[:, :-2] + 2.0 * across[:, 1:-1] + across[:, 2:]) / 4.0
    return ops.concatenate([across[:, :1], down, across[:, -1:]], axis=1)


def fade_window():
    """(48, 48) float32: 0 at the border, rising to 1 within ``FADE_PX``."""
    from_border = np.minimum(np.arange(CROP_PX), np.arange(CROP_PX)[::-1]) / FADE_PX
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.clip(from_border, 0, 1))
    return np.outer(ramp, ramp).astype(np.float32)


@keras.saving.register_keras_serializable("mien")
class Warp(layers.Layer):
    """Faces (N, 48, 48, 1) whose pixels come from elsewhere, bilinear.

    The second input is the flow (N, 48, 48, 2) in px: how far to the right and below what is now
    in a pixel lay before.
    """

    def call(self, inputs):
        """``[faces, flow]``, float32, to (N, 48, 48, 1)."""
        faces, flow = inputs
        last = CROP_PX - 1.0
        places = ops.arange(CROP_PX, dtype="float32")
        x = ops.clip(places[None, None, :] + flow[..., 0], 0.0, last)
        y = ops.clip(places[None, :, None] + flow[..., 1], 0.0, last)
        left = ops.minimum(ops.floor(x), last - 1.0)
        top = ops.minimum(ops.floor(y), last - 1.0)
        right_share, lower_share = x - left, y - top
        firsts = ops.arange(ops.shape(faces)[0], dtype="int32")[:, None, None] * CROP_PX**2
        corner = firsts + ops.cast(top, "int32") * CROP_PX + ops.cast(left, "int32")
        pixels = ops.reshape(faces, (-1,))
        upper, upper_right, lower, lower_right = (
            ops.take(pixels, corner + offset) for offset in (0, 1, CROP_PX, CROP_PX + 1)
        )
        upper = upper + right_share * (upper_right - upper)
        lower = lower + right_share * (lower_right - lower)
        return (upper + lower_share * (lower - upper))[..., None]

    def compute_output_shape(self, input_shape):
        """The faces' shape."""
        return input_shape[0]


def with_flow(generator: keras.Model) -> keras.Model:
    """The same generator (shared weights) that also returns its flow, as in ``Warp``."""
    return keras.Model(generator.inputs, [generator.output, generator.get_layer("flow").output])


def inner_of(generator: keras.Model) -> keras.Model:
    """The same generator (shared weights) that also returns its mask and its flow.

    Mask (N, 48, 48, 1) in 0..1, flow (N, 48, 48, 2) in px as in ``Warp``.
    """
    hidden = [generator.get_layer(name).output for name in ("mask", "flow")]
    return keras.Model(generator.inputs, [generator.output, *hidden])


def two_sided(generator: keras.Model) -> keras.Model:
    """The mean of what a generator does to a face and to its mirror image, in one network.

    Faces are alike on both sides, and so are expressions; a smear on one side is halved.

    Returns:
        A model with the inputs, the output and the flow of ``generator``, whose weights it shares.
    """
    one_side = with_flow(generator)
    face = keras.Input((CROP_PX, CROP_PX, 1), name="face", dtype="float32")
    target = keras.Input((len(EXPRESSIONS),), name="target", dtype="float32")
    flows, paints = [], []
    for seen, turned in ((face, False), (ops.flip(face, axis=2), True)):
        made, flow = one_side([seen, target])
        paint = made - Warp(dtype="float32")([seen, flow])
        if turned:
            paint = ops.flip(paint, axis=2)
            flow = ops.flip(flow, axis=2) * np.array([-1.0, 1.0], np.float32)
        flows.append(flow)
        paints.append(paint)
    flow = layers.Identity(dtype="float32", name="flow")(sum(flows) / 2.0)
    result = Warp(dtype="float32")([face, flow]) + sum(paints) / 2.0
    return keras.Model([face, target], result, name="generator")
