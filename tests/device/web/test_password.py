from __future__ import annotations

import io
from pathlib import Path

import pytest

from device.__main__ import main
from device.errors import ConfigurationError, StorageError
from device.settings.tree import Web
from device.web.password import configured_hash, make_hash, parse_hash
from tests.device.web.site import PASSWORD, QUICK_HASH

SALT, KEY = QUICK_HASH.split(":")[4:]


def test_a_hash_fits_its_password_alone_and_reads_back() -> None:
    made = make_hash(PASSWORD)
    read = parse_hash(f"{made}\n")
    assert read == made
    assert read.fits(PASSWORD)
    assert not read.fits(PASSWORD + " ")
    assert not read.fits("x" * 1_000_000)
    assert make_hash(PASSWORD).salt != made.salt


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        f"scrypt:16:1:{SALT}:{KEY}",
        f"md5:16:1:1:{SALT}:{KEY}",
        f"scrypt:15:1:1:{SALT}:{KEY}",
        f"scrypt:0:1:1:{SALT}:{KEY}",
        f"scrypt:16:1:1::{KEY}",
        f"scrypt:16:1:1:{SALT}:",
        f"scrypt:16:1:1:{SALT}:no base64!",
        f"scrypt:1073741824:8:1:{SALT}:{KEY}",  # a terabyte of memory
        f"scrypt:x:8:1:{SALT}:{KEY}",
    ],
)
def test_what_is_no_hash_is_a_wrong_setting(text: str, tmp_path: Path) -> None:
    (tmp_path / "hash").write_text(text)
    with pytest.raises(ConfigurationError, match=r"web\.password_file.*mien web password"):
        configured_hash(Web(password_file=str(tmp_path / "hash")))
    if text:
        with pytest.raises(ConfigurationError, match=r"web\.password_hash: .*mien web password"):
            configured_hash(Web(password_hash=text))


def test_the_file_goes_before_and_a_missing_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "hash").write_text(f"{QUICK_HASH}\n")
    found = configured_hash(Web(password_hash="x", password_file=str(tmp_path / "hash")))
    assert found
    assert found.fits(PASSWORD)
    with pytest.raises(ConfigurationError, match="cannot read it: No such file"):
        configured_hash(Web(password_file=str(tmp_path / "none")))
    assert configured_hash(Web()) is None


def test_the_command_prints_the_line_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(["web", "password"], {}) == 0
    assert parse_hash(capsys.readouterr().out).fits(PASSWORD)


def test_a_short_password_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["web", "password"], {}) == 2
    assert "8 to 200 characters" in capsys.readouterr().err


def test_a_disk_that_fails_does_not_end_the_restarts() -> None:
    web = Web(password_file="/proc/self/mem")  # its first byte is an input/output error
    with pytest.raises(StorageError, match=r"web\.password_file.*Input/output error"):
        configured_hash(web)
