"""The table of ``evaluate-sequences``, in Markdown."""

from __future__ import annotations

from typing import Any

from device.vocabulary import EXPRESSIONS, Expression
from training.reports.tables import table


def sequences_table(figures: dict[str, Any]) -> str:
    """A row for each kind of sequence, group and setting."""
    expressions = [expression.value for expression in EXPRESSIONS]
    headings = ["sequences", "rest", "people", "shown", "right", *expressions,
                "false alarms a minute", "rest named wrong", "delay s, median", "90 %",
                "flicker a minute", "calibration error", "smiles for 10 min"]  # fmt: skip
    rows = []
    for kind in ("stills", "warps"):
        for row in figures.get(kind, []):
            recall = [f"{row['recall'][e]:.0%}" if e in row["recall"] else "" for e in expressions]
            name = kind if row["group"] == "all" else f"{kind}, {row['group']}"
            shown = sum(row["shown"].values()) - row["shown"][Expression.NEUTRAL.value]
            smile = [f"{row[k]:.0%}" for k in ("smile_alone", "smile_after_rest") if k in row]
            rows.append([
                name, row["rest"], str(row["people"]), str(shown), f"{row['named_right']:.1%}",
                *recall, f"{row['false_alarms_a_minute']:.2f}", f"{row['rest_named_wrong']:.1%}",
                f"{row['delay_s']:.2f}", f"{row['delay_p90_s']:.2f}",
                f"{row['flicker_a_minute']:.2f}", f"{row['calibration_error']:.1%}",
                " / ".join(smile),
            ])  # fmt: skip
    return table(headings, rows)
