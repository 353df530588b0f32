"""What somebody said of the pictures of ``training blind-test``, beside what they are."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from device.errors import UsageError
from device.vocabulary import EXPRESSIONS
from training.data.rows import read_rows
from training.reports.tables import table

COLUMNS = ("file", "truth", "expression")  # of answers.csv
REALISM, NAMING = "realism", "expressions"  # folders, and the two questions
KNOWN = {REALISM: ("real", "synthetic"), NAMING: tuple(e.value for e in EXPRESSIONS)}


def score(answers: Path, guesses: Path) -> str:
    """How many were told right and named as asked, and a table of the names.

    Args:
        answers: ``answers.csv`` of the test.
        guesses: a table of file and answer, a row for each picture of the test.

    Raises:
        UsageError: unreadable, other pictures than those of the test, or an unknown answer.
    """
    truths = {}
    for line, row in enumerate(read_rows(answers, "the answers"), start=2):
        question = (row.get("file") or "").split("/")[0]
        truth = row.get("truth" if question == REALISM else "expression")
        if truth not in KNOWN.get(question, ()):
            raise UsageError(f"{answers}, line {line}: not a row of {', '.join(COLUMNS)}")
        truths[row["file"]] = truth
    said = read_guesses(guesses, truths)
    pairs = {q: [(t, said[f]) for f, t in truths.items() if f.startswith(q)] for q in KNOWN}
    right = {q: sum(t == guess for t, guess in pairs[q]) for q in KNOWN}
    names, named, told = KNOWN[NAMING], pairs[NAMING], pairs[REALISM]
    each = [f"{k} {told.count((k, k))} of {sum(t == k for t, _ in told)}" for k in KNOWN[REALISM]]
    rows = [[asked, *(str(named.count((asked, name))) for name in names)] for asked in names]
    return (
        f"told right: {right[REALISM]} of {len(told)} ({', '.join(each)})\n"
        f"named as asked: {right[NAMING]} of {len(named)}\n\n"
        + table(["asked \\ named", *names], rows).rstrip()
    )


def read_guesses(path: Path, files: Collection[str]) -> dict[str, str]:
    """The answer to each file.

    Raises:
        UsageError: unreadable, a picture without a row, a row too many, or an unknown answer.
    """
    said, wrong = dict[str, str](), list[str]()
    for line, row in enumerate(read_rows(path, "the guesses"), start=2):
        file, answer = ((row.get(column) or "").strip() for column in ("file", "answer"))
        if file not in files:
            wrong.append(f"line {line}: {file!r} is no picture of the test")
        elif file in said:
            wrong.append(f"line {line}: {file} is answered twice")
        elif answer not in (known := KNOWN[file.split("/")[0]]):
            wrong.append(f"line {line}: {answer!r} for {file} is none of {', '.join(known)}")
        said[file] = answer
    wrong += [f"no answer for {file}" for file in files if file not in said]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UsageError(f"{path}: {wrong[0]}{more}")
    return said
