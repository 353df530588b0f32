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
    capsys.readouterr()
    assert main(["model", "rollback", "generator"], environment) == 0
    said = "generator is the shipped one again; the next synthesis uses it\n"
    assert capsys.readouterr().out == said
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


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_bad_card_is_named_as_it_stands_in_the_bundle(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = generator_bundle(tmp_path / "bundle")
    card = bundle / "generator.json"
    card.write_text("{}")
    if kind == "zip":
        bundle = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", bundle))
    assert main(["model", "install", str(bundle)], {"XDG_STATE_HOME": str(tmp_path)}) == 78
    err = capsys.readouterr().err
    assert err == f"mien: {bundle}: generator.json: not a model card of schema 1\n"
    if kind == "folder":
        card.unlink()
        assert main(["model", "install", str(bundle)], {"XDG_STATE_HOME": str(tmp_path)}) == 78
        err = capsys.readouterr().err
        assert err == f"mien: {bundle}: generator.tflite lacks its card generator.json\n"


def test_a_rollback_says_what_is_there_then_and_when_it_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(name: str, **more: str) -> str:
        main(["model", "rollback", name], {"XDG_STATE_HOME": str(tmp_path), **more})
        return "".join(capsys.readouterr())

    assert say("nope") == "mien: no model 'nope' is installed\n"
    shipped = "mien: no model 'expression' is installed; the shipped one is in use\n"
    assert say("expression") == shipped
    models = tmp_path / "mien" / "models"
    for name, versions in {"expression": 1, "expression-tiny": 2, "mine": 1}.items():
        (models / name).mkdir(parents=True)
        for link, version in zip(("current", "previous")[:versions], ("2-b", "1-a"), strict=False):
            (models / name / link).symlink_to(version)
    assert say("expression") == (
        "expression is the shipped one again; send the command reload-model or restart\n"
    )
    later = 'it is used once the settings say classifier.model = "expression-tiny"'
    assert say("expression-tiny") == f"expression-tiny is 1 again; {later}\n"
    gone = "mine is not installed any more, and none of this name is shipped\n"
    assert say("mine") == gone
