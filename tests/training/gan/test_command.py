from __future__ import annotations

from pathlib import Path

import pytest

from training.__main__ import main


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
