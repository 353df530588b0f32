from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.errors import UsageError
from training.gan.recipe import (
    LOSSES,
    GanRecipe,
    StarGanLosses,
    name_of,
    read_gan_recipe,
    write_recipe,
)
from training.gan.warm_start import steps_before


@pytest.mark.parametrize("kind", LOSSES)
def test_a_recipe_is_read_back_as_it_was_written(kind: str, tmp_path: Path) -> None:
    recipe = GanRecipe(kind=kind, steps=7, losses=LOSSES[kind]())
    write_recipe(tmp_path, recipe, {}, "test")
    assert read_gan_recipe(tmp_path) == recipe


def without(settings: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names[:-1]:
        settings = settings[name]
    return settings.pop(names[-1])


@pytest.mark.parametrize("names", [("losses", "rare_margin"), ("guide_steps",), ("losses",)])
def test_what_an_older_run_lacks_does_not_become_today_s(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    write_recipe(tmp_path, GanRecipe(losses=StarGanLosses()), {}, "test")
    path = tmp_path / "settings.json"
    settings = json.loads(path.read_text())
    without(settings["recipe"], *names)
    path.write_text(json.dumps(settings))
    with pytest.raises(UsageError, match=f"another version.*{names[-1]}"):
        read_gan_recipe(tmp_path)


def test_an_unknown_setting_and_settings_without_recipe_are_said(tmp_path: Path) -> None:
    write_recipe(tmp_path, GanRecipe(losses=StarGanLosses()), {}, "test")
    path = tmp_path / "settings.json"
    settings = json.loads(path.read_text())
    settings["recipe"]["losses"]["insist"] = 1.0
    path.write_text(json.dumps(settings))
    with pytest.raises(UsageError, match=r"another version.*losses\.insist"):
        read_gan_recipe(tmp_path)
    path.write_text("{}")
    with pytest.raises(UsageError, match=r"settings\.json lacks recipe, data"):
        read_gan_recipe(tmp_path)


def test_a_start_of_another_kind_or_size_is_refused(tmp_path: Path) -> None:
    recipe = GanRecipe(losses=StarGanLosses())
    with pytest.raises(UsageError, match="not a run directory"):
        steps_before(tmp_path / "none", recipe)
    write_recipe(tmp_path, GanRecipe(kind="cgan", losses=LOSSES["cgan"]()), {}, "test")
    with pytest.raises(UsageError, match=r"--start-from .*: its kind is cgan"):
        steps_before(tmp_path, recipe)
    write_recipe(tmp_path, replace(recipe, width=12), {}, "test")
    with pytest.raises(UsageError, match=r"--start-from .*: its width is 12"):
        steps_before(tmp_path, recipe)


def test_the_steps_of_all_runs_before_count(tmp_path: Path) -> None:
    recipe = GanRecipe(losses=StarGanLosses())
    write_recipe(tmp_path, replace(recipe, steps_before=6000), {}, "test")
    with pytest.raises(UsageError, match="no checkpoint"):
        steps_before(tmp_path, recipe)
    np.savez(tmp_path / "state.npz", **{"progress/0": np.int64(2000)})
    assert steps_before(tmp_path, recipe) == 8000


def test_the_tables_say_where_a_guide_is_unusual() -> None:
    assert name_of(GanRecipe()) == "stargan"
    unguided = GanRecipe(losses=LOSSES["stargan"](lambda_guide=0.0))
    assert name_of(unguided) == "stargan, unguided"
    assert (
        name_of(GanRecipe(kind="cgan", losses=LOSSES["cgan"](lambda_guide=4.5))) == "cgan, guided"
    )
