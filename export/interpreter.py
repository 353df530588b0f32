"""Runs a classifier's TFLite file as the board does, with LiteRT or tflite-runtime."""

from __future__ import annotations

import importlib
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UsageError

RUNTIMES = {"litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}


class TfliteClassifier:
    """One file in one interpreter.

    Args:
        content: the ``.tflite`` bytes.
        threads: of the interpreter.
        runtime: ``litert`` or ``tflite-runtime``.

    Raises:
        UsageError: the runtime is not installed.
    """

    def __init__(self, content: bytes, threads: int = 1, runtime: str = "litert") -> None:
        try:
            module = importlib.import_module(RUNTIMES[runtime])
        except ImportError as error:
            raise UsageError(f"{runtime} is not installed here ({error})") from error
        self.interpreter: Any = module.Interpreter(model_content=content, num_threads=threads)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        self.output = self.interpreter.get_output_details()[0]
        self.faces = int(self.input["shape"][0])

    def logits(self, pixels: npt.NDArray[np.uint8], batch: int = 64) -> npt.NDArray[np.float32]:
        """(n, 7) logits of (n, 48, 48) uint8 crops."""
        parts = [self._run(pixels[at : at + batch]) for at in range(0, len(pixels), batch)]
        return np.concatenate(parts)

    def _run(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """One invocation for all the crops at once."""
        if len(pixels) != self.faces:
            self.interpreter.resize_tensor_input(self.input["index"], [len(pixels), 48, 48, 1])
            self.interpreter.allocate_tensors()
            self.faces = len(pixels)
        values = pixels[..., None].astype(self.input["dtype"])
        self.interpreter.set_tensor(self.input["index"], values)
        self.interpreter.invoke()
        logits = self.interpreter.get_tensor(self.output["index"])
        return np.array(logits, np.float32)

    def latency_ms(self, repeats: int = 200) -> float:
        """Median time of one face, in ms of this thread's clock on the wall."""
        crop = np.random.default_rng(0).integers(0, 256, (1, 48, 48), np.uint8)
        times = []
        for _ in range(repeats):
            started_s = time.perf_counter()
            self._run(crop)
            times.append(time.perf_counter() - started_s)
        return float(np.median(times) * 1000)
