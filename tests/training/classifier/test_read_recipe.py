from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from device.errors import UsageError
from training.classifier.read_recipe import read_recipe_file
from training.classifier.recipe import Recipe


def test_a_recipe_is_taken_from_a_run_a_card_or_a_file(tmp_path: Path) -> None:
    recipe = replace(Recipe(), epochs=7, teacher="teacher", view_teachers=("pair.tflite",))
    forms = (asdict(recipe), {"recipe": asdict(recipe)}, {"run": {"recipe": asdict(recipe)}})
    for number, content in enumerate(forms):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(content))
        assert read_recipe_file(path) == recipe
    path.write_text("[1]")
    with pytest.raises(UsageError, match=r"recipe in it \(it holds no recipe\)"):
        read_recipe_file(path)
    path.write_text('{"recipe": {"epochs": 7}}')
    with pytest.raises(UsageError, match="no classifier's recipe"):
        read_recipe_file(path)
