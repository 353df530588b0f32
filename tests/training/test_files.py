from __future__ import annotations

from pathlib import Path

import pytest

from training.files import whole, write_json, write_table


def failing_rows():
    yield ("1", "2")
    raise ValueError("the second row")


def test_a_failure_leaves_what_was_there_before_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_table(path, ("a", "b"), [("7", "8")])
    before = path.read_text()
    with pytest.raises(ValueError, match="the second row"):
        write_table(path, ("a", "b"), failing_rows())
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_not_there_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.weights.h5"
    with whole(path) as part:
        part.write_bytes(b"1")
        assert not path.exists()
        assert part.name.endswith(".weights.h5")
    assert path.read_bytes() == b"1"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_as_json_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"x": object()})
    assert list(tmp_path.iterdir()) == []
