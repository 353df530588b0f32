from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import UsageError
from training.__main__ import main
from training.data.listings import read_captured, read_labels


def test_labels_are_read_with_the_numbers_of_their_expressions(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\na.png,neutral\nsub/b.png,angry\n")
    assert read_labels(tmp_path) == [(tmp_path / "a.png", 6), (tmp_path / "sub" / "b.png", 0)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot read the labels"),
        (b"file,label\na.png,cheerful\n", "line 2: cheerful is not an expression; known: angry"),
        (b"file,mood\na.png,sad\n", "line 2: expected the columns file and label"),
        (b"file,label\na.png\n", "line 2: expected the columns file and label"),
        (b"label,file\nsad\n", "line 2: expected the columns file and label"),
        (b"file,label\n", "names no pictures"),
        (b"\xff\xfe\x00file", "not a CSV file"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate-crop", "evaluate-smoothing"])
def test_bad_labels_are_one_line(
    text: bytes | None, said: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "labels.csv").write_bytes(text)
    assert main([command, "--pictures", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "labels.csv" in error
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,expression,probability\n", "names no faces"),
        ("file,expression,probability\na.png,glad,0.5\n", "line 2: glad is not an expression"),
        (
            "file,expression,probability\na.png,sad,much\n",
            "line 2: probability is much, not a number",
        ),
        (
            "file,expression,probability\na.png,sad,nan\n",
            "line 2: probability is nan, not a number",
        ),
        (
            "file,expression,probability\na.png,sad,-1\n",
            "line 2: probability is -1, not from 0 to 1",
        ),
        ("file,expression\na.png,sad\n", "line 2: expected the columns file, expression"),
    ],
)
def test_bad_lists_of_collected_faces_are_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "captured.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_captured(tmp_path / "captured.csv")
