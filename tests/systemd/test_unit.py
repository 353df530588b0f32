"""What systemd's own tools say of the units; a booted systemd is in test_container.py."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

KINDS = ("service", "target", "mount")
UNITS = sorted(unit for kind in KINDS for unit in Path("systemd").glob(f"**/*.{kind}"))
MAX_EXPOSURE = 2.0  # of 10, systemd's own scale

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def units(tmp_path):
    """The units with programs that exist here: verify looks for the one that is started."""
    for unit in UNITS:
        text = re.sub(r"(?m)^(Exec\w+=[-+]*)/\S+", r"\1/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", [unit.name for unit in UNITS])
def test_verify_is_silent(units, name):
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", units / name], capture_output=True, text=True
    )
    assert done.stderr + done.stdout == ""  # its exit status is 0 even for unknown keys
    assert done.returncode == 0


def test_exposure_stays_low(units):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", units / "mien.service"],
        capture_output=True,
        text=True,
    )
    found = re.search(r"Overall exposure level for mien.service: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= MAX_EXPOSURE


def test_wrong_settings_end_the_restarts():
    unit = Path("systemd/mien.service").read_text()
    assert "RestartPreventExitStatus=78\n" in unit
    assert "StartLimitIntervalSec=0\n" in unit


def test_others_may_read_the_folder_that_is_for_the_node_exporter():
    unit = Path("systemd/mien.service").read_text()
    assert "RuntimeDirectory=mien\nRuntimeDirectoryMode=0755\n" in unit
    assert "RuntimeDirectoryPreserve" not in unit  # with it, only the service could enter
