"""The gate: a converted file that misses one limit is not written.

Each artefact measures what counts for it (``Limit``): agreement with its model, size, time. The
files also have to load in the older of the two runtimes that devices have.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from device.errors import MienError

NUM_TIMED = 100
# Newest versions of operators that tflite-runtime 2.14 knows, where converters make newer ones.
OLD_RUNTIME = {schema.BuiltinOperator.FULLY_CONNECTED: 11}


class GateError(MienError):
    """A file is not fit for the device, or worse than the one that it would replace."""


@dataclass(frozen=True)
class Limit:
    """A measure of a file and what it may be.

    Attributes:
        words: what was measured, as a sentence begins: "the file has", "accuracy falls by".
        value: measured; NaN passes no limit.
        allowed: the smallest or the largest value that passes.
        at_least: ``allowed`` is the smallest one.
        form: how figures are written, with one ``{}``.
    """

    words: str
    value: float
    allowed: float
    at_least: bool = False
    form: str = "{:g}"

    def complaint(self) -> str:
        """What is wrong, "" when nothing is."""
        good = self.value >= self.allowed if self.at_least else self.value <= self.allowed
        bound = "is below" if self.at_least else "more than"
        comma = "" if self.at_least else ","
        value, allowed = self.form.format(self.value), self.form.format(self.allowed)
        return "" if good else f"{self.words} {value}{comma} {bound} {allowed}"


def require(limits: Sequence[Limit], measured_on: str) -> None:
    """Lets a good file pass.

    Args:
        limits: all that were measured.
        measured_on: pictures and their number, for the error.

    Raises:
        GateError: it is not good; names each limit that it misses.
    """
    complaints = [limit.complaint() for limit in limits]
    if any(complaints):
        raise GateError(f"not exported, on {measured_on}: {'; '.join(filter(None, complaints))}")


def size_limit(content: bytes, allowed: int) -> Limit:
    """Bytes of the file."""
    return Limit("the file has", len(content), allowed, form="{:,.0f} bytes")


def time_limit(face_ms: float, allowed_ms: float) -> Limit:
    """Time of one face on one core of this machine."""
    return Limit("it takes", face_ms, allowed_ms, form="{:.2f} ms a face")


def old_runtime_limit(content: bytes) -> Limit:
    """How many of the file's operators tflite-runtime 2.14 cannot run: none is allowed."""
    operators = unknown_operators(content)
    words = f"tflite-runtime 2.14 cannot run {', '.join(operators)}; unknown operators:"
    return Limit(words, len(operators), 0)


def unknown_operators(content: bytes) -> list[str]:
    """Operators that tflite-runtime 2.14 does not have: too new, or int8 weights on real input."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    found = set()
    for graph in model.subgraphs:
        for operation in graph.operators:
            code = model.operatorCodes[operation.opcodeIndex]
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            if code.version > OLD_RUNTIME.get(number, code.version):
                found.add(f"{names[number]} {code.version}")
            if number == schema.BuiltinOperator.TRANSPOSE_CONV:
                weights, values = (graph.tensors[i].type for i in operation.inputs[1:3])
                real = values == schema.TensorType.FLOAT32
                if real and weights == schema.TensorType.INT8:
                    found.add("TRANSPOSE_CONV with int8 weights and float32 input")
    return sorted(found)


def time_of_face_ms(run: Callable[[], object]) -> float:
    """Median time that a call takes of one core, whatever else the machine does."""
    run()
    times = []
    for _ in range(NUM_TIMED):
        started_s = time.thread_time()
        run()
        times.append(time.thread_time() - started_s)
    return statistics.median(times) * 1e3
