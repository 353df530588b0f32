"""``export benchmark``: size and single-core latency of ``.tflite`` files, in one run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from device.errors import UsageError
from training.reports.tflite import RUNTIMES, TfliteClassifier


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m export``."""
    parser = commands.add_parser("benchmark", help="size and latency of .tflite files")
    parser.add_argument("models", nargs="*", type=Path, help="default: device/models/*.tflite")
    parser.add_argument("--runtime", choices=tuple(RUNTIMES), default="litert")
    parser.add_argument("--repeats", type=int, default=300)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Prints one line a file: median of single faces on one thread."""
    models = arguments.models or sorted(Path("device/models").glob("expression*.tflite"))
    for path in models:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot read the model: {error.strerror}") from error
        classifier = TfliteClassifier(content, runtime=arguments.runtime)
        latency_ms = classifier.latency_ms(arguments.repeats)
        print(f"{path}  {len(content)} bytes  {latency_ms:.3f} ms a face, {arguments.runtime}")
    return 0
