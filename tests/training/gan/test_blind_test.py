"""``training blind-test`` on one real face under many names, with the generator that ships."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.errors import UsageError
from device.settings import Settings
from device.vision.stage import MODELS, build_stage
from device.vision.synthesizer import Synthesizer
from device.vocabulary import EXPRESSIONS, Expression
from training.__main__ import main
from training.gan.blind_test import Album, choose, read_image

PORTRAIT = Path(__file__).parents[3] / "device/camera/astronaut.jpg"
GENERATOR = MODELS / "generator.tflite"
NAMES = [e.value for e in EXPRESSIONS]
USELESS = ("Wall", "Night")  # no face, too dark


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """45 people, a smile or none, grey or in colour, one twice; a wall, and one in the dark."""
    folder = tmp_path_factory.mktemp("people")
    smile = cv2.imread(str(PORTRAIT))[:230, 110:340]
    [face, *_] = build_stage(Settings()).find(cv2.cvtColor(smile, cv2.COLOR_BGR2GRAY))
    rest = Synthesizer.load(GENERATOR).synthesize(smile, face, Expression.NEUTRAL)
    rows = [("file", "label")]
    for number in range(45):
        picture = np.clip((smile, rest)[number % 2] * (1.0 - 0.004 * number), 0, 255)
        picture = picture.astype(np.uint8)[:, :: -1 if number % 3 else 1]
        if number % 4:
            picture = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2GRAY)
        rows.append((f"Some_One{'abcdefghijklmnopq'[number % 17]}{'xyz'[number // 17]}_0001.png",
                     NAMES[number % 7]))  # fmt: skip
        cv2.imwrite(str(folder / rows[-1][0]), picture)
    rows += [("Some_Oneax_0002.png", "sad"), *((f"{name}_0001.png", "fear") for name in USELESS)]
    for (name, _), light in zip(rows[-3:], (0.8, 0.0, 0.03), strict=True):
        cv2.imwrite(str(folder / name), (smile * light).astype(np.uint8))
    with open(folder / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test with seed 1."""
    output = tmp_path_factory.mktemp("made") / "blind"
    words = ["blind-test", str(folder), "--generator", str(GENERATOR), "--output", str(output)]
    assert main(words) == 0
    return output


def answers_of(made: Path) -> list[dict[str, str]]:
    with open(made / "answers.csv", newline="") as file:
        return list(csv.DictReader(file))


def source_of(file: Path, folder: Path) -> str:
    """The picture with the same upper border, which no face touches."""
    picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    others = {p: cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in folder.glob("*.png")}
    [found] = [p.name for p, other in others.items() if np.array_equal(picture[:25], other[:25])]
    return found


def test_the_answers_name_every_picture_and_all_expressions_evenly(made: Path) -> None:
    rows = answers_of(made)
    files = [f"realism/{n:02}.png" for n in range(1, 41)]
    files += [f"expressions/{n:02}.png" for n in range(1, 29)]
    assert [row["file"] for row in rows] == files
    assert sorted(p.relative_to(made).as_posix() for p in made.rglob("*.png")) == sorted(files)
    realism, naming = rows[:40], rows[40:]
    assert Counter(row["truth"] for row in realism) == {"real": 20, "synthetic": 20}
    assert len({row["truth"] for row in realism[:10]}) == 2
    asked = Counter(row["expression"] for row in realism if row["truth"] == "synthetic")
    assert sorted(asked.values()) == [2, 3, 3, 3, 3, 3, 3]
    assert {row["expression"] for row in realism if row["truth"] == "real"} == {""}
    assert Counter(row["expression"] for row in naming) == dict.fromkeys(NAMES, 4)
    assert [row["expression"] for row in naming] != NAMES * 4


