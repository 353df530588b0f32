from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import device
from device.errors import ModelError, UsageError
from device.settings import Settings
from device.vision.classifier import TFLiteClassifier
from device.vision.model_card import CARD_SCHEMA, LABELS, read_model
from device.vision.model_store import ModelStore, load_classifier

SHIPPED = Path(device.__file__).parent / "models" / "expression.tflite"


def accept(path: Path) -> None:
    """A self-test that is content."""


def make_bundle(folder: Path, version: str, name: str = "expression", golden: int = 1) -> Path:
    """A bundle of a file that only looks like a network."""
    folder.mkdir(parents=True)
    content = b"\x1c\0\0\0TFL3" + version.encode() * 20
    card = {
        "schema": CARD_SCHEMA,
        "name": name,
        "version": version,
        "task": "classify",
        "sha256": hashlib.sha256(content).hexdigest(),
        "labels": LABELS,
        "golden": [{"input": "", "output": []}] * golden,
    }
    (folder / "net.tflite").write_bytes(content)
    (folder / "net.json").write_text(json.dumps(card))
    return folder


def make_zip(folder: Path, target: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, prefix + path.name)
    return target


def versions(store: ModelStore) -> list[tuple[str, bool]]:
    return [(entry.version, entry.is_current) for entry in store.list()]


