"""Which install bundles install.sh takes, in a sandbox; test_container.py installs for real."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd import bundles
from tests.systemd.sandbox import ISOLATED, Device

pytestmark = [
    pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs openssh-client"),
    pytest.mark.skipif(
        subprocess.run([*ISOLATED, "true"], capture_output=True).returncode != 0,
        reason="this kernel gives a plain user no name spaces",
    ),
]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.make_key(tmp_path_factory.mktemp("key") / "key")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Path:
    folder = tmp_path_factory.mktemp("made")
    clone = bundles.make_clone(folder / "clone")
    path = bundles.programs(folder / "programs", python3=bundles.PYTHON)
    bundle, _ = bundles.make_bundle(clone, PATH=path, FETCHES="yes", MIEN_SIGNING_KEY=str(key))
    return bundle


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    """A signed bundle."""
    return Path(shutil.copytree(made, tmp_path / "bundle"))


@pytest.fixture
def later(bundle: Path, key: Path, tmp_path: Path) -> Path:
    """The next one, signed too."""
    later = Path(shutil.copytree(bundle, tmp_path / "later"))
    (later / "mien.service").write_text("# a later unit\n")
    bundles.sum_up(later)
    bundles.sign(later, key)
    return later


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path / "device")


@pytest.fixture
def known(device: Device, bundle: Path) -> Device:
    """A device that runs the first bundle and knows its key."""
    done = device.install(bundle / "install.sh")
    assert done.returncode == 0, done.stderr
    return device


def public(key: Path) -> str:
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


def test_the_first_bundle_s_key_is_trusted_and_said(device, bundle, key):
    done = device.install(bundle / "install.sh")
    assert done.returncode == 0, done.stderr
    assert device.key == public(key)
    fingerprint = subprocess.check_output(["ssh-keygen", "-l", "-f", key], text=True).split()[1]
    assert f"updates must be signed with the key in /etc/mien/bundle-key.pub: {fingerprint}" in (
        done.stderr
    )
    assert fingerprint in device.log


def test_going_back_without_a_start_starts_nothing(known, later):
    """As in a chroot."""
    before = os.readlink(known.opt / "mien/current")
    assert known.install(later / "install.sh").returncode == 0
    now = os.readlink(known.opt / "mien/current")
    (known.opt / "mien/previous").symlink_to(before)
    done = known.install(known.installed, "--rollback")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"mien: back to release {before.removeprefix('releases/')}; not started\n"
    links = [os.readlink(known.opt / "mien" / name) for name in ("current", "previous")]
    assert links == [before, now]


@pytest.mark.parametrize("form", ["own script", "folder", "tar"])
def test_a_signed_update_is_installed_and_says_nothing_of_keys(known, later, key, form):
    before = os.readlink(known.opt / "mien/current")
    if form == "own script":
        done = known.install(later / "install.sh")
    elif form == "folder":
        done = known.install(known.installed, later)
    else:
        subprocess.run(["tar", "-C", later.parent, "-cf", f"{later}.tar", later.name], check=True)
        done = known.install(known.installed, f"{later}.tar")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert os.readlink(known.opt / "mien/current") != before
    assert known.key == public(key)
    assert list(known.opt.glob("mien/incoming*")) == []


def exchange_wheel(later: Path, other: Path) -> None:
    (wheel,) = later.glob("wheels/mien-*.whl")
    wheel.write_text("exchanged\n")


def exchange_wheel_and_sums(later: Path, other: Path) -> None:
    exchange_wheel(later, other)
    signature = (later / "SHA256SUMS.sig").read_bytes()
    bundles.sum_up(later)
    (later / "SHA256SUMS.sig").write_bytes(signature)


def sign_with_another_key(later: Path, other: Path) -> None:
    shutil.copy(other.with_suffix(".pub"), later / "bundle-key.pub")
    bundles.sum_up(later)
    bundles.sign(later, other)


def take_the_signature_away(later: Path, other: Path) -> None:
    (later / "SHA256SUMS.sig").unlink()


def spoil_the_signature(later: Path, other: Path) -> None:
    (later / "SHA256SUMS.sig").write_bytes(b"\0" * 1000)


def add_a_wheel(later: Path, other: Path) -> None:
    (later / "wheels/mien-9-py3-none-any.whl").write_text("added\n")


def put_a_link(later: Path, other: Path) -> None:
    (later / "mien.toml").unlink()
    (later / "mien.toml").symlink_to("/etc/shadow")


def put_a_pipe(later: Path, other: Path) -> None:
    (later / "SHA256SUMS.sig").unlink()
    os.mkfifo(later / "SHA256SUMS.sig")


def put_a_huge_file(later: Path, other: Path) -> None:
    with (later / "wheels/huge.whl").open("wb") as file:
        file.truncate(1 << 40)


FORGED = {
    exchange_wheel: "the bundle is damaged",
    exchange_wheel_and_sums: "is not signed with the key in /etc/mien/bundle-key.pub",
    sign_with_another_key: "is not signed with the key in /etc/mien/bundle-key.pub",
    take_the_signature_away: "the bundle is unsigned",
    spoil_the_signature: "is not signed with the key in",
    add_a_wheel: "SHA256SUMS does not name exactly the files that are there",
    put_a_link: "mien.toml in the bundle is too large, not a plain file",
    put_a_pipe: "SHA256SUMS.sig in the bundle is too large, not a plain file",
    put_a_huge_file: "wheels/huge.whl in the bundle is too large",
}


@pytest.mark.parametrize("own_script", [True, False], ids=["own script", "installed script"])
@pytest.mark.parametrize(
    ("forge", "said"), FORGED.items(), ids=[forge.__name__ for forge in FORGED]
)
def test_a_forged_update_is_refused_and_nothing_changes(
    known, later, tmp_path, forge, said, own_script
):
    forge(later, bundles.make_key(tmp_path / "other"))
    (later / "install.sh").chmod(0o755)
    before = known.state()
    told = known.log
    if own_script:
        done = known.install(later / "install.sh")
    else:
        done = known.install(known.installed, later)
    assert done.returncode == 1
    assert said in done.stderr
    assert "nothing was changed" in done.stderr
    assert said in known.log.removeprefix(told)
    assert known.state() == before


def test_a_forged_bundle_s_own_script_does_not_run(known, later):
    (later / "install.sh").write_text("#!/bin/sh\ntouch /etc/owned\n")
    bundles.sum_up(later)
    before = known.state()
    assert known.install(known.installed, later).returncode == 1
    assert known.state() == before


def test_allow_unsigned_is_said_in_one_line_and_teaches_no_key(known, later, tmp_path, key):
    sign_with_another_key(later, bundles.make_key(tmp_path / "other"))
    told = known.log
    done = known.install(known.installed, "--allow-unsigned", later)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "--allow-unsigned installs it nevertheless" in done.stderr
    assert known.log.removeprefix(told).count("--allow-unsigned") == 1
    assert known.key == public(key)


def test_a_bundle_made_on_the_device_needs_no_signature(known, later, key):
    (later / "SHA256SUMS.sig").unlink()
    done = known.install(later / "install.sh", "--local")
    assert (done.returncode, done.stderr) == (0, "")
    assert known.key == public(key)


def test_a_named_key_is_asked_the_first_time(device, bundle, key, tmp_path):
    other = bundles.make_key(tmp_path / "other").with_suffix(".pub")
    before = device.state()
    done = device.install(bundle / "install.sh", "--public-key", other)
    assert done.returncode == 1
    assert f"is not signed with the key in {other}" in done.stderr
    assert device.state() == before
    named = device.install(bundle / "install.sh", "--public-key", key.with_suffix(".pub"))
    assert named.returncode == 0, named.stderr
    assert device.key == public(key)


def test_a_named_key_takes_the_place_of_the_known_one(known, later, tmp_path):
    other = bundles.make_key(tmp_path / "other")
    sign_with_another_key(later, other)
    done = known.install(known.installed, later, "--public-key", other.with_suffix(".pub"))
    assert done.returncode == 0, done.stderr
    assert known.key == public(other)


def test_without_any_key_the_first_bundle_is_taken_and_said_and_updates_are_not(
    device, bundle, later
):
    (bundle / "bundle-key.pub").unlink()
    bundles.sum_up(bundle)
    first = device.install(bundle / "install.sh")
    assert first.returncode == 0, first.stderr
    assert first.stderr == (
        "install.sh: the bundle is unsigned and no key is known here: nobody checked whose it is\n"
    )
    assert device.key is None
    before = device.state()
    done = device.install(later / "install.sh")
    assert done.returncode == 1
    assert "no key is known here: name the maintainer's with --public-key FILE" in done.stderr
    take_the_signature_away(later, later)
    assert "is unsigned" in device.install(later / "install.sh").stderr
    assert device.state() == before


def test_a_first_bundle_whose_signature_went_is_refused(device, bundle):
    (bundle / "SHA256SUMS.sig").unlink()
    before = device.state()
    done = device.install(bundle / "install.sh")
    assert done.returncode == 1
    assert "the bundle is unsigned" in done.stderr
    assert device.state() == before


def test_a_bundle_that_everybody_may_change_is_refused(known, later):
    (later / "mien.toml").chmod(0o666)
    done = known.install(later / "install.sh")
    assert done.returncode == 1
    assert "may be changed by everybody" in done.stderr
    assert known.install(known.installed, later).returncode == 0  # it works on a copy of its own


def test_a_compressed_or_other_file_is_no_bundle(known, later, tmp_path):
    packed = tmp_path / "later.tar.gz"
    subprocess.run(["tar", "-C", later.parent, "-czf", packed, later.name], check=True)
    for file in (packed, later / "mien.toml"):
        before = known.state()
        done = known.install(known.installed, file)
        assert done.returncode == 1
        assert "is not a bundle (a folder or .tar)" in done.stderr
        assert known.state() == before


def test_python_imports_nothing_from_the_folder_it_is_called_in(device, bundle, tmp_path):
    (tmp_path / "venv.py").write_text("what anybody may have put there\n")
    done = device.install(bundle / "install.sh", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "imports from" not in done.stderr
