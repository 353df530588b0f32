"""``customize.sh`` step by step on small images; the whole of it is booted in tests/image."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.bundles import programs

SCRIPT = Path("systemd/image/customize.sh").resolve()
TOOLS = ("debugfs", "mke2fs", "sfdisk", "mkfs.vfat", "mcopy")
LOADER = "usr/lib/ld-linux-aarch64.so.1"
BOOT_START, ROOT_START, ROOT_SECTORS = 2048, 10240, 40960

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="needs e2fsprogs, dosfstools, mtools, fdisk"
)


def make_root(path: Path, *files: str) -> Path:
    """An ext4 file system with some files and the usual link to a Python."""
    tree = path.with_suffix(".tree")
    for file in (*files, "usr/bin/python3.13", "etc/motd"):
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).write_text("from the image\n")
    (tree / "usr/bin/python3").symlink_to("python3.13")
    path.write_bytes(bytes(ROOT_SECTORS * 512))
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, path], check=True)
    return path


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    tree = tmp_path / "overlay"
    release = tree / "opt/mien/releases/1"
    release.mkdir(parents=True)
    (release / "program").write_text("#!/bin/sh\n")
    (release / "program").chmod(0o755)
    (release / "with space.txt").write_text("a b\n")
    (release / ".complete").touch()
    (tree / "opt/mien/current").symlink_to("releases/1")
    (tree / "etc").mkdir()
    (tree / "etc/motd").write_text("from the overlay\n")
    (tree / "etc/secret").touch(mode=0o600)
    (tree / "usr").mkdir()
    (tree / "usr/masked").symlink_to("/dev/null")
    return tree


def call(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs functions of the script."""
    script = f"set -euo pipefail; . {SCRIPT}; work={tmp_path}; {'; '.join(command)}"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True)


def stat(root: Path, path: str) -> str:
    return subprocess.check_output(
        ["debugfs", "-R", f'stat "{path}"', root], text=True, stderr=subprocess.DEVNULL
    )


def test_writes_files_links_and_modes_that_belong_to_root(tmp_path, overlay):
    root = make_root(tmp_path / "root.img")
    done = call(tmp_path, f"write_overlay {root} {overlay}", f"compare {root} {overlay}")
    assert done.returncode == 0, done.stderr
    assert "Mode:  0755" in stat(root, "/opt/mien/releases/1/program")
    assert "Mode:  0600" in stat(root, "/etc/secret")
    assert "User:     0   Group:     0" in stat(root, "/etc/secret")
    assert '"/dev/null"' in stat(root, "/usr/masked")


def test_replaces_what_the_image_had(tmp_path, overlay):
    root = make_root(tmp_path / "root.img")
    call(tmp_path, f"write_overlay {root} {overlay}")
    cat = subprocess.check_output(
        ["debugfs", "-R", "cat /etc/motd", root], stderr=subprocess.DEVNULL
    )
    assert cat == b"from the overlay\n"


def test_notices_what_was_not_written(tmp_path, overlay):
    root = make_root(tmp_path / "root.img")
    call(tmp_path, f"write_overlay {root} {overlay}")
    (overlay / "usr/later").write_text("not in the image\n")
    done = call(tmp_path, f"compare {root} {overlay}")
    assert done.returncode == 1
    assert "/usr/later was not written" in done.stderr


def make_image(tmp_path: Path, *files: str) -> Path:
    """A disk like Raspberry Pi OS: FAT, then ext4."""
    root = make_root(tmp_path / "root.img", *files)
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(ROOT_START * 512) + root.read_bytes())
    table = f"label: dos\nstart={BOOT_START}, size={ROOT_START - BOOT_START}, type=c\n"
    table += f"start={ROOT_START}, size={ROOT_SECTORS}, type=83\n"
    subprocess.run(["sfdisk", "--quiet", image], input=table, text=True, check=True)
    return image


