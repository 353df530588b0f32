"""The plug-in's output is read by section, kind and library; frames are put together from it."""

from __future__ import annotations

import pytest

from tests.board.counts import KINDS, Counts, parse, without_marks
from tests.board.summary import Counted, largest_difference, summarise

MAPS = """\
400000-9cf000 r-xp 00000000 fe:00 16041665    /cache/root/usr/bin/python3.13
5500000000-5500001000 ---p 00000000 00:00 0
5500010000-5500020000 r-xp 00000000 fe:00 1   /cache/root/opt/mien/cv2/cv2.abi3.so
5500020000-5500030000 r-xp 00000000 fe:00 1   /cache/root/usr/lib/aarch64-linux-gnu/libc.so.6
"""
NAMES = ["outside", "empty", "haar/1/0/detect"]
TEXT = """\
begun 0 3
begun 1 2
begun 2 1
0 400000 0 0 0 0 9 9 9
1 400000 0 0 0 0 20 10 30
2 400000 0 0 0 0 100 50 60
2 5500011000 7 0 5 3 40 10 100
2 5500025000 0 0 0 0 1 1 1
2 7700000000 0 0 0 0 0 0 2
"""


def test_counts_are_summed_by_section_and_library() -> None:
    section = parse(TEXT, NAMES, MAPS)["haar/1/0/detect"]
    assert section.times == 1
    assert section.counts == Counts((7, 0, 5, 3, 141, 61, 163))
    assert section.libraries == {"Python": 210, "OpenCV": 165, "C library": 3, "elsewhere": 2}


def test_marks_are_taken_off_once_for_each_beginning() -> None:
    section = without_marks(parse(TEXT, NAMES, MAPS))["haar/1/0/detect"]
    assert section.counts == Counts((7, 0, 5, 3, 131, 56, 148))  # 10, 5 and 15 less
    assert section.libraries["Python"] == 180
    assert section.libraries["OpenCV"] == 165


def test_a_line_of_another_plug_in_is_refused() -> None:
    with pytest.raises(ValueError, match="3 counts instead of 7"):
        parse("2 400000 1 2 3\n", NAMES, MAPS)


def summary(detect: int, track: int = 3_000_000) -> dict[str, object]:
    """Of one cycle of three frames whose first is searched."""
    names = ["outside", "empty"]
    lines = ["begun 1 1"]

    def add(name: str, times: int, instructions: int) -> None:
        names.append(name)
        number = len(names) - 1
        lines.extend([f"begun {number} {times}", f"{number} 400000 0 0 0 0 0 0 {instructions}"])

    for number in range(3):
        if number == 0:
            add("haar/4/0/detect", 1, detect)
        add(f"haar/4/{number}/track", 1, track)
        for detector in ("haar", "blazeface"):
            add(f"{detector}/4/{number}/classify", 1, 40_000_000)
    add("expression/1", 1, 10_000_000)
    add("expression-tiny/1", 2, 2_000_000)
    cycles = {
        f"{name}/4": {"detections": [0], "faces": [4, 4, 4]} for name in ("haar", "blazeface")
    }
    sections = without_marks(parse("\n".join(lines), names, MAPS))
    return summarise(sections, {"cycles": cycles})


def test_the_mean_frame_has_a_third_of_a_detection() -> None:
    counted = Counted(summary(detect=90_000_000))
    assert counted.frame("haar/4", "detection").total == 133_000_000
    assert counted.frame("haar/4", "tracking").total == 43_000_000
    assert counted.mean("haar/4").total == pytest.approx(73_000_000)


def test_another_network_takes_the_place_of_expression() -> None:
    counted = Counted(summary(detect=90_000_000))
    assert counted.get("expression-tiny/1").total == 1_000_000  # of each of two times
    assert counted.frame("haar/4", "tracking", "expression-tiny").total == 7_000_000


def test_the_largest_difference_of_two_runs_is_named() -> None:
    per_cent, where = largest_difference(summary(90_000_000), summary(91_800_000))
    assert per_cent == pytest.approx(2.0)
    assert where == "haar/4/detection/detect"


def test_kinds_are_as_many_as_the_plug_in_counts() -> None:
    assert len(KINDS) == len(Counts().kinds) == 7
