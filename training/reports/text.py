"""Turns the report's measurements into Markdown and plots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.files import write_text
from training.reports.plots import plot_bars, plot_confusion
from training.reports.tables import (
    class_section,
    main_table,
    out_of_domain_section,
    table,
)

Results = list[dict[str, Any]]
REBUILT = ("paper", "mini-xception")  # networks of others that `training classifier` can train

INTRODUCTION = """# Results

Generated on {date} at revision {git_revision} by

    {command}

All figures are of single forward passes without test-time augmentation, on pictures that no
training has seen. Test is FER2013's `PrivateTest`; exact copies of its pictures were taken out of
the training split. Networks, temperature and prior were chosen on `PublicTest`; which head ships as
`expression`, and that the balanced prior is the default, also on the folders below. Where the table
of trainings says so, a part of `PublicTest` was learnt too, once all else was chosen; the rest of it
fitted temperature and prior. The `.tflite` files are measured as they ship, int8, with LiteRT on one
thread of the machine that ran the command.

Paths in the command are shortened to their last part.

* **FER2013**: FER2013's own labels, all {n_fer2013} pictures.
* **FER+ majority**: the choice of the FER+ votes where one of the seven expressions has more than half of
  them, n = {n_majority}.
* **clean**: at least eight of ten annotators agree on one of the seven, n = {n_clean}.
"""

PAPER = """## The paper's claims

| | the paper says | here |
| --- | --- | --- |
| Table 3, on FER2013, and the conclusion, for mini-Xception | 93.43 %, without a protocol | {best_clean} on *clean* by one network and \
{best_fer2013} on FER2013's own labels by another, the best of this report |
| section 4.3, the deep CNN on FER2013 and "StarGAN with CNN" | 80.01 % and 47.03 %, likewise | no \
protocol to compare with; [paper.md](paper.md) has its Tables 2 and 3 beside ours |

{rebuilt}

FER2013's own labels agree with the first choice of the FER+ votes on only {agreement:.0%} of the test \
pictures where the votes are clear (*clean*), so a network that sees what people see cannot reach \
93 % on raw `PrivateTest`: that is beyond the labels' own noise. On the *clean* protocol, with other \
labels and fewer pictures than the paper's, 93.43 % is {verdict}.
"""


def write_report(facts: dict[str, Any], output: Path) -> None:
    """Writes ``results.md`` and the plots beside it in ``img/``."""
    results: Results = [marked(result) for result in facts["results"]]
    facts = {**facts, "results": results}
    images = output.parent / "img"
    images.mkdir(parents=True, exist_ok=True)
    counts = {
        f"n_{name}": results[0]["protocols"].get(name, {}).get("n", "not measured")
        for name in ("fer2013", "majority", "clean")
    }
    parts = [
        INTRODUCTION.format(**facts, **counts),
        "## Accuracy and cost\n\n" + main_table(results) + earlier_note(results),
        out_of_domain_section(facts),
        training_section(results),
        runtime_section(results),
        class_section(results),
        robustness_section(results, images),
        paper_section(results),
        confusion_section(results, images),
    ]
    write_text(output, "\n".join(part for part in parts if part))


def marked(result: dict[str, Any]) -> dict[str, Any]:
    """A result with its name as the tables show it: starred where it was measured earlier."""
    return {**result, "name": result["name"] + (" \\*" if "earlier" in result else "")}


def earlier_note(results: Results) -> str:
    """What the star means; nothing where all was measured by the same run."""
    runs = sorted({(r["earlier"]["date"], r["earlier"]["git_revision"])
                   for r in results if "earlier" in r})  # fmt: skip
    if not runs:
        return ""
    said = " and ".join(f"{date} (revision {revision})" for date, revision in runs)
    return (
        f"\n\\* measured on {said} by an earlier such command on the same pictures, not again; times of "
        "such rows and of the others must not be compared: the machine was another. Their balanced "
        "prior is the one that their card had then.\n"
    )


def training_section(results: Results) -> str:
    """How our files came about, and what int8 cost them; from their cards."""
    head = ["file", "recipe", "training", "int8 against float, validation", "same first choice",
            "temperature"]  # fmt: skip
    rows = []
    for result in results:
        if "card" not in result:
            continue
        run, parity = result["card"]["run"], result["card"]["parity"]["int8"]
        rows.append([
            result["name"],
            recipe_in_words(run["recipe"]),
            f"{run['epochs_done']} epochs, {run['hours']} h, {run['data']['train']:,} pictures",
            f"{parity['accuracy_tflite']:.2%} against {parity['accuracy_keras']:.2%}",
            f"{parity['agreement']:.1%}",
            f"{result['temperature']:g}",
        ])  # fmt: skip
    return "## How our files were made\n\n" + table(head, rows) if rows else ""


def recipe_in_words(recipe: dict[str, Any]) -> str:
    """What tells one training from another, for a table's cell."""
    parts = [recipe["network"], f"seed {recipe['seed']}"]
    if recipe.get("start_from"):
        parts.append(f"begun from {Path(recipe['start_from']).stem}")
    teachers = [recipe["teacher"], *recipe.get("view_teachers", [])]
    taught = " and ".join(Path(teacher).stem for teacher in teachers if teacher)
    if taught:
        parts.append(f"taught by {taught}")
    if recipe.get("learn_validation"):
        parts.append(f"{recipe['learn_validation']:.0%} of validation learnt too")
    return ", ".join(parts)


