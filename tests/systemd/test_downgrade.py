"""Which versions install.sh takes, and which it goes back to, in a sandbox."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.systemd import bundles
from tests.systemd.test_install import bundle, device, key, later, made, pytestmark

__all__ = ["bundle", "device", "key", "later", "made", "pytestmark"]  # fixtures


def with_version(bundle: Path, version: str, key: Path) -> Path:
    """The same bundle as if it were of another version, signed."""
    (wheel,) = bundle.glob("wheels/mien-*.whl")
    wheel.rename(wheel.with_name(f"mien-{version}-py3-none-any.whl"))
    bundles.sum_up(bundle)
    bundles.sign(bundle, key)
    return bundle


@pytest.mark.parametrize("own_script", [True, False], ids=["own script", "installed script"])
def test_an_older_bundle_is_refused_however_well_it_is_signed(
    device, bundle, later, key, own_script
):
    with_version(bundle, "1.10.0", key)
    with_version(later, "1.9.2", key)
    (later / "install.sh").chmod(0o755)
    assert device.install(bundle / "install.sh").returncode == 0
    before = device.state()
    script = [later / "install.sh"] if own_script else [device.installed, later]
    done = device.install(*script)
    assert done.returncode == 1
    assert "has version 1.9.2, older than 1.10.0, which runs here" in done.stderr
    assert device.state() == before
    done = device.install(*script, "--allow-downgrade")
    assert (done.returncode, done.stderr) == (0, "")
    assert os.readlink(device.opt / "mien/current").startswith("releases/1.9.2-")


def test_a_release_candidate_gives_way_to_its_release_and_not_the_other_way(
    device, bundle, later, key, tmp_path
):
    release = shutil.copytree(later, tmp_path / "release")
    with_version(bundle, "1.10.0rc2", key)
    with_version(later, "1.10.0rc10", key)
    with_version(release, "1.10.0", key)
    for taken in (bundle, later, release):
        done = device.install(taken / "install.sh")
        assert done.returncode == 0, done.stderr
    assert os.readlink(device.opt / "mien/current").startswith("releases/1.10.0-")
    done = device.install(later / "install.sh")
    assert done.returncode == 1
    assert "has version 1.10.0rc10, older than 1.10.0, which runs here" in done.stderr


@pytest.mark.parametrize("version", ["1.10.0", "1.10.1", "2.0.0"])
def test_a_bundle_of_the_same_or_a_later_version_is_taken(device, bundle, later, key, version):
    with_version(bundle, "1.10.0", key)
    assert device.install(bundle / "install.sh").returncode == 0
    done = device.install(device.installed, with_version(later, version, key))
    assert (done.returncode, done.stderr) == (0, "")
    assert os.readlink(device.opt / "mien/current").startswith(f"releases/{version}-")


def test_what_is_made_on_the_device_may_be_older(device, bundle, later, key):
    with_version(bundle, "1.10.0", key)
    assert device.install(bundle / "install.sh").returncode == 0
    done = device.install(with_version(later, "1.9.2", key) / "install.sh", "--local")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("status", [0, 1], ids=["runs", "was made for another Python"])
def test_only_a_release_that_still_runs_is_gone_back_to(device, bundle, later, status):
    assert device.install(bundle / "install.sh").returncode == 0
    before = os.readlink(device.opt / "mien/current")
    (device.opt / "mien" / before / "bin/mien").write_text(f"#!/bin/sh\nexit {status}\n")
    done = device.install(later / "install.sh", start=True)
    assert done.returncode == 1
    now = os.readlink(device.opt / "mien/current")
    assert (now == before) is (status == 0)
    said = "the new release does not start: back to" if status == 0 else "it is installed: mend it"
    assert said in done.stderr
