"""The TFLite runtime: whichever of its three packages is installed, imported when first used."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any

from device.errors import ModelError

PACKAGES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow.lite")


def runtime_name() -> str:
    """The package that ``load_interpreter`` uses.

    Raises:
        ModelError: none is installed.
    """
    return str(_runtime().__name__).split(".")[0]


def load_interpreter(content: bytes, threads: int) -> Any:
    """An interpreter of the model, not yet allocated.

    Raises:
        ModelError: no runtime, or bytes that it cannot read.
    """
    runtime = _runtime()
    try:
        return runtime.Interpreter(model_content=content, num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"the TFLite runtime refuses the model: {error}") from error


def _runtime() -> Any:
    for package in PACKAGES:
        with suppress(ImportError):
            return importlib.import_module(package)
    raise ModelError("no TFLite runtime: install ai-edge-litert (or tflite-runtime)")
