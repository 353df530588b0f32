"""The one wrapper around the TFLite runtime: a model's bytes in, arrays in and arrays out.

Every model of the device goes through it, and so do training and export when they run a file.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import ModelError

PACKAGES = ("ai_edge_litert", "tflite_runtime")  # whichever is installed, in this order
MAX_BATCH = 8  # more rows go in several calls
BATCHES = (1, 2, 4, 8)  # what a model is asked for

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
        self._load: Callable[[], Any] = lambda: load_interpreter(content, threads, package)
        self._interpreters: dict[int, Any] = {}  # by batch size, so that no frame allocates anew
        interpreter = self._interpreter(1)
        self.inputs, self._sources = _ordered(interpreter.get_input_details(), takes, "takes")
        self.outputs, self._targets = _ordered(interpreter.get_output_details(), gives, "gives")

    def run(self, *values: Array) -> list[Array]:
        """All outputs of one invocation, as copies.

        Args:
            values: one array an input, of its shape and type.

        Returns:
            An array an output. A quantized one is float32, in the numbers that it stands for.

        Raises:
            ModelError: the runtime fails.
        """
        return self._invoke(self._interpreter(1), values)

    def run_batch(self, rows: Array) -> npt.NDArray[np.float32]:
        """The first output, (N, ...) float32, of a model with one input.

        Args:
            rows: (N, ...), N at least 1; each row has the input's shape without its first axis.

        Raises:
            ModelError: the model takes no batches, or the runtime fails.
        """
        parts = [self._run_rows(rows[i : i + MAX_BATCH]) for i in range(0, len(rows), MAX_BATCH)]
        return np.concatenate(parts)

    def _run_rows(self, rows: Array) -> npt.NDArray[np.float32]:
        size = 1 << (len(rows) - 1).bit_length()  # 1, 2, 4 or 8
        padded = np.zeros((size, *rows.shape[1:]), rows.dtype)
        padded[: len(rows)] = rows
        first, *_ = self._invoke(self._interpreter(size), [padded])
        return np.asarray(first[: len(rows)], np.float32)

    def _invoke(self, interpreter: Any, values: Sequence[Array]) -> list[Array]:
        for index, value in zip(self._sources, values, strict=True):
            interpreter.set_tensor(index, value)
        try:
            interpreter.invoke()
        except RuntimeError as error:
            raise ModelError(f"the TFLite runtime cannot run the model: {error}") from error
        details = {detail["index"]: detail for detail in interpreter.get_output_details()}
        return [
            dequantized(interpreter.get_tensor(index), *details[index]["quantization"])
            for index in self._targets
        ]

    def _interpreter(self, size: int) -> Any:
        """Allocated for ``size`` rows."""
        if size not in self._interpreters:
            interpreter = self._load()
            try:
                if size > 1:
                    source = interpreter.get_input_details()[0]
                    shape = (size, *map(int, source["shape"][1:]))
                    interpreter.resize_tensor_input(source["index"], shape)
                interpreter.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                raise ModelError(f"the model takes no batch of {size}: {error}") from error
            self._interpreters[size] = interpreter
        return self._interpreters[size]


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
