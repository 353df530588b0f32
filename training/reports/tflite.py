"""TFLite classifiers of ours and of others on 48×48 crops, and what lies inside them.

Files run through the device's own wrapper. This module adds what others' models want of their
input, either runtime by name, the time of one face, and a model's features and kernels.
"""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import ModelError, UsageError
from device.vision.tflite import TFLiteModel, load_interpreter, load_runtime

RUNTIMES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}


class TfliteClassifier:
    """One file in one runtime.

    Ours take pixels 0 to 255 of 48×48; crops are enlarged for models that take 64×64.

    Args:
        content: the ``.tflite`` bytes.
        threads: of the interpreter.
        runtime: ``litert`` or ``tflite-runtime``.
        rescaled: feed -1 to 1 instead, as face_classification's published models want.

    Raises:
        UsageError: the runtime is not installed, or the file is none that it can run.
    """

    def __init__(
        self, content: bytes, threads: int = 1, runtime: str = "litert", rescaled: bool = False
    ) -> None:
        self.rescaled = rescaled
        self.content = content
        try:
            self.model = TFLiteModel(content, threads=threads, package=RUNTIMES[runtime])
        except ModelError as error:
            raise UsageError(f"{runtime} cannot run this file: {error}") from error

    def logits(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(n, 7) outputs for (n, 48, 48) uint8 crops; logits for ours."""
        if not len(pixels):
            return np.zeros((0, 7), np.float32)
        return self.model.run_each(self.prepare(pixels))

    def prepare(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """(n, side, side, 1) in the type and range that the model takes."""
        [taken] = self.model.inputs
        side = taken.shape[1]
        if side != pixels.shape[1]:
            pixels = np.stack([cv2.resize(crop, (side, side)) for crop in pixels])
        values = pixels[..., None] / 127.5 - 1.0 if self.rescaled else pixels[..., None]
        return np.asarray(values, taken.dtype)

    def features(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(n, D) what the last layer computes the logits from, for (n, 48, 48) crops.

        In an interpreter of its own, without delegates: only there each tensor can be read.
        """
        package = RUNTIMES["litert"]
        resolvers = load_runtime(package).OpResolverType
        interpreter = load_interpreter(
            self.content,
            package=package,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
        source = interpreter.get_input_details()[0]["index"]
        dense = [o for o in interpreter._get_ops_details() if o["op_name"] == "FULLY_CONNECTED"]
        tensor = int(dense[-1]["inputs"][0])
        details = {d["index"]: d for d in interpreter.get_tensor_details()}
        scale, zero = details[tensor]["quantization"]
        found = []
        for crop in pixels:
            interpreter.set_tensor(source, self.prepare(crop[None]))
            interpreter.invoke()
            found.append(np.array(interpreter.get_tensor(tensor), np.float32).reshape(-1))
        return (np.stack(found) - zero) * (scale or 1.0)

    def kernels(self) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Kernel, axes as in Keras, and bias (D,) of each convolution and dense layer, in order."""
        interpreter = load_interpreter(self.content, package=RUNTIMES["litert"])
        interpreter.allocate_tensors()
        details = {d["index"]: d for d in interpreter.get_tensor_details()}
        found = []
        for operation in interpreter._get_ops_details():
            if operation["op_name"] not in ("CONV_2D", "FULLY_CONNECTED"):
                continue
            kernel, bias = (
                constant(interpreter, details[int(k)]) for k in operation["inputs"][1:3]
            )
            found.append((np.ascontiguousarray(np.moveaxis(kernel, 0, -1)), bias))
        return found

    def latency_ms(self, repeats: int = 200) -> float:
        """Median wall time of one face in ms."""
        crop = np.random.default_rng(0).integers(0, 256, (1, 48, 48), np.uint8)
        values = self.prepare(crop)
        self.model.run(values)
        times = []
        for _ in range(repeats):
            started_s = time.perf_counter()
            self.model.run(values)
            times.append(time.perf_counter() - started_s)
        return float(np.median(times) * 1000)


def constant(interpreter: Any, detail: dict[str, Any]) -> npt.NDArray[np.float32]:
    """A constant of a file, as float; its first axis may have a scale for each entry."""
    values = np.asarray(interpreter.get_tensor(detail["index"]), np.float32)
    scales = np.asarray(detail["quantization_parameters"]["scales"], np.float32)
    if not scales.size:
        return values
    return values * scales.reshape(-1, *[1] * (values.ndim - 1))
