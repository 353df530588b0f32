"""The tables of ``training evaluate-gan``, and their place in a Markdown file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from device.errors import UsageError
from device.vocabulary import EXPRESSIONS
from training.files import reason, require_output, write_text

BEGIN, END = "<!-- begin evaluate-gan -->", "<!-- end evaluate-gan -->"


def tables(results: list[dict[str, Any]], real: dict[str, Any], judge: str, command: str) -> str:
    """The two Markdown tables: all measures, and the judge's accuracy a target."""
    first = results[0]
    lines = [
        f"`python -m training {command}`",
        "",
        f"{first['split']} split, n = {first['n_faces']} faces × 7 targets; judge and features: "
        f"`{judge}`, head `{first['head']}` ({first['feature_length']} features); FID and KID from "
        f"{first['distribution_n']} translated against as many other real faces.",
        "",
        "| generator | parameters | steps | judge accuracy | all equally likely | FID | KID × 1000 | reconstruction L1 | "
        "reconstruction SSIM | identity SSIM (own / stranger) | nearer to own | diversity |",
        "| --- " * 12 + "|",
    ]
    lines += [
        f"| {r['kind']} | {r['parameters']:,} | {r['steps']:,} | {r['judge_accuracy']:.1%} | "
        f"{r['judge_accuracy_unprejudiced']:.1%} | {r['fid']:.2f} | {r['kid'] * 1000:.2f} ± {r['kid_spread'] * 1000:.2f} | "
        f"{r['reconstruction_l1']:.4f} | {r['reconstruction_ssim']:.3f} | "
        f"{r['identity_ssim']:.3f} / {r['stranger_ssim']:.3f} | {r['nearer_than_stranger']:.1%} | "
        f"{r['diversity']:.3f} |"
        for r in results
    ]
    lines.append(
        f"| real faces | | | {real['judge_accuracy']:.1%} | {real['judge_accuracy_unprejudiced']:.1%} | "
        f"{first['fid_of_real']:.2f} | "
        f"{first['kid_of_real'] * 1000:.2f} | | | | | {first['diversity_of_real']:.3f} |"
    )
    names = [e.value for e in EXPRESSIONS]
    lines += ["", f"| judge accuracy | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
    lines.append(f"| real faces, n | {' | '.join(map(str, real['counts']))} |")
    for name, found in [*((r["kind"], r) for r in results), ("real faces", real)]:
        for words, key in (("", ""), (", all equally likely", "_unprejudiced")):
            row = found[f"judge_accuracy{key}_of"]
            cells = [f"{row[n]:.1%}" if n in row else "–" for n in names]
            lines.append(f"| {name}{words} | {' | '.join(cells)} |")
    for r in results:
        if r["smiles"]["n"]:
            lines += ["", smiles_of(r)]
    return "\n".join(lines) + "\n"


def smiles_of(result: dict[str, Any]) -> str:
    """One sentence on what the device does to smiles."""
    smiles = result["smiles"]
    shares = [
        f"{e.value} {smiles[f'{e.value}_at_once']:.1%} at once, {smiles[f'{e.value}_by_neutral']:.1%} "
        "by way of neutral"
        for e in EXPRESSIONS
        if f"{e.value}_at_once" in smiles
    ]
    return f"Smiles (n = {smiles['n']}), {result['kind']}: {'; '.join(shares)}."


def rewrite(report: Path, table: str) -> None:
    """Puts the table between the two marks of a Markdown file.

    Raises:
        UsageError: unreadable, or without the marks.
    """
    text, place = marked_part(report)
    marked = f"{BEGIN}\n\n{table}\n{END}"
    write_text(report, text[: place.start()] + marked + text[place.end() :])


def require_report(report: Path) -> None:
    """Tries first whether ``rewrite`` can do its work at a long command's end.

    Raises:
        UsageError: it cannot be read or written, or lacks the marks.
    """
    marked_part(report)
    require_output(report)


def marked_part(report: Path) -> tuple[str, re.Match[str]]:
    """The text of a Markdown file, and where its marked part is.

    Raises:
        UsageError: unreadable, or without the marks.
    """
    try:
        text = report.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{report}: cannot read: {reason(error)}") from error
    place = re.search(re.escape(BEGIN) + ".*?" + re.escape(END), text, re.DOTALL)
    if not place:
        raise UsageError(f"{report}: lacks the lines {BEGIN} and {END}")
    return text, place
