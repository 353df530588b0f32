"""The report's tables of accuracy, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from training.reports.plots import NAMES


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    columns = list(head)
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def percent(result: dict[str, Any] | None, key: str = "accuracy") -> str:
    """A share for a table cell."""
    return "–" if result is None else f"{result[key] * 100:.1f} %"


def number(value: float | None, form: str = "{:,}") -> str:
    """A number for a table cell, a dash where it is not known."""
    return "–" if value is None else form.format(value)


def main_table(results: list[dict[str, Any]]) -> str:
    """Accuracy by protocol beside size and latency."""
    head = ["network", "file", "weights", "MMACs", "ms a face", "FER2013", "FER+ majority",
            "ECE", "balanced accuracy", "clean"]  # fmt: skip
    rows = []
    for result in results:
        protocols = result["protocols"]
        majority = protocols.get("majority")
        rows.append([
            result["name"],
            f"{result['bytes'] / 1000:,.0f} kB",
            number(result["parameters"]),
            number(result["mmacs"], "{:.1f}"),
            f"{result['latency_ms']:.2f}",
            percent(protocols["fer2013"]),
            percent(majority),
            percent(majority, "ece"),
            percent(majority, "balanced_accuracy"),
            percent(protocols.get("clean")),
        ])  # fmt: skip
    text = table(head, rows)
    shifted = [r for r in results if "majority, balanced prior" in r["protocols"]]
    if shifted:
        text += '\nWith the card\'s balanced prior (`classifier.prior = "balanced"`):\n\n'
        text += table(
            ["network", "FER+ majority", "balanced accuracy"],
            ([r["name"], percent(p), percent(p, "balanced_accuracy")]
             for r in shifted for p in [r["protocols"]["majority, balanced prior"]]),
        )  # fmt: skip
    return text


def out_of_domain_section(facts: dict[str, Any]) -> str:
    """Pictures of other data sets than the networks were trained on."""
    if not facts["faces"]:
        return ""
    folders = list(facts["faces"])
    counts = "; ".join(
        f"{name}: {found['found']} faces, none found in {found['missed']} more"
        for name, found in facts["faces"].items()
    )
    kinds = {"natural prior": "", "balanced prior": ", balanced prior"}
    head = ["network", *(f"{name}, {kind}" for name in folders for kind in kinds)]
    rows = [
        [r["name"], *(percent(r["wild"].get(name + suffix)) for name in folders
                      for suffix in kinds.values())]
        for r in facts["results"]
    ]  # fmt: skip
    return (
        "## Out-of-domain pictures\n\nThe same crops for all: OpenCV's Haar box, largest "
        f"face, margin 0.1. {counts}. Accuracy is over the faces that were found.\n\n"
    ) + table(head, rows)


def class_section(results: list[dict[str, Any]]) -> str:
    """F1 of each expression."""
    rows = []
    for result in results:
        name = "majority" if "majority" in result["protocols"] else "fer2013"
        score = result["protocols"][name]
        cells = [f"{score['classes'][label]['f1']:.2f}" for label in NAMES]
        rows.append([result["name"], *cells, f"{score['macro_f1']:.2f}"])
    return f"## F1 of each expression ({name})\n\n" + table(["network", *NAMES, "macro"], rows)
