"""Reads what the plug-in counted: by section, by kind of instruction, by library."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

# In the order of `enum kind` in count.c.
KINDS = (
    "multiplies",
    "dot products",
    "float multiplies",
    "other SIMD",
    "loads and stores",
    "branches",
    "other",
)
LIBRARIES = {  # a part of the mapped file's path: how the page calls it
    "/cv2/": "OpenCV",
    "opencv": "OpenCV",
    "/numpy": "NumPy",
    "/ai_edge_litert/": "LiteRT",
    "/python3": "Python",
    "/lib": "C library",
}
ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Counts:
    """Executed instructions by kind, in the order of ``KINDS``."""

    kinds: tuple[float, ...] = (0.0,) * len(KINDS)

    @property
    def total(self) -> float:
        """Of all kinds."""
        return sum(self.kinds)

    @property
    def multiplies(self) -> float:
        """128-bit (and narrower) integer multiplications, alone or with an addition."""
        return self.kinds[0]

    @property
    def dot_products(self) -> float:
        """SDOT and its like: sixteen int8 multiplications each."""
        return self.kinds[1]

    @property
    def float_multiplies(self) -> float:
        """Floating-point multiplications, alone or with an addition."""
        return self.kinds[2]

    @property
    def other_simd(self) -> float:
        """What else the vector unit does: additions, shifts, permutations, conversions."""
        return self.kinds[3]

    @property
    def loads_and_stores(self) -> float:
        """Of all registers."""
        return self.kinds[4]

    def __add__(self, other: Counts) -> Counts:
        return Counts(tuple(a + b for a, b in zip(self.kinds, other.kinds, strict=True)))

    def scaled(self, factor: float) -> Counts:
        """Each kind times ``factor``."""
        return Counts(tuple(factor * count for count in self.kinds))


@dataclass
class Section:
    """One section of the workload.

    Attributes:
        times: how often it began (after an inner section it begins again).
        counts: of all times together.
        libraries: instructions of all times by library.
    """

    times: int = 0
    counts: Counts = field(default_factory=Counts)
    libraries: dict[str, float] = field(default_factory=lambda: defaultdict(float))


def parse(text: str, names: Sequence[str], maps: str) -> dict[str, Section]:
    """The sections by name.

    Args:
        text: the plug-in's file, see count.c.
        names: of the sections, by number.
        maps: the guest's ``/proc/self/maps``.

    Raises:
        ValueError: a line that the plug-in does not write.
    """
    sections: dict[str, Section] = defaultdict(Section)
    find = _finder(maps)
    for line in text.splitlines():
        first, *rest = line.split()
        if first == "begun":
            number, times = map(int, rest)
            sections[names[number]].times = times
            continue
        page, *kinds = rest
        if len(kinds) != len(KINDS):
            raise ValueError(f"{len(kinds)} counts instead of {len(KINDS)}: {line}")
        section, counts = sections[names[int(first)]], Counts(tuple(map(float, kinds)))
        section.counts += counts
        section.libraries[find(int(page, 16))] += counts.total
    return dict(sections)


def without_marks(sections: Mapping[str, Section]) -> dict[str, Section]:
    """The sections without what marking them costs: that of the section ``empty``."""
    empty = sections["empty"]
    mark = tuple(count / empty.times for count in empty.counts.kinds)
    result = {}
    for name, section in sections.items():
        kinds = zip(section.counts.kinds, mark, strict=True)
        counts = Counts(tuple(max(0.0, count - section.times * m) for count, m in kinds))
        libraries = dict(section.libraries)
        libraries["Python"] = max(0.0, libraries.get("Python", 0.0) - section.times * sum(mark))
        result[name] = Section(section.times, counts, libraries)
    return result


def _finder(maps: str) -> Callable[[int], str]:
    """What says to which library an address belongs."""
    starts, ends, libraries = [], [], []
    for line in maps.splitlines():
        area, *_, path = (*line.split(maxsplit=5), "")[:6]
        start, end = (int(address, 16) for address in area.split("-"))
        starts.append(start)
        ends.append(end)
        libraries.append(
            next((name for part, name in LIBRARIES.items() if part in path), ELSEWHERE)
        )

    def find(address: int) -> str:
        i = bisect_right(starts, address) - 1
        return libraries[i] if i >= 0 and address < ends[i] else ELSEWHERE

    return find
