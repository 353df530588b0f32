"""The boards, and how a number of instructions becomes a range of milliseconds: an estimate.

How fast a core gets through instructions depends on what they are, on the caches and on the
memory, none of which an emulator shows. The two ends of a range are therefore assumptions; the
page holds them against times that others have measured (``PUBLISHED``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from tests.board.counts import Counts

FRAME_RATE_HZ = 15.0  # what the device asks of a camera by default
MOST_FACES = 8  # counted; a frame with more is not estimated


@dataclass(frozen=True)
class Core:
    """A processor core.

    Attributes:
        name: as people know it.
        qemu: its name for ``-cpu``.
        part: in ``/proc/cpuinfo``.
        features: in ``/proc/cpuinfo``, as Linux shows them on the board.
        slow: instructions a cycle at the slow end of the range.
        fast: at the fast end.
        cascade: at the slow end, of a frame that a Haar cascade searches.
        multiplies: 128-bit integer multiplies or dot products that it can start in a cycle.
    """

    name: str
    qemu: str
    part: str
    features: str
    slow: float
    fast: float
    cascade: float
    multiplies: float


@dataclass(frozen=True)
class Board:
    """A board at one clock."""

    name: str
    core: str  # of CORES
    clock_ghz: float


@dataclass(frozen=True)
class Published:
    """A time that somebody measured on a board, one thread."""

    board: str
    core: str
    clock_ghz: float
    network: str
    milliseconds: float
    source: str
    is_cascade: bool = False


ARMV8 = "fp asimd evtstrm crc32 cpuid"
ARMV82 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
CORES = {
    "a53": Core(
        "Cortex-A53", "cortex-a53", "0xd03", ARMV8, slow=0.5, fast=1.1, cascade=0.35, multiplies=1.0
    ),
    "a72": Core(
        "Cortex-A72", "cortex-a72", "0xd08", ARMV8, slow=0.7, fast=1.5, cascade=0.5, multiplies=1.0
    ),
    "a76": Core(
        "Cortex-A76", "cortex-a76", "0xd0b", ARMV82, slow=1.1, fast=2.4, cascade=0.8, multiplies=2.0
    ),
}
BOARDS = (
    Board("Pi Zero 2 W", "a53", 1.0),
    Board("Pi 3 B", "a53", 1.2),
    Board("Pi 3 B+", "a53", 1.4),
    Board("Pi 4", "a72", 1.5),
    Board("Pi 4, newer", "a72", 1.8),
    Board("Pi 5", "a76", 2.4),
    Board("Jetson Orin Nano", "a76", 1.5),
)
EFFICIENTDET = "NobuoTsukamoto/benchmarks, EfficientDet, TensorFlow Lite 2.18 with XNNPACK"
SSDLITE = "NobuoTsukamoto/benchmarks, TF1 detection zoo, TensorFlow Lite 2.5 with XNNPACK"
CASCADES = "TonyCongqianWang/cv_facedetection_eval, three other pictures, 346 to 380 ms"
PUBLISHED = (
    Published("Pi 3 B+", "a53", 1.4, "ssdlite-mobilenet-v2-float32", 349.3, SSDLITE),
    Published("Pi 4", "a72", 1.5, "ssdlite-mobilenet-v2-float32", 210.5, SSDLITE),
    Published("Pi 4", "a72", 1.5, "efficientdet-lite0-float32", 328.7, EFFICIENTDET),
    Published("Pi 4", "a72", 1.5, "efficientdet-lite0-int8", 197.8, EFFICIENTDET),
    Published("Pi 4", "a72", 1.5, "haar-default-320", 360.0, CASCADES, is_cascade=True),
    Published("Pi 5", "a76", 2.4, "efficientdet-lite0-float32", 104.0, EFFICIENTDET),
    Published("Pi 5", "a76", 2.4, "efficientdet-lite0-int8", 44.2, EFFICIENTDET),
)


def estimate_ms(
    counts: Counts, core: Core, clock_ghz: float, is_cascade: bool = False
) -> tuple[float, float]:
    """The range of milliseconds, fast end first.

    The fast end is never less than what the multiplications alone take.
    """
    multiplies = (counts.multiplies + counts.dot_products) / core.multiplies
    slow = core.cascade if is_cascade else core.slow
    fast = max(counts.total / core.fast, multiplies)
    return fast / clock_ghz / 1e6, max(counts.total / slow, fast) / clock_ghz / 1e6


def instructions_a_cycle(counts: Counts, published: Published) -> float:
    """What the core got through, if the published time is right."""
    return counts.total / (published.milliseconds * published.clock_ghz * 1e6)


def faces_that_fit(cost_ms: Mapping[int, float], rate_hz: float = FRAME_RATE_HZ) -> int | None:
    """How many faces a core follows at a frame rate; None when not even an empty frame fits.

    Args:
        cost_ms: mean cost of a frame by number of faces; between two of them it is a line.
        rate_hz: frames a second.
    """
    limit_ms, known = 1e3 / rate_hz, sorted(cost_ms)
    if cost_ms[known[0]] > limit_ms:
        return None
    fits = known[0]
    for low, high in pairwise(known):
        for faces in range(low + 1, high + 1):
            share = (faces - low) / (high - low)
            if cost_ms[low] + share * (cost_ms[high] - cost_ms[low]) > limit_ms:
                return fits
            fits = faces
    return fits
