"""How like a converted generator is to its model: faces, and how far their pixels move."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.vision.model_card import ModelCard
from device.vision.preprocess import CROP_PX
from device.vision.synthesizer import Synthesizer
from device.vocabulary import EXPRESSIONS
from export.gate import Limit

MIN_PSNR_DB = 30.0
MAX_FLOW_OFF_PX = 0.1  # on average; the device repeats the movement at many times the size

Crops = npt.NDArray[np.uint8]  # (N, 48, 48)
Flows = npt.NDArray[np.float32]  # (N, 48, 48, 2) px


@dataclass(frozen=True)
class Likeness:
    """Of what two generators make of the same faces.

    Attributes:
        psnr_db: peak signal to noise ratio of all pixels together.
        flow_off_px: by how much the movement differs, on average.
        flow_off_px_at_most: at most.
        n: faces times targets.
    """

    psnr_db: float
    flow_off_px: float
    flow_off_px_at_most: float
    n: int

    def as_facts(self) -> dict[str, float]:
        """For the card."""
        return asdict(self)

    def limits(self, beginning: str = "") -> list[Limit]:
        """What the gate asks of it; ``beginning`` says what is compared."""
        psnr, flow = f"{beginning}PSNR", f"{beginning}flow off by"
        return [
            Limit(psnr, self.psnr_db, MIN_PSNR_DB, True, "{:.1f} dB"),
            Limit(flow, self.flow_off_px, MAX_FLOW_OFF_PX, form="{:g} px"),
        ]


def likeness(actual: tuple[Crops, Flows], expected: tuple[Crops, Flows]) -> Likeness:
    """Compares faces (N, 48, 48) and flows (N, 48, 48, 2)."""
    off_px = np.abs(actual[1] - expected[1])
    return Likeness(
        round(psnr_db(actual[0], expected[0]), 2),
        round(float(off_px.mean()), 4),
        round(float(off_px.max()), 3),
        len(actual[0]),
    )


def psnr_db(a: Crops, b: Crops) -> float:
    """Peak signal to noise ratio of all pixels together; 99 for equal pictures."""
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def translate_by_keras(model: Any, crops: Crops) -> tuple[Crops, Flows]:
    """Every crop with every target by the float model: (7 N, 48, 48), and flows (..., 2) px."""
    import keras

    from training.gan.sheets import as_pixels, as_signed

    [inner] = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    results, flows = [], []
    for target in np.eye(len(EXPRESSIONS), dtype=np.float32):
        wanted = np.tile(target, (len(crops), 1))
        made, flow = inner([as_signed(crops[..., None]), wanted], training=False)
        flows.append(np.asarray(flow, np.float32))
        results.append(as_pixels(np.asarray(made)))
    pixels = np.stack(results, axis=1).reshape(-1, CROP_PX, CROP_PX)
    return pixels, np.stack(flows, axis=1).reshape(-1, CROP_PX, CROP_PX, 2)


def translate_by_tflite(content: bytes, crops: Crops) -> tuple[Crops, Flows]:
    """The same by a file, as the device runs it."""
    synthesizer = Synthesizer(content, ModelCard("generator", "", "synthesize", ""))
    pairs = [synthesizer.run(crop, expression) for crop in crops for expression in EXPRESSIONS]
    return np.stack([made for made, _ in pairs]), np.stack([flow for _, flow in pairs])
