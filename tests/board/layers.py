"""Single layers and blocks, to see what a board pays for when a network is designed.

Random weights, int8, one picture: how many instructions a layer takes does not depend on its
weights. Needs TensorFlow (``.venv-dev``), for a minute.

    python -m tests.board.layers FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.board.networks import convert

Size = tuple[int, int, int]  # rows, columns, channels
PICTURE = (48, 48, 1)
STAGES: tuple[Size, ...] = ((24, 24, 48), (12, 12, 96), (6, 6, 160))  # of `expression`
WIDTHS = (40, 44, 46, 48, 50, 52, 56, 64)
MULTIPLY_ADDS = "layers.json"  # the file's name, beside the networks


@dataclass(frozen=True)
class Layer:
    """One layer or block.

    Attributes:
        question: what it helps to decide: ``stem``, ``kind`` or ``width``.
        name: as the page shows it.
        size: of what comes in.
        make: from what comes in to what goes out.
    """

    question: str
    name: str
    size: Size
    make: Callable[[Any], Any]

    @property
    def file(self) -> str:
        """Its file's name, without the suffix."""
        words = "".join(c if c.isalnum() else " " for c in self.name.replace("×", "x"))
        return "-".join(("layer", self.question, *words.split()))


def plain(channels: int, kernel: int, stride: int, x: Any) -> Any:
    """A convolution with ReLU."""
    from keras import layers

    return layers.Conv2D(channels, kernel, stride, "same", activation="relu")(x)


def pooled(channels: int, x: Any) -> Any:
    """A plain 3×3 at full resolution, then the largest of each 2×2."""
    from keras import layers

    return layers.MaxPooling2D(2)(plain(channels, 3, 1, x))


def separable(x: Any) -> Any:
    """Depthwise 3×3, then 1×1 (Howard et al., MobileNets, 2017)."""
    return plain(x.shape[-1], 1, 1, depthwise(x))


def depthwise(x: Any) -> Any:
    """A depthwise 3×3 with ReLU."""
    from keras import layers

    return layers.DepthwiseConv2D(3, 1, "same", activation="relu")(x)


def inverted(x: Any) -> Any:
    """1×1 to four times the channels, depthwise 3×3, 1×1 back, shortcut (Sandler et al., 2018)."""
    from keras import layers

    y = depthwise(plain(4 * x.shape[-1], 1, 1, x))
    return layers.Add()([x, layers.Conv2D(x.shape[-1], 1)(y)])


def residual(x: Any) -> Any:
    """Two plain 3×3 and the shortcut: the block of `expression` without its squeeze-excitation."""
    from keras import layers

    y = layers.Conv2D(x.shape[-1], 3, padding="same")(plain(x.shape[-1], 3, 1, x))
    return layers.ReLU()(layers.Add()([x, y]))


def squeeze_excitation(x: Any) -> Any:
    """That of `expression`, alone."""
    from training.classifier.networks import squeeze_excitation as ours

    return ours(x, x.shape[-1])


def _stems() -> tuple[Layer, ...]:
    full = "at full resolution, then 2×2 pooled"
    return (
        Layer("stem", "5×5, stride 2, 1 to 48", PICTURE, partial(plain, 48, 5, 2)),
        Layer("stem", "3×3, stride 2, 1 to 48", PICTURE, partial(plain, 48, 3, 2)),
        Layer("stem", f"3×3, 1 to 48, {full}", PICTURE, partial(pooled, 48)),
        Layer("stem", "5×5, stride 2, 1 to 16", PICTURE, partial(plain, 16, 5, 2)),
        Layer("stem", f"3×3, 1 to 16, {full}", PICTURE, partial(pooled, 16)),
        Layer("stem", "4×4, stride 4, 1 to 96", PICTURE, partial(plain, 96, 4, 4)),
    )


def _kinds() -> tuple[Layer, ...]:
    kinds: dict[str, Callable[[Any], Any]] = {
        "plain 3×3": lambda x: plain(x.shape[-1], 3, 1, x),
        "plain 1×1": lambda x: plain(x.shape[-1], 1, 1, x),
        "depthwise 3×3": depthwise,
        "depthwise 3×3, then 1×1": separable,
        "inverted residual, 4 times wider": inverted,
        "residual, two plain 3×3": residual,
        "squeeze-excitation": squeeze_excitation,
    }
    return tuple(
        Layer("kind", f"{kind}; {'×'.join(map(str, size))}", size, make)
        for size in STAGES
        for kind, make in kinds.items()
    )


def _widths() -> tuple[Layer, ...]:
    return tuple(
        Layer("width", f"plain 3×3; 24×24×{c}", (24, 24, c), partial(plain, c, 3, 1))
        for c in WIDTHS
    )


LAYERS = (*_stems(), *_kinds(), *_widths())


def main(folder: Path) -> None:
    """Writes each layer as a network of its own, and how many multiply-adds each has."""
    import keras

    from training.classifier.networks import count_macs

    folder.mkdir(parents=True, exist_ok=True)
    counted = {}
    for layer in LAYERS:
        inputs = keras.Input(layer.size)
        model = keras.Model(inputs, layer.make(inputs))
        (folder / f"{layer.file}.tflite").write_bytes(convert(model, True))
        counted[layer.file] = count_macs(model)
    (folder / MULTIPLY_ADDS).write_text(json.dumps(counted, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