def runtime_section(results: Results) -> str:
    """LiteRT beside tflite-runtime, where that was asked for."""
    head = ["file", "n", "same first choice", "largest difference of a logit", "LiteRT",
            "tflite-runtime 2.14"]  # fmt: skip
    rows = [
        [r["name"], f"{t['n']:,}", f"{t['agreement']:.1%}", f"{t['largest_logit_difference']:.2f}",
         f"{t['litert_ms']:.2f} ms", f"{t['tflite_runtime_ms']:.2f} ms"]
        for r in results if "runtimes" in r for t in [r["runtimes"]]
    ]  # fmt: skip
    return "## Two runtimes, the same file\n\n" + table(head, rows) if rows else ""


def robustness_section(results: Results, images: Path) -> str:
    """The same pictures, worse."""
    conditions = list(results[0]["robustness"])
    rows = [
        [r["name"], *(f"{r['robustness'][name] * 100:.1f} %" for name in conditions)]
        for r in results
    ]
    plot_bars(
        {r["name"].replace("\\", ""): r["robustness"] for r in results}, images / "robustness.png"
    )
    return (
        "## Robustness\n\nAccuracy (FER+ majority where votes were given) when the same test "
        "pictures get worse.\n\n"
        + table(["network", *conditions], rows)
        + "\n![accuracy under each condition](img/robustness.png)\n"
    )


def paper_section(results: Results) -> str:
    """What the paper claims, beside what was measured."""
    clean = [r["protocols"]["clean"] for r in results if "clean" in r["protocols"]]
    if not clean:
        return ""
    best: Callable[[str], float] = lambda name: max(  # noqa: E731
        r["protocols"][name]["accuracy"] for r in results if name in r["protocols"]
    )
    trained = [
        r["name"] for r in results
        if "card" in r and r["card"]["run"]["recipe"]["network"] in REBUILT
    ]  # fmt: skip
    return PAPER.format(
        rebuilt="Its five-block CNN (`--network paper`) and mini-Xception (`--network "
        "mini-xception`) can be trained with `python -m training classifier`; "
        + (
            f"trained for this report: {', '.join(trained)}."
            if trained
            else "they were not trained for this report."
        )
        + " The published mini-Xception is `fer`'s.",
        best_clean=f"{best('clean'):.1%}",
        best_fer2013=f"{best('fer2013'):.1%}",
        agreement=results[0]["label_agreement"],
        verdict="reached" if best("clean") >= 0.9343 else "not reached",
    )


def confusion_section(results: Results, images: Path) -> str:
    """One matrix for each of our networks."""
    text = "## Confusion matrices\n"
    for result in results:
        if "head" not in result["name"]:  # of others
            continue
        stem = result["name"].split(" (")[0]
        by_votes = "crowd" in result["name"] and "majority" in result["protocols"]
        protocol = "majority" if by_votes else "fer2013"
        path = images / f"confusion-{stem}.png"
        confusion = result["protocols"][protocol]["confusion"]
        by = "FER+ majority" if protocol == "majority" else "FER2013's labels"
        count = sum(map(sum, confusion))
        plot_confusion(confusion, f"{stem}, PrivateTest, {by}, n = {count:,}", path)
        text += f"\n![confusion matrix of {stem}](img/{path.name})\n"
    return text
