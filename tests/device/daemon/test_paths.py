from __future__ import annotations

from pathlib import Path

import pytest

from device.daemon import paths
from device.daemon.paths import service_settings, state_folder, write_atomically
from device.errors import ConfigurationError


def test_the_folder_is_the_configured_one_else_systemds_else_at_home() -> None:
    environment = {"STATE_DIRECTORY": "/var/lib/mien:/other", "XDG_STATE_HOME": "/x"}
    assert state_folder("/mine", environment) == Path("/mine")
    assert state_folder("", environment) == Path("/var/lib/mien")
    assert state_folder("", {"XDG_STATE_HOME": "/x"}) == Path("/x/mien")


def test_an_installed_program_serves_the_service_s_folder_from_a_login_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paths, "RELEASES", Path(paths.__file__).parents[2])
    assert state_folder("", {"XDG_STATE_HOME": "/x"}) == Path("/var/lib/mien")
    assert state_folder("/mine", {}) == Path("/mine")
    assert state_folder("", {"STATE_DIRECTORY": "/run/y"}) == Path("/run/y")


def test_an_installed_program_reads_the_service_s_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "SERVICE_SETTINGS", tmp_path / "mien.toml")
    assert service_settings(None) is None
    monkeypatch.setattr(paths, "RELEASES", Path(paths.__file__).parents[2])
    assert service_settings(None) is None
    (tmp_path / "mien.toml").touch()
    assert service_settings(None) == tmp_path / "mien.toml"
    assert service_settings(Path("mine.toml")) == Path("mine.toml")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    write_atomically(path, b"old")
    (tmp_path / ".settings.json.part").mkdir()  # in the way
    with pytest.raises(OSError, match="directory"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", dict[int, str]().__getitem__)  # no entry: KeyError
    with pytest.raises(ConfigurationError, match=r"device\.state_dir"):
        state_folder("", {})
