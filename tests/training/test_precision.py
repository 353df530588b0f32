from __future__ import annotations

from pathlib import Path

import pytest

from training import precision
from training.precision import usable_precision


@pytest.mark.parametrize(
    ("flags", "used"),
    [
        ("flags : fpu avx2 fma", "float32"),
        ("flags : fpu avx512_bf16", "mixed_bfloat16"),
        ("flags : fpu amx_bf16 amx_tile", "mixed_bfloat16"),
        ("Features : fp asimd i8mm bf16", "mixed_bfloat16"),
    ],
)
def test_bfloat16_is_used_where_the_processor_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: str, used: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(precision, "has_gpu", lambda: False)
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\n")
    assert usable_precision("mixed_bfloat16", tmp_path / "cpuinfo") == used
    assert usable_precision("float32", tmp_path / "cpuinfo") == "float32"
    assert ("no bfloat16" in capsys.readouterr().out) == (used == "float32")


def test_a_machine_that_says_nothing_computes_as_told(tmp_path: Path) -> None:
    assert usable_precision("mixed_bfloat16", tmp_path / "none") == "mixed_bfloat16"


def test_a_gpu_computes_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_gpu", lambda: True)
    (tmp_path / "cpuinfo").write_text("flags : avx2\n")
    assert usable_precision("mixed_bfloat16", tmp_path / "cpuinfo") == "mixed_bfloat16"
