import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = sorted(Path("systemd").glob("**/*.sh"))
SOURCED = ("target.sh", "verify.sh")
PROGRAMS = [path for path in SCRIPTS if path.name not in SOURCED]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("path", SCRIPTS, ids=str)
def test_shellcheck_is_silent(path):
    done = subprocess.run(["shellcheck", "-x", path], capture_output=True, text=True)
    assert done.stdout == ""


@pytest.mark.parametrize("path", PROGRAMS, ids=str)
def test_a_failing_step_ends_the_script(path):
    assert os.access(path, os.X_OK)
    assert "\nset -euo pipefail\n" in path.read_text()


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("bundle.sh", ["--nonsense"], "bundle.sh: unknown option --nonsense"),
        ("bundle.sh", ["--python", "2.7", "--arch", "aarch64"], "Python 2.7: known are"),
        ("install.sh", ["--nonsense"], "install.sh: unknown option --nonsense"),
        ("uninstall.sh", ["--nonsense"], "uninstall.sh: unknown option --nonsense"),
        ("image/customize.sh", [], "customize.sh: usage: customize.sh IMAGE"),
        ("flash.sh", [], "flash.sh: no image: make image"),
    ],
)
def test_wrong_arguments_end_in_one_line(script, arguments, said):
    done = subprocess.run([f"systemd/{script}", *arguments], capture_output=True, text=True)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_script_names_a_package_index():
    for path in (*SCRIPTS, *Path("systemd/requirements").glob("*.txt")):
        text = path.read_text()
        assert not re.search(r"://\w", text)  # addresses come from the machine's own configuration
        assert "index-url" not in text.replace("--no-emit-index-url", "")
