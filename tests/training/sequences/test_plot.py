from __future__ import annotations

import json
from pathlib import Path

from training.sequences.plot import plot_sequences

NUMBERS = Path(__file__).parents[3] / "docs" / "faces" / "sequences.json"


def test_the_plot_is_drawn_of_what_the_command_wrote(tmp_path: Path) -> None:
    figures = json.loads(NUMBERS.read_text())
    plot_sequences(figures, tmp_path / "all.png")
    assert (tmp_path / "all.png").stat().st_size > 10_000
    plot_sequences({"stills": figures["stills"][:1]}, tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 5_000
