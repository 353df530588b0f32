"""Arguments that name nothing, too much, or a place that cannot be used: one line, status 2."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from device.__main__ import main
from device.camera import demo
from tests.device.cli.processes import ROOT

PORTRAIT = str(Path(demo.__file__).parent / "astronaut.jpg")
MADE = ["synthesize", PORTRAIT, "--expression", "sad", "--output"]
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
WITHOUT_RIGHTS += ["--inh-caps=-dac_override,-dac_read_search"]


def status_of(words: Sequence[str], **environment: str) -> int:
    """Of a command, whether argparse ends it or the command itself."""
    try:
        return main(words, environment)
    except SystemExit as error:
        return int(str(error.code))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["analyze", ""], "PATH"),
        (["analyze", PORTRAIT, "--save", ""], "--save"),
        (["bench", "--source", ""], "--source"),
        (["run", "--source", ""], "--source"),
        (["fetch", "--into", ""], "--into"),
        (["watch", "--broker", ""], "--broker"),
        ([*MADE, ""], "--output"),
        ([*MADE, "o.png", "--model", ""], "--model"),
        (["synthesize", "", "--expression", "sad", "--output", "o.png"], "PICTURE"),
        (["model", "install", ""], "BUNDLE"),
        (["model", "rollback", ""], "NAME"),
        (["capture", "export", ""], "DIR"),
        (["check", "--config", ""], "--config"),
    ],
)
def test_an_empty_value_is_refused(
    words: list[str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(words, XDG_STATE_HOME=str(tmp_path)) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"error: argument {name}: the value is empty")


@pytest.mark.parametrize("value", ["0", "-3", "99999999999999999999", "many", "1.5", ""])
def test_a_number_of_frames_is_a_whole_one_in_its_range(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(["bench", f"--frames={value}"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"argument --frames: {value}: expected a whole number from 1 to 1000000")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fetch", "--into", "/proc/x"], "--into /proc/x: cannot write: No such file"),
        (["model", "install", "/etc/passwd"], "/etc/passwd: neither a .zip nor a folder"),
        (["watch", "--broker", "127.0.0.1:99999"], "a PORT from 1 to 65535"),
        (["watch", "--broker", "127.0.0.1:0"], "a PORT from 1 to 65535"),
        (["bench", "--threads", "0"], "--threads: classifier.threads = 0"),
        ([*MADE, "o.png", "--model", "/nowhere/g.tflite"], "--model /nowhere/g.tflite: no gen"),
    ],
)
def test_what_an_argument_names_is_the_command_lines_fault(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert status_of(words, XDG_STATE_HOME=str(tmp_path)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder into which nobody may look who has no more rights than its owner."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o000)
    yield folder
    folder.chmod(0o700)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ([*MADE, "locked/a.png"], 2, "--output locked/a.png: cannot write: Permission denied"),
        ([*MADE, "o.png", "--model", "locked/g.tflite"], 2,
         "--model locked/g.tflite: cannot read: Permission denied"),
        (["analyze", PORTRAIT, "--save", "locked"], 2,
         "--save locked: cannot write: Permission denied"),
        (["analyze", PORTRAIT, "--save", "locked/a"], 2,
         "--save locked/a: cannot make the folder: Permission denied"),
        (["synthesize", "locked/a.png", "--expression", "sad", "--output", "o.png"], 1,
         "locked/a.png: cannot read: Permission denied"),
        (["model", "install", "locked/b"], 2,
         "locked/b: cannot read the bundle: Permission denied"),
        (["model", "install", "locked"], 2, "locked: cannot read the bundle: Permission denied"),
        (["fetch", "--into", "locked"], 2, "--into locked: cannot write: Permission denied"),
    ],
)  # fmt: skip
def test_a_folder_without_permission_is_told_in_one_line(
    words: list[str], status: int, message: str, locked: Path
) -> None:
    try:
        allowed = subprocess.run([*WITHOUT_RIGHTS, "ls", str(locked)], capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs setpriv (util-linux)")
    if b"Permission denied" not in allowed.stderr:
        pytest.skip("needs a user without root's rights")
    done = subprocess.run(
        [*WITHOUT_RIGHTS, sys.executable, "-m", "device", *words],
        cwd=locked.parent, env={"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(locked.parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, f"mien: {message}\n")
    assert done.stdout == ""
    assert [path.name for path in locked.parent.iterdir()] == ["locked"]


@pytest.mark.parametrize(
    "words", [["--help"], ["model", "list"], ["doctor"], ["analyze", PORTRAIT]]
)
def test_a_full_disk_behind_the_output_is_one_plain_line(words: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "device", *words], cwd=ROOT, stdout=full,
            env={"XDG_STATE_HOME": str(tmp_path)}, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO:")]
    assert (done.returncode, lines) == (1, ["mien: standard output: No space left on device"])


def test_a_disk_that_fails_is_said_without_its_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "/mnt/a")

    monkeypatch.setattr("device.cli.check.main", fail)
    assert main(["check"], {}) == 1
    assert capsys.readouterr().err == "mien: /mnt/a: Input/output error (--debug shows where)\n"
    assert main(["check", "--debug"], {}) == 1
    assert "Traceback" in capsys.readouterr().err
