from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

import numpy as np
import pytest

from device.errors import UsageError
from tests.training.drawn import drawn_rows, write_csv, write_folder, write_votes
from training.data.fer2013 import VOTE_COLUMNS, Pictures, Split, read_pictures


def test_csv_gives_pixels_labels_and_official_splits(tmp_path: Path) -> None:
    rows = drawn_rows(5)
    pictures = read_pictures(write_csv(tmp_path / "fer2013.csv", rows))
    np.testing.assert_array_equal(pictures.pixels, [picture for _, picture, _ in rows])
    assert pictures.labels.tolist() == [label for label, _, _ in rows]
    assert [len(pictures.split(split)) for split in Split] == [28, 7, 0]
    assert pictures.names[3] == "row 3"
    assert not pictures.has_votes


def test_files_that_a_spreadsheet_has_saved_begin_with_a_mark(tmp_path: Path) -> None:
    rows = drawn_rows(5)
    labels = [label for label, _, _ in rows]
    path, votes = write_csv(tmp_path / "fer2013.csv", rows), write_votes(tmp_path / "v.csv", labels)
    for file in (path, votes):
        file.write_bytes(BOM_UTF8 + file.read_bytes())
    pictures = read_pictures(path, votes)
    assert pictures.labels.tolist() == labels
    assert pictures.has_votes


def test_the_icml_form_has_its_columns_in_another_order(tmp_path: Path) -> None:
    path = tmp_path / "icml_face_data.csv"
    pixels = " ".join(str(value % 256) for value in range(48 * 48))
    path.write_text(f"emotion, Usage, pixels\n4,PrivateTest,{pixels}\n")
    pictures = read_pictures(path)
    assert pictures.labels.tolist() == [4]
    assert pictures.splits.tolist() == [Split.TEST]
    assert pictures.pixels[0, 0, :3].tolist() == [0, 1, 2]


def test_votes_are_put_into_fer2013_order(tmp_path: Path) -> None:
    rows = drawn_rows(5)
    labels = [label for label, _, _ in rows]
    data = write_csv(tmp_path / "fer2013.csv", rows)
    pictures = read_pictures(data, write_votes(tmp_path / "votes.csv", labels))
    assert pictures.crowd().argmax(axis=1).tolist() == labels
    assert pictures.crowd().sum(axis=1).tolist() == [9] * len(labels)


def test_folder_keeps_the_splits_that_file_names_say(tmp_path: Path) -> None:
    rows = drawn_rows(6)
    pictures = read_pictures(write_folder(tmp_path / "fer", rows, named=True))
    expected = [sum(usage == name for _, _, usage in rows)
                for name in ("Training", "PublicTest", "PrivateTest")]  # fmt: skip
    assert [len(pictures.split(split)) for split in Split] == expected
    first = pictures.subset(pictures.names == "train/angry/Training_00000.png")
    np.testing.assert_array_equal(first.pixels[0], rows[0][1])


def test_folder_without_those_names_gets_every_tenth_for_validation(tmp_path: Path) -> None:
    rows = drawn_rows(10)
    pictures = read_pictures(write_folder(tmp_path / "fer", rows, named=False))
    assert [len(pictures.split(split)) for split in Split] == [50, 6, 14]


def test_folders_that_copies_name_otherwise_are_read_whole(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "fer", drawn_rows(10), named=False)
    for split in ("train", "test"):
        for name, other in (
            ("fear", "fearful"),
            ("disgust", "disgusted"),
            ("surprise", "surprised"),
        ):
            (folder / split / name).rename(folder / split / other)
    (folder / "test").rename(folder / "val")
    pictures = read_pictures(folder)
    assert np.bincount(pictures.labels).tolist() == [10] * 7
    assert [len(pictures.split(split)) for split in Split] == [56, 14, 0]


def test_a_folder_of_no_known_class_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "fer", drawn_rows(10), named=False)
    (folder / "train" / "fear").rename(folder / "train" / "angst")
    with pytest.raises(UsageError, match="no known class: angst; known: angry, disgust, fear"):
        read_pictures(folder)


def write_real_votes(path: Path, rows: list[tuple[int, np.ndarray, str]]) -> Path:
    """As FER+ publishes them: each row says its split."""
    write_votes(path, [label for label, _, _ in rows])
    head, *lines = path.read_text().splitlines()
    named = [usage + line for (_, _, usage), line in zip(rows, lines, strict=True)]
    path.write_text("\n".join([head, *named]))
    return path


