"""``make board-cost``: counts what a frame costs on each core and writes docs/board.md.

It takes about twenty minutes of processor time, on all processors of this machine. With ``--page`` alone the
page is written anew from counts.json; with ``--network FILE`` one network is counted, to choose between plans.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.board.boards import BOARDS, CORES, estimate_ms
from tests.board.emulator import others, prepare, qemu_version, run
from tests.board.errors import BoardCostError
from tests.board.layers import MULTIPLY_ADDS
from tests.board.page import millions, page, span
from tests.board.root import REPOSITORY, call, fetch_networks, make_root
from tests.board.summary import joined, largest_difference, summarise

RESULT = Path(__file__).with_name("counts.json")
PAGE = REPOSITORY / "docs" / "board.md"
CACHE = Path.home() / ".cache" / "mien-board"
PARTS = ("blazeface,rest", "haar,hog,both")  # of a core's run, see workload.py
TWICE = "a72"  # is run a second time in part, to see how well it repeats
AGAIN = "blazeface,haar,one"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--page", action="store_true", help="only write the page from counts.json")
    parser.add_argument("--network", type=Path, help="only count this .tflite file, one picture")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"folder to work in ({CACHE})")
    args = parser.parse_args()
    try:
        if args.network:
            return count_network(args.network, args.cache)
        if not args.page:
            RESULT.write_text(json.dumps(count(args.cache), indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(json.loads(RESULT.read_text(encoding="utf-8"))), encoding="utf-8")
    except BoardCostError as error:
        print(f"board-cost: {error}", file=sys.stderr)
        return 1
    print(f"board-cost: {PAGE.relative_to(REPOSITORY)} is written")
    return 0


def count(cache: Path) -> dict[str, Any]:
    """Every core once, and a part of one a second time."""
    plugin = prepare(cache)
    root, networks = make_root(cache), fetch_networks(cache)
    call(
        [sys.executable, "-m", "device", "fetch"],
        "BlazeFace cannot be fetched; is there a network?",
    )
    jobs = [(name, part) for part in PARTS for name in CORES] + [(TWICE, AGAIN)]

    def one(job: tuple[str, str]) -> dict[str, Any]:
        core, part = job
        label = f"{core}-{part.partition(',')[0]}" if part != AGAIN else f"{core}-again"
        files = others(CORES[core], networks) if "rest" in part else []
        summary = summarise(*run(CORES[core], plugin, root, files, label, part))
        print(f"board-cost: {CORES[core].name} is counted: {part}", flush=True)
        return summary

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        summaries = dict(zip(jobs, pool.map(one, jobs), strict=True))
    cores = {name: joined([summaries[name, part] for part in PARTS]) for name in CORES}
    per_cent, where = largest_difference(cores[TWICE], summaries[TWICE, AGAIN])
    return {
        "versions": versions(root),
        "repeat": {"per_cent": round(per_cent, 3), "where": where},
        "layers": json.loads((networks / MULTIPLY_ADDS).read_text(encoding="utf-8")),
        "cores": cores,
    }


def count_network(file: Path, cache: Path) -> int:
    """Prints what one network's forward pass takes on each core."""
    if not file.is_file():
        raise BoardCostError(f"{file}: no such file")
    plugin, root = prepare(cache), make_root(cache)
    for name, core in CORES.items():
        sections, _ = run(core, plugin, root, [file], f"{name}-network", "")
        counts = sections[f"network/{file.stem}"].counts
        boards = ", ".join(
            f"{board.name} {span(estimate_ms(counts, core, board.clock_ghz))} ms"
            for board in BOARDS
            if board.core == name
        )
        print(f"{core.name}: {millions(counts)} M instructions; estimated: {boards}", flush=True)
    return 0


def versions(root: Path) -> dict[str, str]:
    """Of what the counts depend on."""
    found = {"QEMU": ".".join(map(str, qemu_version()))}
    for name, package in (
        ("LiteRT", "ai_edge_litert"),
        ("OpenCV", "opencv_python_headless"),
        ("NumPy", "numpy"),
    ):
        folder = next((root / "opt" / "mien").glob(f"{package}-*.dist-info"))
        found[name] = folder.name.removeprefix(f"{package}-").removesuffix(".dist-info")
    return found


if __name__ == "__main__":
    sys.exit(main())
