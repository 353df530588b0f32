"""What ``mien check`` says of an installed model that is damaged: what is used instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.cli.check import model_lines
from device.settings import Settings
from device.settings.reader import replace_setting
from device.vision.generator import choose_generator
from device.vision.model_store import ModelStore
from device.vision.trial import try_out
from tests.generators import generator_bundle


def test_a_damaged_generator_is_told_and_the_shipped_one_serves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ModelStore(tmp_path / "models")
    store.install(generator_bundle(tmp_path / "bundle"), try_out)
    generator = store.find("generator")
    assert generator
    content = bytearray(generator.read_bytes())
    content[-1] ^= 1
    generator.write_bytes(content)
    _, [problem] = choose_generator(store)
    assert "sha256" in problem
    lines = list(
        model_lines(replace_setting(Settings(), "classifier.model", "expression-tiny"), store)
    )
    assert any(line.startswith("generator generator") for line in lines)
    assert any(line.startswith("detector") for line in lines)
    assert "the shipped generator serves" in capsys.readouterr().err
