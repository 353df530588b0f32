"""Which model serves where the board cannot carry a self-test out; nothing is rolled back."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from device.errors import ModelError
from device.settings import Settings
from device.vision import trial
from device.vision.model_card import read_model
from device.vision.model_store import ModelStore, load_classifier
from device.vision.trial import require_trial
from tests.device.vision.test_model_store import SHIPPED, accept, versions


@pytest.fixture
def untested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """The shipped model, installed as versions 1 and 2, after an update of Mien."""
    store = ModelStore(tmp_path / "models")
    for version in ("1", "2"):
        install_shipped(store, tmp_path / version, version)
    monkeypatch.setattr("device.vision.trial.__version__", "later")
    return store


def install_shipped(
    store: ModelStore, bundle: Path, version: str, name: str = "expression"
) -> None:
    bundle.mkdir()
    shutil.copy(SHIPPED, bundle)
    card = json.loads(SHIPPED.with_suffix(".json").read_text())
    (bundle / "expression.json").write_text(json.dumps({**card, "version": version, "name": name}))
    store.install(bundle, accept)


def break_trials(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def run(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", run)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOMEM, "Cannot allocate memory"), subprocess.TimeoutExpired("trial", 20)],
    ids=["no memory", "too slow"],
)
def test_a_board_that_cannot_carry_the_self_test_out_takes_no_model_away(
    untested: ModelStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    with monkeypatch.context() as patch:
        break_trials(patch, error)
        served = load_classifier(Settings(), untested).card
    assert served == read_model(SHIPPED)[1]
    assert versions(untested) == [("1", False), ("2", True)]
    assert "the next start tries it again" in caplog.text
    monkeypatch.setattr("device.vision.trial.try_out", accept)
    assert load_classifier(Settings(), untested).card.version == "2"


def test_the_model_before_stands_in_where_it_has_passed(
    untested: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = untested.find("expression", "previous")
    assert before
    monkeypatch.setattr("device.vision.trial.try_out", accept)
    require_trial(before)
    monkeypatch.undo()
    monkeypatch.setattr("device.vision.trial.__version__", "later")
    break_trials(monkeypatch, OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert load_classifier(Settings(), untested).card.version == "1"
    assert versions(untested) == [("1", False), ("2", True)]


def test_without_another_model_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, settings = ModelStore(tmp_path / "models"), Settings()
    install_shipped(store, tmp_path / "1", "1", name="mine")
    mine = replace(settings, classifier=replace(settings.classifier, model="mine"))
    assert load_classifier(mine, store).card.name == "mine"
    monkeypatch.setattr("device.vision.trial.__version__", "later")
    break_trials(monkeypatch, subprocess.TimeoutExpired("trial", 20))
    with pytest.raises(ModelError, match="cannot be finished: it takes more than 20 s"):
        load_classifier(mine, store)
    assert versions(store) == [("1", True)]


def test_a_child_that_the_kernel_kills_takes_no_model_away(
    untested: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real child: memory was short, as while the daemon loads."""
    (tmp_path / "stand_in.py").write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.setattr(trial, "MODULE", "stand_in")
    monkeypatch.setattr(trial, "ROOT", tmp_path)
    assert load_classifier(Settings(), untested).card == read_model(SHIPPED)[1]
    assert versions(untested) == [("1", False), ("2", True)]
