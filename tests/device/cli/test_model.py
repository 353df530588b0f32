from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from device.__main__ import main
from device.vision import MODELS
from device.vision.generator import find_generators
from device.vision.model_store import ModelStore
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


def test_the_list_says_what_is_used_and_what_could_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    assert main(["model", "list"], environment) == 0
    shipped = [line[:1] + line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert shipped == ["*expression", "-expression-fer2013", "-expression-tiny", "*generator"]
    assert main(["model", "install", str(generator_bundle(tmp_path / "bundle"))], environment) == 0
    assert "the next synthesis uses it" in capsys.readouterr().out
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    for suffix in (".tflite", ".json"):
        shutil.copy(MODELS / f"expression-tiny{suffix}", tiny)
    assert main(["model", "install", str(tiny)], environment) == 0
    assert 'classifier.model = "expression-tiny"' in capsys.readouterr().out
    assert main(["model", "list"], environment) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines if line[-1] == "installed"] == ["-", "*"]
    assert [line[1] for line in lines if line[0] == "*" and line[-1] == "shipped"] == ["expression"]


def test_a_damaged_bundle_is_named_as_it_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "cut.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("a.tflite", (MODELS / "expression-tiny.tflite").read_bytes()[:-9])
        archive.write(MODELS / "expression-tiny.json", "a.json")
    assert main(["model", "install", str(bundle)], {"XDG_STATE_HOME": str(tmp_path)}) == 78
    assert f"mien: {bundle}: sha256" in capsys.readouterr().err
