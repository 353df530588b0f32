import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.bundles import programs

SCRIPTS = sorted(Path("systemd").glob("**/*.sh"))
SOURCED = ("target.sh", "verify.sh")
PROGRAMS = [path for path in SCRIPTS if path.name not in SOURCED]
# Nobody is root and nothing is fetched, whatever a script begins.
HARMLESS = {"id": "#!/bin/sh\necho 1000\n"} | dict.fromkeys(
    ("mmdebstrap", "uv", "python3", "systemctl"), "#!/bin/sh\nexit 3\n"
)


@pytest.fixture
def clone(tmp_path):
    """The scripts, and what an earlier build left."""
    shutil.copytree("systemd", tmp_path / "clone/systemd")
    (tmp_path / "clone/device").mkdir()
    (tmp_path / "clone/device/__init__.py").write_text('__version__ = "0.1.0"\n')
    (tmp_path / "clone/dist/mien-0.1.0/wheels").mkdir(parents=True)
    return tmp_path / "clone"


def call(clone, script, *arguments):
    path = programs(clone.parent / "programs", **HARMLESS)
    return subprocess.run(
        [f"./{script}", *arguments], cwd=clone, capture_output=True, text=True, timeout=50,
        env={**os.environ, "PATH": path},
    )  # fmt: skip


def contents(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


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
        ("bundle.sh", ["--python", "2.7", "--arch", "aarch64"], "Python 2.7: known are"),
        ("bundle.sh", ["--python", "3.13", "--arch", "foo"], "--arch foo: known are aarch64"),
        ("bundle.sh", ["--python", "3.13", "--arch", "aarch64"], "no venv: apt install python3"),
        ("deb.sh", ["--arch", "aarch64", "--arch", "foo"], "--arch foo: known are aarch64"),
        ("uninstall.sh", ["--purge", "--help"], "uninstall.sh: one option at a time"),
        ("image/customize.sh", [], "customize.sh: usage: customize.sh IMAGE"),
        ("image/build.sh", ["--plain", "one.img", "two.img"], "build.sh: one OUTPUT at a time"),
        ("image/build.sh", ["one.img", "--nonsense"], "build.sh: unknown option --nonsense"),
        ("image/overlay.sh", [], "overlay.sh: usage: overlay.sh BUNDLE X.Y FOLDER"),
        ("flash.sh", [], "flash.sh: no image: make image"),
        ("flash.sh", ["a.img", "/dev/null", "--nonsense"], "flash.sh: unknown option --nonsense"),
        ("flash.sh", ["a.img", "/dev/null", "/dev/full"], "flash.sh: one image and one disk"),
        *((str(path.relative_to("systemd")), ["--nonsense"],
           f"{path.name}: unknown option --nonsense (") for path in PROGRAMS),
    ],
)  # fmt: skip
def test_wrong_arguments_end_in_one_line_before_anything_is_done(clone, script, arguments, said):
    before = contents(clone)
    done = call(clone, f"systemd/{script}", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert contents(clone) == before


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("path", PROGRAMS, ids=str)
def test_help_says_how_a_script_is_called_and_does_nothing_else(clone, path, option):
    before = contents(clone)
    done = call(clone, str(path), option)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.search(rf"^   *(sudo )?\S*{path.name}", done.stdout, re.MULTILINE)
    assert done.stdout.startswith(path.read_text().splitlines()[1].removeprefix("# "))
    assert "set -euo" not in done.stdout
    assert contents(clone) == before


def test_no_script_names_a_package_index():
    for path in (*SCRIPTS, *Path("systemd/requirements").glob("*.txt")):
        text = path.read_text()
        assert not re.search(r"://\w", text)  # addresses come from the machine's own configuration
        assert "index-url" not in text.replace("--no-emit-index-url", "")
