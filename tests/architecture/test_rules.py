"""The rules hold for this tree, and each fails on a planted violation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import arrows, borders, shape
from tests.architecture.planted import CLEAN, PLANTED
from tests.architecture.source import is_module

ROOT = Path(__file__).parents[2]
Rule = Callable[[Path], list[str]]
RULES: list[Rule] = [
    arrows.training_takes_only_the_contract,
    arrows.export_takes_only_the_contract,
    arrows.training_does_not_know_export,
    arrows.device_stands_alone,
    arrows.edges_do_not_know_each_other,
    arrows.adapters_do_not_know_each_other,
    arrows.loop_knows_protocols_and_vocabulary,
    arrows.one_module_makes_the_parts,
    arrows.no_circle_of_folders,
    arrows.every_module_is_reached,
    borders.only_main_reads_argv_and_environment,
    borders.only_settings_knows_toml,
    borders.only_mqtt_makes_json,
    borders.only_mqtt_knows_the_wall_clock,
    borders.no_asyncio,
    borders.hardware_is_imported_by_its_adapter,
    borders.device_does_not_name_tensorflow,
    borders.few_broad_excepts,
    shape.no_catch_all_names,
    shape.modules_stay_readable,
    shape.functions_stay_short,
    shape.tests_mirror_the_source,
    shape.there_are_enough_tests,
    shape.vocabulary_is_frozen,
    shape.event_goes_a_short_way,
]
PLANTS = [
    pytest.param(rule, files, told, id=f"{rule.__name__}-{number}")
    for rule in RULES
    for number, (files, told) in enumerate(PLANTED.get(rule.__name__, []))
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps(rule: Rule) -> None:
    violations = rule(ROOT)
    assert not violations, "\n".join([rule.__doc__ or "", *violations])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_clean_tree_has_no_violation(rule: Rule, tmp_path: Path) -> None:
    write(tmp_path, CLEAN)
    assert rule(tmp_path) == []


@pytest.mark.parametrize(("rule", "files", "told"), PLANTS)
def test_a_planted_violation_is_told(
    rule: Rule, files: dict[str, str], told: str, tmp_path: Path
) -> None:
    write(tmp_path, {**CLEAN, **files})
    violations = rule(tmp_path)
    assert any(told in violation for violation in violations), violations


def test_every_rule_has_a_plant() -> None:
    assert {rule.__name__ for rule in RULES} == set(PLANTED)


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            *arrows.COMPOSED,
            *arrows.OPEN_TO_ALL_EDGES,
            *arrows.CONTRACT,
            *borders.JSON_WRITERS,
            *borders.WALL_CLOCKS,
            *borders.ASYNCIO,
        }
    ),
)
def test_a_named_exception_is_a_module(name: str) -> None:
    assert is_module(ROOT, name), f"{name} is gone: take it out of the list that names it"


def write(root: Path, files: dict[str, str]) -> None:
    """A fake tree; an empty text leaves the file out."""
    for name, text in files.items():
        if text:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
