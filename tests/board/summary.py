"""From the sections of a run to what the page needs: stages, frames and means, as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.board.counts import KINDS, Counts, Section

STAGES = ("track", "detect", "landmarks", "quality", "classify", "smooth")
CYCLE = 3  # frames from one detection to the next: 0.2 s at 15 frames a second
Json = dict[str, Any]


def summarise(sections: Mapping[str, Section], seen: Json) -> Json:
    """Instructions of each stage of a frame with a detection and of one without, and of the rest.

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
        for kind in ("detection", "tracking"):
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
        """A whole frame of ``detection`` or ``tracking``.

        Args:
            cycle: detector and number of faces, such as ``haar/4``.
            kind: which of its frames.
            model: the network; all frames were counted with ``expression``, another one's share
                is put in its place by what both take for so many faces.
        """
        counts = Counts()
        for stage in STAGES:
            part = self.get(f"{cycle}/{kind}/{stage}")
            num_faces = cycle.rpartition("/")[2]
            if stage == "classify" and model != "expression" and num_faces != "0":
                ours = self.get(f"blazeface/{num_faces}/tracking/classify")
                theirs = self.get(f"{model}/{num_faces}")
                part = theirs.scaled(part.total / ours.total)
            counts += part
        return counts

    def mean(self, cycle: str, model: str = "expression") -> Counts:
        """The mean frame of a second at 15 frames a second: every third with a detection."""
        searched = self.frame(cycle, "detection", model).scaled(1 / CYCLE)
        return searched + self.frame(cycle, "tracking", model).scaled(1 - 1 / CYCLE)
