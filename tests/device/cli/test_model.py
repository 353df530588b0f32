from __future__ import annotations

import json
from pathlib import Path

import pytest

from device.__main__ import main
from device.composition import find_generators
from device.service.model_store import ModelStore
from tests.generators import generator_bundle


def test_a_generator_is_installed_and_taken_back_like_any_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    store = ModelStore(tmp_path / "mien" / "models")
    bundle = generator_bundle(tmp_path / "bundle")
    assert main(["model", "install", str(bundle)], environment) == 0
    assert find_generators(store)[0].is_relative_to(tmp_path)
    assert main(["model", "list"], environment) == 0
    assert "* generator 1" in capsys.readouterr().out
    assert main(["model", "rollback", "generator"], environment) == 0
    assert find_generators(store)[0].parent.name == "models"


def test_a_generator_that_fails_its_self_test_is_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = generator_bundle(tmp_path / "bundle")
    card = json.loads((bundle / "generator.json").read_text())
    card["golden"][0]["target"] = "angry"
    (bundle / "generator.json").write_text(json.dumps(card))
    assert main(["model", "install", str(bundle)], {"XDG_STATE_HOME": str(tmp_path)}) == 78
    assert "self-test failed" in capsys.readouterr().err
    assert ModelStore(tmp_path / "mien" / "models").find("generator") is None
