"""``training report-faces``: docs/faces.md and its plot from the numbers of the measurements."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.files import read_numbers, require_output, write_text
from training.reports.tables import table
from training.sequences.table import sequences_table

OUTPUT = Path("docs/faces.md")
NUMBERS = Path("docs/faces")
PLOT = "smoothing.png"
MAX_DELAY_S = 0.7  # what the defaults of window and dwell were chosen for
DETECTOR_COLUMNS = {
    "recall_40_60": "40-60 px", "recall_60_100": "60-100 px", "recall_100_10000": "100 px and more",
    "recall_60": "60 px and more",
    "recall_60_held_out": "of held-out files", "false_alarms": "false alarms",
    "false_alarms_a_megapixel": "a megapixel", "ms_a_picture": "ms a picture",
    "ms_vga": "ms at 640×480", "ms_amortised": "ms a frame, amortised",
}  # fmt: skip

MOTION_COLUMNS = {
    "portrait_faces": "faces in the demo portrait (1)", "group_faces": "in the group (5)",
    "demo_seen": "demo: face followed", "demo_tracks": "its ids",
    "demo_ghost_frames": "frames with a ghost", "demo_ghosts": "ghosts",
}  # fmt: skip


def add_arguments(commands: Any) -> None:
    """Adds the command to ``python -m training``."""
    parser = commands.add_parser("report-faces", help="write docs/faces.md from the measurements")
    parser.add_argument("--numbers", type=Path, default=NUMBERS, help="folder of their --output")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.set_defaults(run=run_command)


def run_command(arguments: argparse.Namespace, command: str) -> int:
    """Fills the template with tables and draws the curve."""
    require_output(arguments.output)
    detectors, crops, smoothing, sequences = (
        read_numbers(arguments.numbers / f"{name}.json")
        for name in ("detectors", "crops", "smoothing", "sequences")
    )
    plot_smoothing(smoothing, arguments.numbers / PLOT)
    template = (arguments.numbers / "template.md").read_text(encoding="utf-8")
    text = (
        template.replace("{detectors}", detector_table(detectors, DETECTOR_COLUMNS).rstrip())
        .replace("{motion}", detector_table(detectors, MOTION_COLUMNS).rstrip())
        .replace("{crops}", crop_table(crops).rstrip())
        .replace("{smoothing}", smoothing_table(smoothing).rstrip())
        .replace("{sequences}", sequences_table(sequences).rstrip())
    )
    write_text(arguments.output, text)
    print(f"wrote {arguments.output}")
    return 0


def detector_table(detectors: dict[str, dict[str, Any]], columns: dict[str, str]) -> str:
    """A row a detector."""
    rows = [
        [name, *(as_text(key, row.get(key, "–")) for key in columns)]
        for name, row in detectors.items()
    ]
    return table(["detector", *columns.values()], rows)


def as_text(key: str, value: float | str) -> str:
    """A share as percentage, a count as it is, other numbers with two digits."""
    if isinstance(value, str | int):
        return str(value)
    return f"{value:.1%}" if key.startswith(("recall", "demo_seen")) else f"{value:.2f}"


def crop_table(crops: dict[str, dict[str, float]]) -> str:
    """A row a folder and detector, a column a crop."""
    columns: list[str] = max((list(row) for row in crops.values()), key=len)
    rows = [
        [name.replace("/", ", "), *(f"{row[c]:.1%}" if c in row else "" for c in columns)]
        for name, row in crops.items()
    ]
    return table(["pictures, detector", *columns], rows)


SMOOTHING_COLUMNS = {  # title: figure
    "window_s": "window_s", "dwell_s": "dwell_s", "wrong changes a minute": "wrong_a_minute",
    "delay s, median": "delay_s", "delay s, 90 %": "delay_p90_s", "missed": "missed",
    "share of frames that are classified": "classified",
}  # fmt: skip


def smoothing_table(rows: list[dict[str, float]]) -> str:
    """A row a setting."""
    return table(
        SMOOTHING_COLUMNS,
        ([f"{row[key]:.2f}" for key in SMOOTHING_COLUMNS.values()] for row in rows),
    )


def plot_smoothing(rows: list[dict[str, float]], path: Path) -> None:
    """Delay over dwell, a line a window; the title tells the flicker."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for window_s in sorted({row["window_s"] for row in rows}):
        line = [row for row in rows if row["window_s"] == window_s]
        dwells, delays = [r["dwell_s"] for r in line], [r["delay_s"] for r in line]
        axes.plot(dwells, delays, marker="o", label=f"window {window_s} s")
    axes.axhline(MAX_DELAY_S, color="grey", linestyle=":", label=f"no later than {MAX_DELAY_S} s")
    axes.set_xlabel("dwell, s")
    axes.set_ylabel("delay until a true change is reported, s (median)")
    axes.set_ylim(0, None)
    most = max(row["wrong_a_minute"] for row in rows)
    axes.set_title(f"wrong changes a minute on a still face: at most {most:.2f}", fontsize=10)
    axes.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
