import json
from pathlib import Path

import pytest

from device.__main__ import main
from device.camera import demo

PORTRAIT = Path(demo.__file__).parent / "astronaut.jpg"


def test_bench_reports_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--frames", "20", "--json"], {}) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"frames", "ms_per_frame", "fps", "rss_mb", "stages"} <= set(result)
    assert result["frames"] == 20
    assert {"detect_track", "classify", "smooth", "publish", "frame"} <= set(result["stages"])
    assert set(result["stages"]["frame"]) == {"p50_ms", "p95_ms"}
    assert result["ms_per_frame"] > 0


def test_bench_of_a_short_source_measures_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--source", str(PORTRAIT), "--json"], {}) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 1


def test_bench_of_nothing_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--source", str(tmp_path)], {}) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_bench_of_no_frames_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--frames", "0"], {})
    assert caught.value.code == 2
    assert main(["bench", "--threads", "0"], {}) == 2
    assert "1 to 8" in capsys.readouterr().err
