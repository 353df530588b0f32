from __future__ import annotations

from pathlib import Path

import pytest

from device.daemon.board import THROTTLED_FILES, Board, name_bits


def nothing() -> str:
    return ""


def make_zones(sys: Path, zones: dict[str, str]) -> None:
    for number, (kind, temperature) in enumerate(zones.items()):
        folder = sys / f"class/thermal/thermal_zone{number}"
        folder.mkdir(parents=True)
        (folder / "type").write_text(kind + "\n")
        (folder / "temp").write_text(temperature + "\n")


def test_a_raspberry_pi_tells_heat_and_throttling(tmp_path: Path) -> None:
    make_zones(tmp_path, {"cpu-thermal": "61322"})
    path = tmp_path / THROTTLED_FILES[0]
    path.parent.mkdir(parents=True)
    path.write_text("50005\n")
    state = Board(tmp_path, vcgencmd=nothing).read()
    assert state.temperature_c == 61.3
    assert state.throttled is True
    assert state.throttling == [
        "under-voltage",
        "throttled",
        "under-voltage has occurred",
        "throttled has occurred",
    ]


def test_vcgencmd_is_asked_where_the_kernel_is_silent(tmp_path: Path) -> None:
    state = Board(tmp_path, vcgencmd=lambda: "throttled=0x20000\n").read()
    assert state.throttled is False
    assert state.throttling == ["frequency capped has occurred"]


def test_a_board_without_vcgencmd_is_asked_once(tmp_path: Path) -> None:
    asked: list[int] = []

    def vcgencmd() -> str:
        asked.append(1)
        return ""

    board = Board(tmp_path, vcgencmd=vcgencmd)
    assert board.read().throttled is None
    board.read()
    assert len(asked) == 1


def test_a_jetson_tells_its_hottest_processor_zone(tmp_path: Path) -> None:
    zones = {"CPU-therm": "48500", "GPU-therm": "51000", "AO-therm": "70000", "tj-thermal": "52250"}
    make_zones(tmp_path, {**zones, "cv0-thermal": "-256000"})
    assert Board(tmp_path, vcgencmd=nothing).read().temperature_c == 52.2


@pytest.mark.parametrize("text", ["", "rubbish", "-256000", "999999"])
def test_a_sensor_that_is_off_or_broken_is_not_believed(tmp_path: Path, text: str) -> None:
    make_zones(tmp_path, {"cpu-thermal": text})
    assert Board(tmp_path, vcgencmd=nothing).read().temperature_c is None


def test_memory_is_that_of_this_process() -> None:
    memory_mb = Board().read().memory_mb
    assert memory_mb is not None
    assert 10 < memory_mb < 10_000


def test_no_bits_are_no_words() -> None:
    assert list(name_bits(0)) == []
