"""The colours of one face by brightness, for what a grey generator paints on it.

The generator says how bright a pixel becomes, not which colour. Where it paints teeth over lips, or
a closed mouth over teeth, the old colour would be wrong: teeth glow red, lips turn grey. A painted
pixel takes the colour that this face has elsewhere where it is as bright; the mouth's colours come
from the mouth, for lips are redder than skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.vision.preprocess import CROP_PX

Floats = npt.NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of R, G and B, as OpenCV weighs them
NUM_STEPS = 8  # of brightness, equally common
# Ellipses of the crop that `face_view` cuts, px: x and y of the centre, half width, half height.
FACE = (23.5, 27.0, 15.0, 18.0)
MOUTH = (23.5, 36.0, 11.0, 8.0)


@dataclass(frozen=True)
class FaceColor:
    """Colours by brightness of a face, outside the mouth and in it.

    Attributes:
        skin: brightness (n,), rising, and colour less brightness (n, 3) of each step.
        mouth: the same.
    """

    skin: tuple[Floats, Floats]
    mouth: tuple[Floats, Floats]

    @classmethod
    def of(cls, crop: npt.NDArray[np.uint8]) -> FaceColor:
        """The colours of a (48, 48, 3) RGB crop, cut by ``face_view``."""
        mouth = inside(MOUTH)
        return cls(_steps(crop[inside(FACE) & ~mouth]), _steps(crop[mouth]))

    def paint(self, pixels: npt.NDArray[np.uint8], share: Floats, mouth: Floats) -> None:
        """Gives pixels (h, w, 3) RGB this face's colours, in place; each stays as bright as it is.

        Args:
            pixels: to change.
            share: (h, w) 0 to 1, how much of the old colour goes.
            mouth: (h, w) 0 to 1, how much of the mouth's colours comes.
        """
        bright = pixels @ LUMA
        skin, lips = _color_at(bright, *self.skin), _color_at(bright, *self.mouth)
        wanted = skin + mouth[:, :, None] * (lips - skin)
        wanted -= (wanted @ LUMA)[:, :, None]
        old = pixels - bright[:, :, None]
        pixels[:] = np.clip(np.rint(pixels + share[:, :, None] * (wanted - old)), 0, 255)


def inside(ellipse: tuple[float, float, float, float]) -> npt.NDArray[np.bool_]:
    """(48, 48) mask of an ellipse in the crop."""
    x, y, half_width, half_height = ellipse
    rows, columns = np.mgrid[0:CROP_PX, 0:CROP_PX]
    return np.asarray(((columns - x) / half_width) ** 2 + ((rows - y) / half_height) ** 2 < 1)


def _steps(pixels: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Mean brightness and median colour less brightness of (n, 3) pixels, by steps."""
    bright = pixels @ LUMA
    parts = np.array_split(np.argsort(bright, kind="stable"), NUM_STEPS)
    colors = [np.median(pixels[part] - bright[part, None], axis=0) for part in parts]
    means = [bright[part].mean() for part in parts]
    return np.array(means, np.float32), np.array(colors, np.float32)


def _color_at(bright: Floats, steps: Floats, colors: Floats) -> Floats:
    """(h, w, 3) colour less brightness; below the darkest step it fades to none at black."""
    found = [np.interp(bright, steps, channel) for channel in colors.T]
    fade = np.minimum(1, bright / max(float(steps[0]), 1.0))
    return np.asarray(np.stack(found, axis=-1) * fade[:, :, None], np.float32)
