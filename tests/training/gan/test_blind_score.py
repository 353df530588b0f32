from __future__ import annotations

from pathlib import Path

import pytest

from training.__main__ import main
from training.gan.blind_score import score

ANSWERS = """file,truth,expression
realism/01.png,real,
realism/02.png,synthetic,fear
realism/03.png,synthetic,sad
expressions/01.png,synthetic,fear
expressions/02.png,synthetic,fear
expressions/03.png,synthetic,happy
"""
GUESSES = {
    "realism/01.png": "real", "realism/02.png": "real", "realism/03.png": "synthetic",
    "expressions/01.png": "fear", "expressions/02.png": "surprise", "expressions/03.png": "happy",
}  # fmt: skip


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "answers.csv"
    path.write_text(ANSWERS)
    return path


def write(path: Path, guesses: dict[str, str], more: str = "") -> Path:
    rows = [f"{file},{answer}\n" for file, answer in reversed(guesses.items())]  # in any order
    path.write_text("file,answer\n" + "".join(rows) + more)
    return path


def test_what_was_said_is_counted(answers: Path, tmp_path: Path) -> None:
    lines = score(answers, write(tmp_path / "guesses.csv", GUESSES)).splitlines()
    assert lines[:2] == [
        "told right: 2 of 3 (real 1 of 1, synthetic 1 of 2)",
        "named as asked: 2 of 3",
    ]
    assert lines[3] == r"| asked \ named | angry | disgust | fear | happy | sad | surprise | neutral |"  # fmt: skip
    assert "| fear | 0 | 0 | 1 | 0 | 0 | 1 | 0 |" in lines
    assert "| happy | 0 | 0 | 0 | 1 | 0 | 0 | 0 |" in lines
    assert "| sad | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in lines


@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        ({"realism/02.png": "fake"}, "", "'fake' for realism/02.png is none of real, synthetic"),
        ({"realism/02.png": "fear"}, "", "'fear' for realism/02.png is none of real, synthetic"),
        ({"expressions/01.png": ""}, "", "'' for expressions/01.png is none of angry, disgust"),
        ({}, "realism/04.png,real\n", "line 8: 'realism/04.png' is no picture of the test"),
        ({}, "realism/01.png,real\n", "line 8: realism/01.png is answered twice"),
        ({}, "realism/04.png\n,\n", "line 8: 'realism/04.png' is no picture of the test (and 1 more)"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(
    change: dict[str, str], more: str, said: str, answers: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    guesses = write(tmp_path / "guesses.csv", GUESSES | change, more)
    assert main(["blind-test", "--score", str(answers), str(guesses)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_missing_row_is_named(
    answers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = dict(list(GUESSES.items())[:4])
    guesses = write(tmp_path / "guesses.csv", first)
    assert main(["blind-test", "--score", str(answers), str(guesses)]) == 2
    assert "no answer for expressions/02.png (and 1 more)" in capsys.readouterr().err
    assert main(["blind-test", "--score", str(guesses), str(guesses)]) == 2
    assert "guesses.csv, line 2: not a row of file, truth, exp" in capsys.readouterr().err
    assert main(["blind-test", "--score", str(answers), str(tmp_path / "none.csv")]) == 2
    assert "none.csv: cannot read the guesses" in capsys.readouterr().err
    assert main(["blind-test", "--score", str(answers), str(write(guesses, GUESSES))]) == 0
    assert "told right: 2 of 3" in capsys.readouterr().out