def test_real_pictures_stay_as_they_are_and_nobody_is_seen_in_two_parts(
    folder: Path, made: Path
) -> None:
    labels = dict(csv.reader((folder / "labels.csv").read_text().splitlines()))
    used, people, evenly = [], [], Counter[str]()
    for row in answers_of(made):
        name = source_of(made / row["file"], folder)
        same = np.array_equal(read_image(made / row["file"]), read_image(folder / name))
        assert same == (row["truth"] == "real"), row
        if row["file"].startswith("realism"):
            used.append(name)
            assert labels[name] != row["expression"]
            evenly[labels[name]] += row["truth"] == "real"
        else:
            people.append(name)
    assert sorted(Counter(people).values()) == [7, 7, 7, 7]
    persons = [re.sub(r"_\d+\.png$", "", name) for name in [*used, *set(people)]]
    assert len(set(persons)) == 44
    assert not set(persons) & set(USELESS)
    assert max(evenly.values()) == 3


def test_a_file_holds_pixels_and_nothing_that_tells(made: Path) -> None:
    for path in made.rglob("*.png"):
        data, place, chunks = path.read_bytes(), 8, set()
        while place < len(data):
            chunks.add(data[place + 4 : place + 8])
            place += 12 + int.from_bytes(data[place : place + 4], "big")
        assert chunks == {b"IHDR", b"IDAT", b"IEND"}
    assert len({path.stat().st_mtime for path in made.rglob("*.png")}) == 1


def test_a_seed_gives_the_same_pictures_again(folder: Path, made: Path) -> None:
    def real(seed: int) -> set[str]:
        random = np.random.default_rng(seed)
        parts = choose(Album(folder, random), random)
        return {p.path.name for p in parts["realism"] if p.asked is None}

    rows = [row["file"] for row in answers_of(made) if row["truth"] == "real"]
    assert real(1) == {source_of(made / file, folder) for file in rows}
    assert real(2) != real(1)


def test_a_column_tells_who_is_in_the_picture(folder: Path, tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes((folder / "Some_Oneax_0001.png").read_bytes())
    (tmp_path / "labels.csv").write_text("file,label,person\n1.png,sad,Ann\n2.png,sad,Ann\n")
    random = np.random.default_rng(1)
    album = Album(tmp_path, random)
    assert album.take()
    assert album.take() is None
    with pytest.raises(UsageError, match="44 are needed"):
        choose(Album(tmp_path, random), random)


def test_what_cannot_be_made_is_one_line(
    folder: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new"
    for words, said in (
        ([str(folder), "--generator", str(GENERATOR)], "needs FOLDER, --generator and --output"),
        ([str(folder), "--score", "a.csv", "b.csv"], "--score goes with no FOLDER"),
        ([str(folder), "--generator", str(GENERATOR), "--output", str(made)], "already there"),
        ([str(folder), "--generator", "no.tflite", "--output", str(new)], "no.tflite: cannot"),
        ([str(tmp_path), "--generator", str(GENERATOR), "--output", str(new)], "labels.csv"),
        ([str(folder), "--generator", str(GENERATOR), "--output", str(new), "--seed", "-1"],
         "--seed -1"),
    ):  # fmt: skip
        assert main(["blind-test", *words]) in (2, 78)
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
        assert not new.exists()


def test_whole_pictures_are_named_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate-synthesis", str(folder), "--generator", str(GENERATOR)]
    assert main([*words, "--faces", "4"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"4 faces of {folder.name} × 7, seed 1")
    row = next(line for line in printed.splitlines() if "`expression`: synthesized" in line)
    mean, *shares = (float(cell.strip(" %")) for cell in row.split("|")[2:-1])
    assert mean == pytest.approx(np.mean(shares), abs=0.1)
    assert shares[NAMES.index("happy")] == 100
    assert main([*words, "--faces", "60"]) == 2
    assert "faces are good enough" in capsys.readouterr().err
    assert main([*words, "--faces", "0"]) == 2
    assert "--faces 0: must be at least 1" in capsys.readouterr().err