def test_finds_the_partitions_and_grows_the_second(tmp_path):
    image = make_image(tmp_path, LOADER)
    before = image.stat().st_size
    done = call(
        tmp_path,
        f"find_partitions {image}",
        'echo "$BOOT_START $ROOT_START $ROOT_SECTORS"',
        f"grow {tmp_path}/root.img",
        f"write_root {tmp_path}/root.img {image}",
        f"find_partitions {image}",
        'echo "$ROOT_START $ROOT_SECTORS $GROW_MIB"',
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == f"{BOOT_START} {ROOT_START} {ROOT_SECTORS}"
    start, sectors, grown_mib = map(int, second.split())
    assert (start, sectors) == (ROOT_START, ROOT_SECTORS + grown_mib * 2048)
    assert image.stat().st_size == before + (grown_mib << 20)


BUNDLE = """#!/bin/sh
mkdir -p dist/mien-1
touch dist/mien-1/mien.toml
echo dist/mien-1
"""
OVERLAY = """#!/bin/sh
mkdir -p "$3/opt/mien" "$3/etc" "$3/usr"
echo Mien > "$3/opt/mien/current"
"""
# Fails when what it writes is the image.
FULL_DISK = f"""#!/bin/sh
case "$*" in *seek=*) echo no space left >&2; exit 1 ;; esac
exec {shutil.which("dd")} "$@"
"""


@pytest.mark.parametrize("full", [False, True])
def test_an_image_that_is_not_finished_has_another_name(tmp_path, full):
    clone = tmp_path / "clone/systemd"
    shutil.copytree("systemd/image", clone / "image")
    script = clone / "image/customize.sh"
    script.write_text(script.read_text().replace("GROW_MIB=700", "GROW_MIB=8"))
    (clone / "bundle.sh").write_text(BUNDLE)
    (clone / "bundle.sh").chmod(0o755)
    (clone / "image/overlay.sh").write_text(OVERLAY)
    image = make_image(tmp_path, LOADER)
    offset = f"{image}@@{BOOT_START * 512}"
    subprocess.run(["mkfs.vfat", "--offset", str(BOOT_START), image, "4096"], check=True)
    path = programs(tmp_path / "programs", **({"dd": FULL_DISK} if full else {}))
    done = subprocess.run(
        [script, image],
        capture_output=True,
        text=True,
        cwd=clone.parent,
        env={**os.environ, "PATH": path, "TMPDIR": str(tmp_path)},
    )
    half = image.with_name("disk.img.part")
    if full:
        assert done.returncode == 1
        assert f"{half} is half-written: unpack the download again" in done.stderr
        assert not image.exists()
    else:
        assert done.returncode == 0, done.stderr
        listed = subprocess.check_output(["mdir", "-b", "-i", offset, "::/"], text=True)
        assert "mien-setup.toml" in listed
        assert not half.exists()


def test_reads_the_python_of_the_image(tmp_path):
    root = make_root(tmp_path / "root.img", LOADER)
    assert call(tmp_path, f"check_system {root}").stdout == "3.13\n"


@pytest.mark.parametrize(
    ("files", "said"), [((), True), (("usr/lib/python3/dist-packages/picamera2/a.py",), False)]
)
def test_says_when_csi_cameras_need_one_more_package(tmp_path, files, said):
    root = make_root(tmp_path / "root.img", LOADER, *files)
    done = call(tmp_path, f"check_system {root}")
    assert ("sudo apt install python3-picamera2" in done.stderr) is said


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ((), "not a 64-bit ARM system"),
        ((LOADER, "opt/mien/current"), "Mien is already in this image"),
    ],
)
def test_refuses_systems_it_is_not_for(tmp_path, files, said):
    done = subprocess.run([SCRIPT, make_image(tmp_path, *files)], capture_output=True, text=True)
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (None, "no partition table"),
        ("start=2048, size=2048, type=83\n", "first partition is not FAT"),
        ("start=2048, size=2048, type=c\n", "second partition is not Linux"),
    ],
)
def test_refuses_what_is_no_card(tmp_path, table, said):
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(4 << 20))
    if table:
        subprocess.run(
            ["sfdisk", "--quiet", image], input=f"label: dos\n{table}", text=True, check=True
        )
    done = subprocess.run([SCRIPT, image], capture_output=True, text=True)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_refuses_a_missing_file():
    done = subprocess.run([SCRIPT, "missing.img"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "no such file" in done.stderr


def test_finds_its_tools_with_the_path_of_a_plain_user(tmp_path):
    plain = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    image = make_image(tmp_path)
    done = subprocess.run([SCRIPT, image], capture_output=True, text=True, env=plain)
    assert "not a 64-bit ARM system" in done.stderr


def test_script_can_be_called_from_anywhere(tmp_path):
    done = subprocess.run([SCRIPT], capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    assert "usage: customize.sh IMAGE" in done.stderr
