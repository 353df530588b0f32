from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import UsageError
from training.gan.tables import rewrite


def test_a_report_without_marks_is_left_alone(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("nothing to rewrite\n")
    with pytest.raises(UsageError, match="lacks the lines"):
        rewrite(report, "table")
    assert report.read_text() == "nothing to rewrite\n"
