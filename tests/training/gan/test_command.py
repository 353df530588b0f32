from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.drawn import drawn_rows, write_folder
from training.__main__ import main
from training.gan import command
from training.runs import read_settings


def test_a_run_is_never_overwritten(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.json").write_text("{}")
    words = ["--data", str(drawn[0]), "--votes", str(drawn[1]), "--run", str(tmp_path)]
    assert main(["cgan", *words]) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_a_generator_too_large_is_refused_before_its_guide_is_trained(
    drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(drawn[0]), "--votes", str(drawn[1])]
    words = ["stargan", *data, "--run", str(tmp_path / "run"), "--width", "400"]
    assert main(words) == 2
    assert "--width 400" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_without_votes_is_learned_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no votes in their usual place
    write_folder(tmp_path / "kaggle", drawn_rows(), named=True)
    learned = []
    monkeypatch.setattr(
        command, "train", lambda recipe, pictures, run: bool(learned.append(pictures)) or True
    )
    words = ["cgan", "--data", str(tmp_path / "kaggle"), "--run", str(tmp_path / "run")]
    assert main(words) == 0
    assert "FER2013's labels say what is learned" in capsys.readouterr().out
    [pictures] = learned
    assert not pictures.has_votes
    assert read_settings(tmp_path / "run")["data"]["votes"] is None
    assert main(["cgan", "--resume", str(tmp_path / "run")]) == 0
