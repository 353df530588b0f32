import hashlib
from pathlib import Path

import pytest

from systemd.for_target import for_target, pin_wheel

PINNED = """\
numpy==2.2.6 ; python_full_version < '3.11' \\
    --hash=sha256:aa \\
    --hash=sha256:ab
numpy==2.4.6 ; python_full_version >= '3.11' \\
    --hash=sha256:ba
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:ca
six==1.17.0 \\
    --hash=sha256:da
"""
LOCKED = sorted(Path("systemd/requirements").glob("*.txt"))


@pytest.mark.parametrize(
    ("python", "numpy"),
    [("3.10", "numpy==2.2.6"), ("3.11", "numpy==2.4.6"), ("3.13", "numpy==2.4.6")],
)
def test_markers_are_read_for_the_other_python(python, numpy):
    lines = for_target(PINNED, python, "aarch64").splitlines()
    pins = [line.removesuffix(" \\") for line in lines if not line.startswith(" ")]
    assert pins == [numpy, "six==1.17.0"]


def test_every_hash_is_kept():
    assert "numpy==2.2.6 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab\n" in for_target(
        PINNED, "3.10", "aarch64"
    )


def test_a_wheel_built_here_takes_the_place_of_its_source(tmp_path):
    wheel = tmp_path / "six-1.17.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    digest = hashlib.sha256(b"wheel").hexdigest()
    pinned = pin_wheel(for_target(PINNED, "3.10", "aarch64"), wheel)
    assert f"six==1.17.0 \\\n    --hash=sha256:{digest}\n" in pinned
    assert "da" not in pinned.splitlines()[-1].removeprefix("    --hash=sha256:" + digest)
    assert "numpy==2.2.6 \\\n    --hash=sha256:aa" in pinned


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.stem)
def test_every_locked_requirement_has_a_hash(path):
    for python in ("3.10", "3.11", "3.12", "3.13"):
        chosen = for_target(path.read_text(), python, "aarch64")
        pins = [line for line in chosen.splitlines() if "==" in line]
        assert len(pins) > 20
        assert chosen.count(" \\\n    --hash=") >= len(pins)
        assert "numpy==" in chosen
        assert "colorama" not in chosen


def test_bookworm_keeps_the_numpy_that_its_picamera2_was_compiled_for():
    chosen = for_target(Path("systemd/requirements/bookworm.txt").read_text(), "3.11", "aarch64")
    assert "numpy==1." in chosen
