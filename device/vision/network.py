"""A network of 48×48 crops in the TFLite runtime: batches without re-allocation, real numbers out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import ModelError
from device.vision.preprocess import CROP_PX
from device.vision.runtime import load_interpreter

MAX_BATCH = 8  # larger crowds go in several calls


class CropNetwork:
    """Input uint8 (N, 48, 48, 1), output (N, num_outputs); one interpreter a batch size."""

    def __init__(self, content: bytes, num_outputs: int, threads: int = 1) -> None:
        """Allocates for one crop and checks the contract.

        Raises:
            ModelError: unreadable, or of another input or output.
        """
        self._content = content
        self._threads = threads
        self._interpreters: dict[int, Any] = {}
        interpreter = self._interpreter(1)
        source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        if source["dtype"] != np.uint8:
            raise ModelError(f"input is {np.dtype(source['dtype'])}, not uint8")
        if tuple(target["shape"]) != (1, num_outputs):
            raise ModelError(f"output is {tuple(target['shape'])}, not (N, {num_outputs})")

    def run(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(N, num_outputs) float32 of (N, 48, 48) uint8 crops, N at least 1."""
        parts = [self._run(crops[i : i + MAX_BATCH]) for i in range(0, len(crops), MAX_BATCH)]
        return np.concatenate(parts)

    def _run(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        batch = 1
        while batch < len(crops):
            batch *= 2
        interpreter = self._interpreter(batch)
        pixels = np.zeros((batch, CROP_PX, CROP_PX, 1), np.uint8)
        pixels[: len(crops), :, :, 0] = crops
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
        interpreter.invoke()
        detail = interpreter.get_output_details()[0]
        values = interpreter.get_tensor(detail["index"])[: len(crops)].astype(np.float32)
        scale, zero = detail["quantization"]
        if scale:  # 0 for a float output
            values = (values - zero) * np.float32(scale)
        return np.asarray(values, np.float32)

    def _interpreter(self, batch: int) -> Any:
        """Allocated for ``batch`` crops: 1, 2, 4 or 8, so that no frame allocates anew."""
        if batch not in self._interpreters:
            interpreter = load_interpreter(self._content, self._threads)
            index = interpreter.get_input_details()[0]["index"]
            try:
                interpreter.resize_tensor_input(index, (batch, CROP_PX, CROP_PX, 1))
                interpreter.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                raise ModelError(f"the network takes no batch of {batch}: {error}") from error
            self._interpreters[batch] = interpreter
        return self._interpreters[batch]
