"""Both files of a pair or neither, whatever happens while they are written."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import ModelError, StorageError
from device.vision.model_card import ModelCard, read_card, read_model
from export import pair
from export.pair import finish_pair, pair_in_place, require_writable, write_pair

OLD, NEW = b"\0\0\0\0TFL3 old", b"\0\0\0\0TFL3 new"
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.export.test_pair import NEW, card_of
from export import pair
replace, done = os.replace, []
def replace_and_die(source, target):
    if len(done) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
    done.append(target)
os.replace = replace_and_die
pair.write_pair(Path(sys.argv[1]), NEW, card_of(NEW))
"""


def card_of(content: bytes) -> ModelCard:
    digest = hashlib.sha256(content).hexdigest()
    return ModelCard("drawn", "1", "classify", digest, facts={"head": "crowd"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pair(tmp_path, OLD, card_of(OLD))
    return tmp_path


def killed_before_rename(folder: Path, number: int) -> None:
    """Writes the new pair in a process that is killed before one of its renames."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(number)])
    assert done.returncode == -signal.SIGKILL


def test_a_pair_is_written_whole_and_nothing_else_stays(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["drawn.json", "drawn.tflite"]
    content, card = read_model(folder / "drawn.tflite")
    assert content == OLD
    assert card.facts["head"] == "crowd"


def test_a_kill_before_the_first_rename_leaves_the_old_pair(folder: Path) -> None:
    killed_before_rename(folder, 0)
    assert read_model(folder / "drawn.tflite")[0] == OLD
    found = pair_in_place(folder / "drawn.tflite")
    assert found is not None
    assert found[0] == OLD
    assert sorted(path.name for path in folder.iterdir()) == ["drawn.json", "drawn.tflite"]


def test_a_kill_between_the_two_renames_is_finished_by_the_next_reader(folder: Path) -> None:
    killed_before_rename(folder, 1)
    with pytest.raises(ModelError, match="differs from its card"):  # the device refuses it
        read_model(folder / "drawn.tflite")
    found = pair_in_place(folder / "drawn.tflite")
    assert found is not None
    assert found[0] == NEW
    assert found[1].sha256 == card_of(NEW).sha256
    assert sorted(path.name for path in folder.iterdir()) == ["drawn.json", "drawn.tflite"]


def test_a_kill_between_the_two_renames_is_also_finished_by_the_next_export(folder: Path) -> None:
    killed_before_rename(folder, 1)
    third = b"\0\0\0\0TFL3 third"
    write_pair(folder, third, card_of(third))
    assert read_model(folder / "drawn.tflite")[0] == third
    assert len(list(folder.iterdir())) == 2


def test_a_second_rename_that_fails_puts_the_first_file_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def fail(source: Path, target: Path) -> None:
        if Path(target).suffix == ".json":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(pair.os, "replace", fail)
    with pytest.raises(StorageError, match=r"cannot write drawn\.tflite there: No space left"):
        write_pair(folder, NEW, card_of(NEW))
    assert read_model(folder / "drawn.tflite")[0] == OLD
    assert len(list(folder.iterdir())) == 2


def test_a_failure_leaves_no_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pair, "write_through", full)
    with pytest.raises(StorageError, match="No space left"):
        write_pair(tmp_path / "a" / "b", NEW, card_of(NEW))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for refuse in (
        lambda: require_writable(file / "models"),
        lambda: write_pair(file / "models", NEW, card_of(NEW)),
        lambda: write_pair(Path("/proc/models"), NEW, card_of(NEW)),
    ):
        with pytest.raises(StorageError, match="cannot write"):
            refuse()
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_there_yet_may_be_made(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


def test_a_model_without_a_card_or_no_model_is_no_pair(tmp_path: Path) -> None:
    assert pair_in_place(tmp_path / "drawn.tflite") is None
    (tmp_path / "drawn.tflite").write_bytes(OLD)
    assert pair_in_place(tmp_path / "drawn.tflite") is None


@pytest.mark.parametrize("suffix", [".tflite", ".npz"])
def test_a_damaged_pair_is_said(tmp_path: Path, suffix: str) -> None:
    path = write_pair(tmp_path, OLD, card_of(OLD), suffix)
    assert pair_in_place(path) is not None
    path.write_bytes(OLD + b"!")
    with pytest.raises(ModelError, match="card"):
        pair_in_place(path)


def test_a_card_that_waits_for_another_model_is_removed(folder: Path) -> None:
    waiting = folder / "drawn.json.part"
    waiting.write_text(card_of(NEW).to_json())
    finish_pair(folder / "drawn.tflite")
    assert not waiting.exists()
    assert read_card(folder / "drawn.json").sha256 == card_of(OLD).sha256