def test_votes_in_another_order_are_refused(tmp_path: Path) -> None:
    rows = drawn_rows(20)
    votes = write_real_votes(tmp_path / "votes.csv", rows)
    assert read_pictures(write_csv(tmp_path / "fer2013.csv", rows), votes).has_votes
    by_label = sorted(rows, key=lambda row: row[0])
    with pytest.raises(UsageError, match=r"votes\.csv, line \d+: votes of another split"):
        read_pictures(write_csv(tmp_path / "sorted.csv", by_label), votes)
    usages = np.array([usage for _, _, usage in rows])
    order = np.arange(len(rows))
    for usage in np.unique(usages):  # each split's rows in another order
        order[usages == usage] = np.random.default_rng(0).permutation(order[usages == usage])
    shuffled = [rows[index] for index in order]
    with pytest.raises(UsageError, match=r"agree with only \d+% of the labels"):
        read_pictures(write_csv(tmp_path / "shuffled.csv", shuffled), votes)


def test_missing_file_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data/fer2013\.csv: no such file\. Put Kaggle's"):
        read_pictures(tmp_path / "data/fer2013.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("emotion,Usage\n", "columns pixels are missing"),
        ("emotion,pixels,Usage\n", "no pictures"),
        ("emotion,pixels,Usage\n0,1 2 3,Training\n", "line 2: not a FER2013 row"),
        ("emotion,pixels,Usage\n0,a b,Training\n", "line 2: not a FER2013 row"),
        ("emotion,pixels,Usage\n9," + "0 " * 2303 + "0,Training\n", "line 2: not a FER2013 row"),
        (
            "emotion,pixels,Usage\n-1," + "0 " * 2303 + "0,Training\n",
            "line 2: .*emotion is -1, not",
        ),
        (
            "emotion,pixels,Usage\n-7," + "0 " * 2303 + "0,Training\n",
            "line 2: .*emotion is -7, not",
        ),
        ("emotion,pixels,Usage\n1," + "0 " * 2303 + "0,Public\n", "line 2: not a FER2013 row"),
        ("emotion,pixels,Usage\n1," + "0 " * 2303 + "300,Training\n", "line 2: not a FER"),
    ],
)
def test_damaged_csv_names_the_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_pictures(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("neutral\n1\n".encode("utf-16"), "not a CSV file: it is not text in UTF-8"),
        (b"neutral\n1\n", "columns happiness, surprise, .* are missing"),
        ((",".join(VOTE_COLUMNS) + "\n-3" + ",1" * 9).encode(), "line 2: .*neutral is -3, not"),
        ((",".join(VOTE_COLUMNS) + "\n1,2").encode(), "line 2: .*surprise is empty, not"),
    ],
)
def test_damaged_votes_name_the_line(tmp_path: Path, content: bytes, words: str) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_pictures(write_csv(tmp_path / "fer2013.csv", drawn_rows(1)), votes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("emotion,pixels,Usage\n".encode("utf-16"), "not a CSV file: it is not text in UTF-8"),
        (b"emotion,pixels,Usage\n1\xff", "not a CSV file: it is not text in UTF-8"),
        (None, "/proc/self/mem: cannot read the pictures: Input/output error"),
    ],
)
def test_files_that_are_no_text_are_refused(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "fer2013.csv" if content else Path("/proc/self/mem")
    if content:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_pictures(path)


def test_votes_of_another_length_are_refused(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "fer2013.csv", drawn_rows(5))
    with pytest.raises(UsageError, match="2 rows of votes for 35 pictures"):
        read_pictures(data, write_votes(tmp_path / "votes.csv", [0, 1]))


def test_votes_beside_a_folder_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "fer", drawn_rows(5), named=True)
    with pytest.raises(UsageError, match="a folder has none"):
        read_pictures(folder, tmp_path / "votes.csv")


@pytest.mark.fer2013
def test_fer2013_has_the_published_counts(fer2013_pictures: Pictures) -> None:
    pictures = fer2013_pictures
    assert [len(pictures.split(split)) for split in Split] == [28709, 3589, 3589]
    assert np.bincount(pictures.labels).tolist() == [4953, 547, 5121, 8989, 6077, 4002, 6198]
    assert pictures.has_votes


@pytest.mark.slow
@pytest.mark.fer2013
def test_the_published_file_is_read_whole(
    fer2013: tuple[Path, Path], fer2013_pictures: Pictures
) -> None:
    found = read_pictures(*fer2013)
    for field in ("pixels", "labels", "splits", "votes", "names"):
        np.testing.assert_array_equal(getattr(found, field), getattr(fer2013_pictures, field))
