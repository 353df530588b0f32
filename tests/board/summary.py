"""From the sections of a run to what the page needs: stages, frames and means, as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.board.counts import KINDS, Counts, Section

STAGES = ("track", "detect", "landmarks", "quality", "classify", "smooth")
KINDS_OF_FRAME = ("detection", "tracking", "mean")
Json = dict[str, Any]


def summarise(sections: Mapping[str, Section], seen: Json) -> Json:
    """Instructions of each stage of a frame with a detection, of one without, of the mean, and the rest.

    Args:
        sections: of one run.
        seen: what the workload wrote.
    """
    stages: Json = {}
    libraries: Json = {}
    for cycle, what in seen["cycles"].items():
        by_kind: dict[str, list[int]] = defaultdict(list)
        for number in range(len(what["faces"])):
            by_kind["detection" if number in what["detections"] else "tracking"].append(number)
            by_kind["mean"].append(number)
        for kind, numbers in by_kind.items():
            for stage in STAGES:
                found = [sections.get(f"{cycle}/{number}/{stage}", Section()) for number in numbers]
                counts = sum((section.counts for section in found), Counts()).scaled(1 / len(found))
                stages[f"{cycle}/{kind}/{stage}"] = [round(count) for count in counts.kinds]
                shares: dict[str, float] = defaultdict(float)
                for section in found:
                    for library, count in section.libraries.items():
                        shares[library] += count / len(found)
                libraries[f"{cycle}/{kind}/{stage}"] = {
                    name: round(n) for name, n in sorted(shares.items())
                }
    cycles = tuple(f"{cycle}/" for cycle in seen["cycles"])
    for name, section in sections.items():
        if section.times and not name.startswith((*cycles, "warm-up", "outside", "empty")):
            stages[name] = [round(count / section.times) for count in section.counts.kinds]
    return {"stages": stages, "libraries": libraries, "cycles": seen["cycles"]}


def joined(parts: Sequence[Json]) -> Json:
    """The parts of one core's run as one summary."""
    keys = ("stages", "libraries", "cycles")
    return {key: {name: v for part in parts for name, v in part[key].items()} for key in keys}


def largest_difference(first: Json, second: Json, least: float = 1e6) -> tuple[float, str]:
    """By how many per cent two runs of one core differ at most, and where.

    Args:
        first: of ``summarise``.
        second: likewise.
        least: instructions; stages of fewer are compared as parts of their frame alone.
    """
    one, other = Counted(first), Counted(second)
    totals = {
        name: (one.get(name).total, other.get(name).total)
        for name in first["stages"]
        if name in second["stages"]
    }
    for cycle in second["cycles"]:
        for kind in KINDS_OF_FRAME:
            name = f"{cycle}/{kind}"
            totals[name] = one.frame(cycle, kind).total, other.frame(cycle, kind).total
    differences = {name: 100 * abs(a - b) / a for name, (a, b) in totals.items() if a >= least}
    worst = max(differences, key=lambda name: differences[name])
    return differences[worst], worst


@dataclass(frozen=True)
class Counted:
    """The counts of one core."""

    summary: Json

    def get(self, name: str) -> Counts:
        """Of a stage or of another section; nothing for one that did not run."""
        return Counts(tuple(map(float, self.summary["stages"].get(name, [0] * len(KINDS)))))

    def frame(self, cycle: str, kind: str, model: str = "expression") -> Counts:
        """A whole frame of a kind of ``KINDS_OF_FRAME``.

        Args:
            cycle: detector and number of faces, such as ``haar/4``.
            kind: which of its frames.
            model: the network; all frames were counted with ``expression``, another one's share
                is put in its place by what both take for a face.
        """
        counts = Counts()
        for stage in STAGES:
            part = self.get(f"{cycle}/{kind}/{stage}")
            if stage == "classify" and model != "expression" and part.total:
                ours, theirs = self.get("expression/1"), self.get(f"{model}/1")
                part = theirs.scaled(part.total / ours.total)
            counts += part
        return counts

    def mean(self, cycle: str, model: str = "expression") -> Counts:
        """The mean frame at 15 frames a second, of all that were counted."""
        return self.frame(cycle, "mean", model)
