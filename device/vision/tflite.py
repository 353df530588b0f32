"""The one wrapper around the TFLite runtime: a model's bytes in, arrays in and arrays out.

Every model of the device goes through it, and so do training and export when they run a file.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import ModelError

PACKAGES = ("ai_edge_litert", "tflite_runtime")  # whichever is installed, in this order

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model.

    Attributes:
        shape: for a batch of one.
        dtype: of the file's tensor; None stands for any type that holds numbers.
    """

    shape: tuple[int, ...]
    dtype: type[np.generic] | None = None

    def __str__(self) -> str:
        kind = "" if self.dtype is None else f"{np.dtype(self.dtype)} "
        return f"{kind}({', '.join(map(str, self.shape))})"

    def fits(self, other: Tensor) -> bool:
        """True when the file's tensor ``other`` is what is wanted here."""
        return self.shape == other.shape and self.dtype in (None, other.dtype)


class TFLiteModel:
    """A model that is ready to run; for one thread at a time.

    Attributes:
        inputs: in the order that ``run`` takes them.
        outputs: in the order that ``run`` gives them.
    """

    def __init__(
        self,
        content: bytes,
        takes: Sequence[Tensor] = (),
        gives: Sequence[Tensor] = (),
        threads: int = 1,
        package: str | None = None,
    ) -> None:
        """Loads a model and checks what it takes and gives.

        Args:
            content: the bytes of the ``.tflite``.
            takes: the inputs that are wanted, in the caller's order; empty for the file's own.
            gives: the outputs, likewise.
            threads: of the runtime.
            package: the runtime, one of ``PACKAGES``; None for whichever is installed.

        Raises:
            ModelError: no runtime, unreadable bytes, or other inputs or outputs than wanted.
        """
        interpreter = self._interpreter = load_interpreter(content, threads, package)
        try:
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"the TFLite runtime cannot hold the model: {error}") from error
        self.inputs, self._sources = _ordered(interpreter.get_input_details(), takes, "takes")
        self.outputs, self._targets = _ordered(interpreter.get_output_details(), gives, "gives")
        details = {detail["index"]: detail for detail in interpreter.get_output_details()}
        self._quantizations = [details[index]["quantization"] for index in self._targets]

    def run(self, *values: Array) -> list[Array]:
        """All outputs of one invocation, as copies.

        Args:
            values: one array an input, of its shape and type.

        Returns:
            An array an output. A quantized one is float32, in the numbers that it stands for.

        Raises:
            ModelError: the runtime fails.
        """
        interpreter = self._interpreter
        for index, value in zip(self._sources, values, strict=True):
            interpreter.set_tensor(index, value)
        try:
            interpreter.invoke()
        except RuntimeError as error:
            raise ModelError(f"the TFLite runtime cannot run the model: {error}") from error
        return [
            dequantized(interpreter.get_tensor(index), *quantization)
            for index, quantization in zip(self._targets, self._quantizations, strict=True)
        ]

    def run_each(self, rows: Array) -> npt.NDArray[np.float32]:
        """The first output, (N, ...) float32, of a model with one input, for N rows.

        Each row is an invocation of its own: on a board a batch saves 0.3 % of the instructions.

        Args:
            rows: (N, ...), N at least 1; each row has the input's shape without its first axis.

        Raises:
            ModelError: the runtime fails.
        """
        return np.concatenate([self.run(row[None])[0] for row in rows]).astype(np.float32)


def dequantized(values: Array, scale: float, zero: int) -> Array:
    """A copy of the values of a tensor, float32 where it is quantized.

    Args:
        values: (...) as the runtime gives them.
        scale: 0 for a tensor that is not quantized.
        zero: the stored value that stands for 0.
    """
    if not scale:
        return values.copy()
    return (values.astype(np.float32) - np.float32(zero)) * np.float32(scale)


def runtime_name() -> str:
    """The package that runs models here; ModelError where none is installed."""
    return str(load_runtime().__name__).split(".")[0]


def load_interpreter(
    content: bytes, threads: int = 1, package: str | None = None, **options: Any
) -> Any:
    """The runtime's own ``Interpreter``, not yet allocated.

    Args:
        content: the bytes of the ``.tflite``.
        threads: of the runtime.
        package: as for ``TFLiteModel``.
        options: more arguments of ``Interpreter``.

    Raises:
        ModelError: no runtime, or bytes that it cannot read.
    """
    runtime = load_runtime(package)
    try:
        return runtime.Interpreter(model_content=content, num_threads=threads, **options)
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"the TFLite runtime refuses the model: {error}") from error


def load_runtime(package: str | None = None) -> Any:
    """The module of the runtime, imported when first used.

    Raises:
        ModelError: it is not installed.
    """
    for name in PACKAGES if package is None else (package,):
        with suppress(ImportError):
            return importlib.import_module(f"{name}.interpreter")
    if package:
        raise ModelError(f"{package} is not installed here")
    raise ModelError("no TFLite runtime: install ai-edge-litert (or tflite-runtime)")


def _ordered(
    details: Sequence[Any], wanted: Sequence[Tensor], verb: str
) -> tuple[tuple[Tensor, ...], list[int]]:
    """The tensors and their numbers in the runtime, in the order that is wanted."""
    found = [Tensor(tuple(map(int, d["shape"])), d["dtype"]) for d in details]
    indices = [int(detail["index"]) for detail in details]
    if not wanted:
        return tuple(found), indices
    order = [next((i for i, f in enumerate(found) if w.fits(f)), None) for w in wanted]
    if None in order or len(found) != len(wanted):
        has, want = (" and ".join(map(str, tensors)) for tensors in (found, wanted))
        raise ModelError(f"the model {verb} {has}, not {want}")
    places = [i for i in order if i is not None]
    return tuple(found[i] for i in places), [indices[i] for i in places]
