"""The precision that a training computes in."""

from __future__ import annotations

from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 with and without tiles, arm64


def usable_precision(wanted: str, cpu_info: Path = CPU_INFO) -> str:
    """The precision wanted, or ``float32`` where the processor would have to emulate bfloat16.

    TensorFlow's emulation took thirteen times the time of float32. A GPU, or a machine that does
    not say what it can do, computes in what is wanted.

    Args:
        wanted: one of Keras' policies.
        cpu_info: what Linux says of the processor.
    """
    if wanted == "float32" or has_gpu() or not cpu_info.exists():
        return wanted
    words = set(cpu_info.read_text(encoding="utf-8", errors="replace").split())
    if words & BFLOAT16:
        return wanted
    print("this processor has no bfloat16: the training computes in float32", flush=True)
    return "float32"


def has_gpu() -> bool:
    """True where Keras' backend sees a GPU."""
    import keras

    return bool(keras.distribution.list_devices("gpu"))
