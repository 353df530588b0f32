"""The commands as a user who has no name and no home, as in many a container."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.device.mqtt.appliance import wait_until

NOBODY = 54_321  # no entry in /etc/passwd
ROOT = Path(__file__).parents[3]

# It may read what root may, as this Python and its packages may lie in root's home; it writes as
# nobody, and has no other right.
BECOME = [
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
]  # fmt: skip

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)"),
]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the user may enter, with a copy of the package that it may read."""
    with pytest.raises(KeyError):
        pwd.getpwuid(NOBODY)
    # pytest's own folders are root's alone
    folder = Path(tempfile.mkdtemp(prefix="mien-nobody-", dir="/tmp"))
    folder.chmod(0o755)
    shutil.copytree(ROOT / "device", folder / "device")
    yield folder
    shutil.rmtree(folder)


def start(
    place: Path, words: Sequence[str], log: Path, **environment: str
) -> subprocess.Popen[bytes]:
    clean = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "80"}
    with log.open("wb") as out:
        return subprocess.Popen(
            [*BECOME, sys.executable, "-m", "device", *words], cwd=place, env=clean | environment,
            stdout=out, stderr=out, stdin=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.mark.parametrize("command", ["run", "check"])
def test_without_a_state_folder_it_is_one_line_and_78(
    place: Path, tmp_path: Path, command: str
) -> None:
    log = tmp_path / "log"
    assert start(place, [command], log).wait(60) == 78
    [line] = [line for line in log.read_text().splitlines() if not line.startswith("INFO:")]
    assert line.startswith("mien: device.state_dir is empty and this user has no home folder")


def test_with_a_state_folder_the_settings_are_good_and_the_daemon_runs(
    place: Path, tmp_path: Path
) -> None:
    state, log = place / "state", tmp_path / "log"
    state.mkdir()
    os.chown(state, NOBODY, NOBODY)
    environment = {"MIEN_DEVICE__STATE_DIR": str(state)}
    assert start(place, ["check"], log, **environment).wait(60) == 0, log.read_text()
    daemon = start(place, ["run"], log, **environment)
    try:
        wait_until(lambda: "ppeared" in log.read_text() or "happy" in log.read_text(), 60.0)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0
    finally:
        daemon.kill()
        daemon.wait()
    assert "Traceback" not in log.read_text()
