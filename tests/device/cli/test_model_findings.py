"""What ``mien doctor`` and ``mien check`` say of shipped and installed models."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from device.vision import trial
from tests.device.cli.processes import ROOT, findings, run_doctor, run_mien


def spoil(model: Path) -> None:
    """What was shipped is what is there, but no runtime can use it."""
    content = bytearray(model.read_bytes())
    content[4 : len(content) // 2] = content[4:8] + bytes(len(content) // 2 - 8)  # "TFL3" stays
    model.write_bytes(content)
    card = json.loads(model.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(content).hexdigest()
    model.with_suffix(".json").write_text(json.dumps(card))


def test_every_shipped_file_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"expression-tiny", "expression-fer2013", "generator", "landmarks", "face-check"}
    monkeypatch.setattr(trial, "MODELS", Path(shutil.copytree(trial.MODELS, tmp_path / "models")))
    assert trial.damaged_shipped() == {}
    for name in names:
        spoil(tmp_path / "models" / f"{name}.tflite")
    found = trial.damaged_shipped()
    assert set(found) == names  # one that fails does not end the trial of those after it
    assert all(found.values())


def test_doctor_and_check_name_a_shipped_file_that_nothing_has_asked_for_yet(
    installed: Path,
) -> None:
    models = installed / "device" / "models"
    for name in ("expression-fer2013", "face-check", "generator"):  # fewer trials, one by one
        (models / f"{name}.json").unlink()
    spoil(models / "expression-tiny.tflite")
    done = run_doctor(folder=installed)
    mark, text = findings(done.stdout)["shipped"]
    assert (mark, done.returncode) == ("!!", 1)
    assert text.startswith("cannot be used: expression-tiny: ")
    checked = run_mien("check", folder=installed)
    assert checked.returncode == 78
    [said] = [line for line in checked.stderr.splitlines() if not line.startswith("INFO:")]
    assert "cannot use what came with Mien (expression-tiny): " in said


def test_an_installed_model_is_told_and_a_damaged_one_stays_where_it_is(
    installed: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    for suffix in (".tflite", ".json"):
        (tmp_path / "bundle").mkdir(exist_ok=True)
        shutil.copy(ROOT / f"tests/golden/brightness{suffix}", tmp_path / "bundle")
    environment = {"MIEN_CLASSIFIER__MODEL": "brightness", "STATE_DIRECTORY": str(state)}
    run_mien("model", "install", str(tmp_path / "bundle"), **environment)
    report = findings(run_doctor(folder=installed, **environment).stdout)
    assert report["model"] == ("ok", report["model"][1])
    assert report["model"][1].startswith("brightness 1, ")
    environment["MIEN_CLASSIFIER__MODEL"] = "expression"
    (state / "models/brightness").rename(state / "models/expression")
    place = (state / "models/expression/current").resolve()
    for path in (place / "brightness.tflite", place / "brightness.json"):
        path.rename(path.with_stem("expression"))
    (place / "expression.tflite").write_bytes(b"TFL3 cut short")
    before = sorted(path.name for path in state.rglob("*"))
    mark, text = findings(run_doctor(folder=installed, **environment).stdout)["model"]
    assert mark == "!!"
    assert text.startswith("expression 20")  # the shipped one would serve
    assert "not a TFLite file" in text
    checked = run_mien("check", folder=installed, **environment)
    assert checked.returncode == 0
    assert "the model before is used" in checked.stderr
    assert sorted(path.name for path in state.rglob("*")) == before