def test_bundles_are_installed_listed_and_rolled_back(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    assert store.find("expression") is None
    store.install(make_bundle(tmp_path / "a", "1"), accept)
    store.install(make_zip(make_bundle(tmp_path / "b", "2"), tmp_path / "b.zip"), accept)
    assert versions(store) == [("1", False), ("2", True)]
    found = store.find("expression")
    assert found is not None
    assert found.read_bytes().endswith(b"2")
    assert store.rollback("expression") == "1"
    assert versions(store) == [("1", True), ("2", False)]
    assert store.rollback("expression") is None
    assert store.find("expression") is None
    with pytest.raises(UsageError, match="shipped"):
        store.rollback("expression")


def test_installing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    bundle = make_bundle(tmp_path / "a", "1")
    store.install(bundle, accept)
    store.install(bundle, accept)
    assert versions(store) == [("1", True)]
    assert store.rollback("expression") is None


def test_a_good_bundle_mends_a_damaged_model_and_brings_another_calibration(
    tmp_path: Path,
) -> None:
    store = ModelStore(tmp_path / "models")
    bundle = make_bundle(tmp_path / "a", "1")
    store.install(bundle, accept)
    installed = store.find("expression")
    assert installed
    installed.write_bytes(b"damaged")
    store.install(bundle, accept)
    assert installed.read_bytes() == (bundle / "net.tflite").read_bytes()
    card = json.loads((bundle / "net.json").read_text())
    (bundle / "net.json").write_text(json.dumps({**card, "temperature": 2.0}))
    store.install(bundle, accept)
    assert read_model(installed)[1].temperature == 2.0


def test_what_killed_installations_left_goes(tmp_path: Path) -> None:
    left = tmp_path / "models" / ".new-abc"
    left.mkdir(parents=True)
    ModelStore(tmp_path / "models").install(make_bundle(tmp_path / "a", "1"), accept)
    assert not left.exists()


def test_pipes_and_huge_files_are_refused_at_once(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(UsageError, match="not a regular file"):
        store.install(tmp_path / "pipe.zip", accept)
    bundle = make_bundle(tmp_path / "a", "1")
    with (bundle / "net.json").open("r+b") as card:
        card.truncate(300 << 20)
    with pytest.raises(UsageError, match="larger than"):
        store.install(bundle, accept)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.tflite", bytes(40 << 20))
    with pytest.raises(ModelError, match="larger than 32 MiB"):
        store.install(tmp_path / "bomb.zip", accept)
    with zipfile.ZipFile(tmp_path / "lzma.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.tflite", b"")
    with pytest.raises(ModelError, match="stored, deflated"):
        store.install(tmp_path / "lzma.zip", accept)


@pytest.mark.parametrize(
    ("name", "task"),
    [("expression", "synthesize"), ("generator", "classify"), ("landmarks", "landmarks")],
)
def test_a_model_under_another_task_s_name_is_refused(tmp_path: Path, name: str, task: str) -> None:
    bundle = make_bundle(tmp_path / "a", "1", name=name)
    card = json.loads((bundle / "net.json").read_text())
    (bundle / "net.json").write_text(json.dumps({**card, "task": task}))
    with pytest.raises(ModelError, match=f"name = {name!r} with task = {task!r}: allowed"):
        ModelStore(tmp_path / "models").install(bundle, accept)


@pytest.mark.parametrize("name", ["a/b", "../x", "\0", "x" * 5000])
def test_a_name_that_is_no_name_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    store = ModelStore(tmp_path / "models")
    with pytest.raises(UsageError, match="not the name"):
        store.rollback(name)
    settings = Settings()
    wrong = replace(settings, classifier=replace(settings.classifier, model=name))
    with pytest.raises(ModelError, match="no such model"):
        load_classifier(wrong, store)


def test_a_failed_self_test_leaves_the_old_one_and_no_rubbish(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    store.install(make_bundle(tmp_path / "a", "1"), accept)

    def fail(path: Path) -> None:
        raise ModelError("self-test failed")

    with pytest.raises(ModelError, match="self-test"):
        store.install(make_bundle(tmp_path / "b", "2"), fail)
    assert versions(store) == [("1", True)]
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["expression"]


def test_bundles_that_cannot_be_trusted_are_refused(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    untested = make_bundle(tmp_path / "a", "1", golden=0)
    with pytest.raises(ModelError, match="golden"):
        store.install(untested, accept)
    for number, name in enumerate(("../../evil", "a/b", "")):
        with pytest.raises(ModelError, match="path"):
            store.install(make_bundle(tmp_path / f"n{number}", "1", name=name), accept)
    damaged = make_bundle(tmp_path / "c", "1")
    (damaged / "net.tflite").write_bytes(b"\x1c\0\0\0TFL3 something else")
    with pytest.raises(ModelError, match="sha256"):
        store.install(damaged, accept)
    (tmp_path / "d.zip").write_bytes(b"no zip")
    with pytest.raises(UsageError, match=r"neither a \.zip nor a folder"):
        store.install(tmp_path / "d.zip", accept)
    cut = make_zip(make_bundle(tmp_path / "e", "1"), tmp_path / "e.zip")
    cut.write_bytes(cut.read_bytes()[:-40])
    with pytest.raises(ModelError, match="not a readable zip"):
        store.install(cut, accept)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="instead of one"):
        store.install(tmp_path / "empty", accept)
    with pytest.raises(UsageError, match="no such"):
        store.install(tmp_path / "missing", accept)
    assert store.list() == []


def test_paths_inside_a_zip_are_not_followed(tmp_path: Path) -> None:
    bundle = make_zip(make_bundle(tmp_path / "a", "1"), tmp_path / "a.zip", "../../../escaped/")
    ModelStore(tmp_path / "models").install(bundle, accept)
    assert not list(tmp_path.rglob("escaped"))


def test_the_shipped_network_as_a_bundle_passes_its_real_self_test(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for suffix in (".tflite", ".json"):
        shutil.copy(SHIPPED.with_suffix(suffix), bundle / f"net{suffix}")
    store = ModelStore(tmp_path / "models")
    card = store.install(bundle, TFLiteClassifier.load)
    assert load_classifier(Settings(), store).card.sha256 == card.sha256


def test_an_installed_network_that_got_damaged_gives_way_to_the_shipped_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ModelStore(tmp_path / "models")
    store.install(make_bundle(tmp_path / "a", "1"), accept)  # no network at all
    assert load_classifier(Settings(), store).card.version != "1"
    assert store.find("expression") is None
    assert "back to the model before" in caplog.text


def test_only_the_model_in_use_and_the_one_before_it_stay_on_the_disk(tmp_path: Path) -> None:
    store, folder = ModelStore(tmp_path / "models"), tmp_path / "models" / "expression"
    for version in ("1", "2", "3"):
        store.install(make_bundle(tmp_path / version, version), accept)
    assert versions(store) == [("2", False), ("3", True)]
    assert store.rollback("expression") == "2"
    (folder / "notes-of-mine").mkdir()
    store.install(make_bundle(tmp_path / "4", "4"), accept)
    assert versions(store) == [("2", False), ("4", True)]
    assert (folder / "notes-of-mine").is_dir()


def test_a_version_that_cannot_be_deleted_is_no_failure_of_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelStore(tmp_path / "models")
    for version in ("1", "2"):
        store.install(make_bundle(tmp_path / version, version), accept)
    unlink = os.unlink

    def fail_at_models(name: str, **options: Any) -> None:
        if str(name).startswith("expression."):
            raise OSError(errno.EIO, "Input/output error")
        unlink(name, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", fail_at_models)
        store.install(make_bundle(tmp_path / "3", "3"), accept)
    assert versions(store) == [("1", False), ("2", False), ("3", True)]
    store.install(tmp_path / "3", accept)
    assert versions(store) == [("2", False), ("3", True)]
