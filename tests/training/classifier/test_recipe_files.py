from __future__ import annotations

import json
from pathlib import Path

import pytest

from device.errors import UsageError
from training.classifier.read_recipe import read_recipe_file, recipe_from
from training.classifier.recipe_files import by_name, differences, read_recipe_files
from training.files import MODELS

ROOT = Path(__file__).parents[3]
FILES = read_recipe_files()
SHIPPED = {pair: file for file in FILES.values() if file.ships for pair in file.pairs}


def test_each_classifier_that_ships_has_a_recipe() -> None:
    paths = (ROOT / MODELS).glob("expression*.tflite")
    assert sorted(SHIPPED) == sorted(path.stem for path in paths)


@pytest.mark.parametrize("pair", SHIPPED)
def test_a_recipe_is_the_one_on_the_model_card(pair: str) -> None:
    file = SHIPPED[pair]
    card = json.loads((ROOT / MODELS / f"{pair}.json").read_text())
    assert differences(recipe_from(card["run"]["recipe"]), file.recipe) == ""
    assert (card["head"], card["run"]["name"]) == (file.pairs[pair], file.name)
    assert card["run"]["hours"] == file.hours


def test_each_teacher_has_a_recipe() -> None:
    pairs = {pair for file in FILES.values() for pair in file.pairs}
    for file in FILES.values():
        assert set(file.teacher_pairs) <= pairs
        assert file.recipe.teacher in {"", *FILES}


def test_the_training_command_takes_a_recipe_file() -> None:
    for file in FILES.values():
        assert by_name(read_recipe_file(file.path)) == file.recipe


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hours": "long"}, "hours is not a number"),
        ({"pairs": {"x": "votes"}}, "heads are fer2013, crowd"),
        ({"recipe": {"network": "expression"}}, "augmentation"),
        ({"recipe": None}, "it holds no recipe"),
    ],
)
def test_a_damaged_recipe_file_is_refused(change: dict, said: str, tmp_path: Path) -> None:
    content = json.loads(FILES["expression"].path.read_text())
    (tmp_path / "expression.json").write_text(json.dumps({**content, **change}))
    with pytest.raises(UsageError, match=rf"expression.json: not a recipe file \(.*{said}"):
        read_recipe_files(tmp_path)


def test_two_files_for_one_pair_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(FILES["expression"].path.read_text())
    with pytest.raises(UsageError, match=r"two.json: one.json makes expression, too"):
        read_recipe_files(tmp_path)
