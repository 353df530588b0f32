"""What the board says of itself: temperature, throttling, memory. Read from sysfs and procfs.

Raspberry Pi: the firmware's word on throttling, as a file of the kernel or through ``vcgencmd``.
Jetson: thermal zones. Anything else: whatever thermal zones there are.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

THROTTLED_FILES = (
    "devices/platform/soc/soc:firmware/get_throttled",
    "devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
)
PROCESSOR_ZONE = re.compile(r"cpu|soc|tj|gpu|x86_pkg", re.IGNORECASE)
PLAUSIBLE_C = (-40.0, 150.0)  # Jetson reports -256 for a sensor that is switched off
VCGENCMD_WITHIN_S = 2.0
BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
OCCURRED_SHIFT = 16


@dataclass(frozen=True)
class BoardState:
    """One reading.

    Attributes:
        temperature_c: of the hottest processor sensor; None where none is known.
        throttled: whether the processor is slowed down now; None where it cannot be known.
        throttling: what is wrong, and what ``has occurred`` since boot.
        memory_mb: resident memory of this process, 10^6 bytes.
        load: run queue of the last minute.
    """

    temperature_c: float | None
    throttled: bool | None
    throttling: list[str]
    memory_mb: float | None
    load: float | None


def run_vcgencmd() -> str:
    """``throttled=0x50000``, or nothing where there is no such command."""
    try:
        done = subprocess.run(
            ["vcgencmd", "get_throttled"],
            capture_output=True,
            text=True,
            timeout=VCGENCMD_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


class Board:
    """Reads the board.

    Args:
        sys: the sysfs.
        proc: the procfs.
        vcgencmd: asked once where sysfs is silent, and then only if it answered.
    """

    def __init__(
        self,
        sys: Path = Path("/sys"),
        proc: Path = Path("/proc"),
        vcgencmd: Callable[[], str] = run_vcgencmd,
    ) -> None:
        self._sys, self._proc = sys, proc
        self._vcgencmd: Callable[[], str] | None = vcgencmd

    def read(self) -> BoardState:
        """How the board is now."""
        bits = self._throttled_bits()
        return BoardState(
            temperature_c=self._temperature_c(),
            throttled=None if bits is None else bool(bits & 0b1111),
            throttling=[] if bits is None else name_bits(bits),
            memory_mb=resident_mb(self._proc),
            load=_load(),
        )

    def has_temperature(self) -> bool:
        """Whether a sensor can be read."""
        return self._temperature_c() is not None

    def _temperature_c(self) -> float | None:
        readings: dict[bool, list[float]] = {True: [], False: []}
        for zone in sorted((self._sys / "class/thermal").glob("thermal_zone*")):
            kind, text = _text(zone / "type"), _text(zone / "temp")
            try:
                value = int(text) / 1000
            except ValueError:
                continue
            if PLAUSIBLE_C[0] < value < PLAUSIBLE_C[1]:
                readings[bool(PROCESSOR_ZONE.search(kind))].append(value)
        values = readings[True] or readings[False]
        return round(max(values), 1) if values else None

    def _throttled_bits(self) -> int | None:
        for name in THROTTLED_FILES:
            if text := _text(self._sys / name):
                return _hexadecimal(text)
        vcgencmd = self._vcgencmd  # another thread may set it to None meanwhile
        if vcgencmd is None:
            return None
        bits = _hexadecimal(vcgencmd().partition("=")[2])
        if bits is None:
            self._vcgencmd = None
        return bits


def resident_mb(proc: Path = Path("/proc")) -> float | None:
    """Resident memory of this process, 10^6 bytes."""
    match = re.search(r"VmRSS:\s+(\d+) kB", _text(proc / "self/status"))
    return round(int(match[1]) * 1024 / 1e6, 1) if match else None


def name_bits(bits: int) -> list[str]:
    """The firmware's bits in words."""
    now = [name for bit, name in BITS.items() if bits >> bit & 1]
    before = [name for bit, name in BITS.items() if bits >> (bit + OCCURRED_SHIFT) & 1]
    return now + [f"{name} has occurred" for name in before]


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text.strip(), 16)
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None
