"""Writes docs/board.md from counts.json."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.board.boards import (
    BOARDS,
    CORES,
    FRAME_RATE_HZ,
    MOST_FACES,
    PUBLISHED,
    Board,
    estimate_ms,
    faces_that_fit,
    instructions_a_cycle,
)
from tests.board.counts import Counts
from tests.board.layers import LAYERS
from tests.board.summary import STAGES, Counted

TEMPLATE = Path(__file__).with_name("template.md")
CROWDS = (0, 1, 4, 8)
KINDS_OF_FRAME = ("detection", "tracking")
LEAST_MULTIPLY_ADDS = 10_000  # of a layer, to divide its instructions by
STAGE_NAMES = {
    "detect": "detect: search the whole frame",
    "track": "track: templates, ids",
    "landmarks": "landmarks: two looks at each face",
    "quality": "crop and quality gate",
    "classify": "classify: `expression`",
    "smooth": "smooth",
}
OTHERS = (
    ("`expression`, 1 face", "expression/1"),
    ("`expression`, 4 faces", "expression/4"),
    ("`expression`, 8 faces", "expression/8"),
    ("`expression-tiny`, 1 face", "expression-tiny/1"),
    ("`expression-tiny`, 8 faces", "expression-tiny/8"),
    ("landmarks, 1 face", "blazeface/1/detection/landmarks"),
    ("generator: one synthesis", "synthesize"),
    ("USB camera: JPEG to grey", "usb camera"),
    ("`fer` 25.10.3: its TFLite, 1 face", "network/fer"),
    ("OpenCV's usual call, 640×480", "usual call"),
    ("the same for faces of 50 px and more", "usual call, 50 px"),
)


def page(result: dict[str, Any]) -> str:
    """The whole page.

    Args:
        result: what ``__main__`` wrote to counts.json.
    """
    cores = {name: Counted(summary) for name, summary in result["cores"].items()}
    text = TEMPLATE.read_text(encoding="utf-8")
    parts = {
        "{short}": short(cores),
        "{stages}": stages(cores),
        "{frames}": frames(cores),
        "{times}": times(cores),
        "{networks}": networks(cores),
        "{libraries}": libraries(result["cores"]["a72"]["libraries"]),
        "{peers}": peers(cores),
        "{layers}": layers(cores, result["layers"]),
        "{ranges}": ranges(),
        "{published}": published(cores),
        "{difference}": f"{result['repeat']['per_cent']:.2f} %",
        "{different}": f"`{result['repeat']['where']}`",
        "{versions}": ", ".join(
            f"{name} {version}" for name, version in result["versions"].items()
        ),
    }
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def short(cores: dict[str, Counted]) -> str:
    """One line a board: the default detector, both networks."""
    rows = []
    for board in BOARDS:
        one = mean_ms(cores, board, "blazeface/1")
        rows.append(
            (
                *place(board),
                span(one),
                f"{rate(one[1])} to {rate(one[0])}",
                fit(cores, board, "expression"),
                span(mean_ms(cores, board, "blazeface/1", "expression-tiny")),
                fit(cores, board, "expression-tiny"),
            )
        )
    head = ("board", "core", "ms a frame, one face", "frames/s on one core", "faces at 15 frames/s")
    return table((*head, "ms, `expression-tiny`", "faces, `expression-tiny`"), rows)


def stages(cores: dict[str, Counted]) -> str:
    """BlazeFace, one face: millions of instructions a stage."""
    rows = []
    for stage in STAGES:
        row = [STAGE_NAMES[stage]]
        for counted in cores.values():
            row += [millions(counted.get(f"blazeface/1/{kind}/{stage}")) for kind in KINDS_OF_FRAME]
        rows.append(row)
    whole = ["**whole frame**"]
    for counted in cores.values():
        whole += [f"**{millions(counted.frame('blazeface/1', kind))}**" for kind in KINDS_OF_FRAME]
    rows.append(whole)
    head = ["stage"]
    for name in cores:
        head += [f"{CORES[name].name}, {kind}" for kind in KINDS_OF_FRAME]
    return table(head, rows)


def frames(cores: dict[str, Counted]) -> str:
    """Each detector and number of faces: detection frame, tracking frame, mean."""
    rows = []
    for cycle, seen in cores["a72"].summary["cycles"].items():
        detector, _, num_faces = cycle.partition("/")
        found = sorted(set(seen["faces"]))
        row = [detector, num_faces, " or ".join(map(str, found))]
        for counted in cores.values():
            parts = [counted.frame(cycle, kind) for kind in KINDS_OF_FRAME]
            row.append(" / ".join(map(millions, (*parts, counted.mean(cycle)))))
        rows.append(row)
    return table(("detector", "faces", "found", *(CORES[name].name for name in cores)), rows)


def times(cores: dict[str, Counted]) -> str:
    """The mean frame with one face in ms, by detector."""
    rows = []
    for board in BOARDS:
        detectors = ("blazeface", "haar", "hog", "both")
        rows.append((*place(board), *(span(mean_ms(cores, board, f"{d}/1")) for d in detectors)))
    return table(("board", "core", "BlazeFace", "Haar", "HOG", "both"), rows)


def networks(cores: dict[str, Counted]) -> str:
    """Networks and single calls, by kind of instruction."""
    rows = []
    for label, name in OTHERS:
        old, new = cores["a72"].get(name), cores["a76"].get(name)
        kinds = (old.multiplies, old.float_multiplies, old.other_simd, old.loads_and_stores)
        row = [label, millions(cores["a53"].get(name)), millions(old)]
        row += [f"{kind / 1e6:.1f}" for kind in kinds]
        rows.append([*row, millions(new), f"{new.dot_products / 1e6:.1f}"])
    head = ["what", "A53: all", "A72: all", "A72: integer multiplies", "A72: float multiplies"]
    head += ["A72: other SIMD", "A72: loads, stores", "A76: all", "A76: dot products"]
    return table(head, rows)


def libraries(by_stage: dict[str, dict[str, int]]) -> str:
    """In which library the instructions of a frame lie."""
    names = ("Python", "NumPy", "OpenCV", "LiteRT", "C library", "elsewhere")
    rows = []
    for kind in KINDS_OF_FRAME:
        for stage in STAGES:
            parts = by_stage.get(f"blazeface/1/{kind}/{stage}", {})
            if sum(parts.values()) >= 5e4:
                rows.append((kind, stage, *(f"{parts.get(name, 0) / 1e6:.2f}" for name in names)))
    return table(("frame", "stage", *names), rows)


def peers(cores: dict[str, Counted]) -> str:
    """Mien beside the usual way: Haar on every frame, then the network."""
    ways: dict[str, Callable[[Counted], Counts]] = {
        "Mien, BlazeFace, `expression`": lambda c: c.mean("blazeface/1"),
        "Mien, BlazeFace, `expression-tiny`": lambda c: c.mean("blazeface/1", "expression-tiny"),
        "Mien, Haar, `expression`": lambda c: c.mean("haar/1"),
        "the usual call and `fer`'s TFLite": lambda c: c.get("usual call") + c.get("network/fer"),
        "the same, faces of 50 px and more": lambda c: (
            c.get("usual call, 50 px") + c.get("network/fer")
        ),
    }
    shown = [board for board in BOARDS if board.name in ("Pi Zero 2 W", "Pi 4", "Pi 5")]
    rows = []
    for label, way in ways.items():
        row = [label, *(millions(way(cores[name])) for name in cores)]
        for b in shown:
            ms = estimate_ms(
                way(cores[b.core]), CORES[b.core], b.clock_ghz, "BlazeFace" not in label
            )
            row.append(span(ms))
        rows.append(row)
    head = ("a frame with one face", *(f"{CORES[n].name}, M" for n in cores))
    return table((*head, *(f"{b.name} {b.clock_ghz:g} GHz, ms" for b in shown)), rows)


def layers(cores: dict[str, Counted], multiply_adds: dict[str, int]) -> str:
    """Single layers and blocks: what they compute, and what they cost."""
    rows = []
    for layer in LAYERS:
        macs, counts = multiply_adds[layer.file], f"network/{layer.file}"
        totals = [counted.get(counts).total for counted in cores.values()]
        row = [layer.name, f"{macs / 1e6:.2f}", *(f"{total / 1e6:.2f}" for total in totals)]
        says = macs >= LEAST_MULTIPLY_ADDS  # squeeze-excitation has next to none
        rows.append([*row, *(f"{total / macs:.2f}" if says else "–" for total in totals)])
    names = [name.upper() for name in cores]
    head = ["layer", "M multiply-adds", *(f"{name}: M" for name in names)]
    return table([*head, *(f"{name}: for a multiply-add" for name in names)], rows)


def ranges() -> str:
    """What was assumed of each core."""
    rows = [
        (c.name, f"{c.slow:g}", f"{c.cascade:g}", f"{c.fast:g}", f"{c.multiplies:g}")
        for c in CORES.values()
    ]
    return table(
        (
            "core",
            "slow end",
            "slow end, Haar cascade",
            "fast end",
            "128-bit multiplies a cycle, at most",
        ),
        rows,
    )


def published(cores: dict[str, Counted]) -> str:
    """Our range beside what others measured."""
    rows = []
    for item in PUBLISHED:
        core, counts = CORES[item.core], cores[item.core].get(f"network/{item.network}")
        ms = estimate_ms(counts, core, item.clock_ghz, item.is_cascade)
        rows.append(
            (
                item.network,
                f"{item.board}, {core.name}, {item.clock_ghz:g} GHz",
                millions(counts),
                span(ms),
                f"{item.milliseconds:.0f}",
                f"{instructions_a_cycle(counts, item):.2f}",
                item.source,
            )
        )
    head = ("network", "board", "M instructions", "estimate, ms", "measured there, ms")
    return table((*head, "so instructions a cycle", "source"), rows)


def mean_ms(
    cores: dict[str, Counted], board: Board, cycle: str, model: str = "expression"
) -> tuple[float, float]:
    """The mean frame's range on a board."""
    is_cascade = cycle.startswith(("haar", "both"))
    counts = cores[board.core].mean(cycle, model)
    return estimate_ms(counts, CORES[board.core], board.clock_ghz, is_cascade)


def fit(cores: dict[str, Counted], board: Board, model: str) -> str:
    """How many faces fit, at both ends."""
    costs = {n: mean_ms(cores, board, f"blazeface/{n}", model) for n in CROWDS}
    ends = []
    for end in (1, 0):
        faces = faces_that_fit({n: cost[end] for n, cost in costs.items()}, FRAME_RATE_HZ)
        ends.append(
            "none" if not faces else f"{MOST_FACES} or more" if faces == MOST_FACES else str(faces)
        )
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def place(board: Board) -> tuple[str, str]:
    """Board and core with its clock."""
    return board.name, f"{CORES[board.core].name}, {board.clock_ghz:g} GHz"


def millions(counts: Counts) -> str:
    """Of all kinds, in millions."""
    return f"{counts.total / 1e6:.1f}"


def span(ms: tuple[float, float]) -> str:
    """A range of milliseconds in two digits: an estimate has no more."""
    low, high = (f"{float(f'{value:.2g}'):g}" for value in ms)
    return f"{low} to {high}"


def rate(ms: float) -> str:
    """Frames a second."""
    return f"{float(f'{1e3 / ms:.2g}'):g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
