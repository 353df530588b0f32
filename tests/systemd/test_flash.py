"""``flash.sh`` against loop devices: every refusal, and one disk that is written and read back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MIB = 1 << 20
TOOLS = ("losetup", "lsblk", "findmnt", "sfdisk", "mkfs.ext4")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0
    or not all(map(shutil.which, TOOLS))
    or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)


def flash(image: Path, device: str, answer: str = "", loop: bool = True):
    environment = {**os.environ, "MIEN_FLASH_LOOP": "1" if loop else ""}
    return subprocess.run(
        ["systemd/flash.sh", str(image), device],
        input=answer,
        capture_output=True,
        text=True,
        env=environment,
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(os.urandom(2 * MIB))
    subprocess.run(["sfdisk", "--quiet", path], input="start=1MiB\n", text=True, check=True)
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The file behind a loop device; its name is in ``loop_of``."""
    path = tmp_path / "disk"
    path.write_bytes(bytes(8 * MIB))
    subprocess.run(["losetup", "--find", "--partscan", path], check=True)
    yield path
    subprocess.run(["losetup", "--detach", loop_of(path)], check=True)


def loop_of(disk: Path) -> str:
    listed = subprocess.check_output(
        ["losetup", "--noheadings", "-O", "NAME", "-j", disk], text=True
    )
    return listed.strip()


def test_writes_and_reads_back_after_its_name_was_typed(image, disk):
    device = loop_of(disk)
    done = flash(image, device, answer=device.removeprefix("/dev/") + "\n")
    assert done.returncode == 0, done.stderr
    assert "read back without a difference" in done.stdout
    assert disk.read_bytes()[: 2 * MIB] == image.read_bytes()
    assert disk.read_bytes()[2 * MIB :] == bytes(6 * MIB)


@pytest.mark.parametrize("answer", ["", "\n", "y\n", "yes\n", "loop\n"])
def test_anything_but_the_name_writes_nothing(image, disk, answer):
    done = flash(image, loop_of(disk), answer)
    assert done.returncode == 1
    assert "not confirmed; nothing was written" in done.stderr
    assert disk.read_bytes() == bytes(8 * MIB)


def test_shows_the_disk_before_it_asks(image, disk):
    device = loop_of(disk)
    assert device.removeprefix("/dev/") in flash(image, device).stdout


def refusal(image: Path, device: str, loop: bool = True) -> str:
    done = flash(image, device, answer=f"{device.removeprefix('/dev/')}\n", loop=loop)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "nothing was written" in done.stderr
    return done.stderr


def test_refuses_loop_devices_outside_the_tests(image, disk):
    assert "is a loop device" in refusal(image, loop_of(disk), loop=False)


def test_asks_for_the_disk_when_none_is_named(image):
    assert "which disk? make flash DEVICE=/dev/sdX" in refusal(image, "")


def test_refuses_what_is_not_there(image):
    assert "no such device" in refusal(image, "/dev/mien-nothing")


def test_refuses_a_file(image, disk):
    assert "not a block device" in refusal(image, str(disk))


def test_refuses_a_character_device(image):
    assert "not a block device" in refusal(image, "/dev/null")


def test_refuses_a_partition(image, disk):
    device = loop_of(disk)
    subprocess.run(["sfdisk", "--quiet", device], input="start=1MiB\n", text=True, check=True)
    subprocess.run(["partx", "--update", device], check=False)
    if not Path(f"{device}p1").exists():
        pytest.skip("no device nodes for partitions here")
    assert "is a partition" in refusal(image, f"{device}p1")


def test_refuses_a_mounted_disk(image, disk, tmp_path):
    device = loop_of(disk)
    (tmp_path / "mounted").mkdir()
    subprocess.run(["mkfs.ext4", "-q", device], check=True)
    subprocess.run(["mount", device, tmp_path / "mounted"], check=True)
    try:
        assert f"unmount {tmp_path}/mounted" in refusal(image, device)
    finally:
        subprocess.run(["umount", tmp_path / "mounted"], check=True)


def test_refuses_the_disk_of_the_running_system(image):
    source = subprocess.check_output(["findmnt", "-no", "SOURCE", "/"], text=True).strip()
    if not source.startswith("/dev/"):
        pytest.skip("the root of this machine lies on no disk")
    parents = subprocess.check_output(["lsblk", "-nrspo", "NAME,TYPE", source], text=True)
    disk = next(line.split()[0] for line in parents.splitlines() if line.endswith(" disk"))
    done = flash(image, disk, answer="no\n")  # never the name, whatever the script would do
    assert done.returncode == 1
    assert f"{disk} holds the running system; nothing was written" in done.stderr


def test_a_fixed_disk_is_not_removable():
    fixed = [path.parent.name for path in Path("/sys/block").glob("[vsn]*/removable")]
    fixed = [name for name in fixed if Path(f"/sys/block/{name}/removable").read_text() == "0\n"]
    fixed = [name for name in fixed if "/usb" not in os.path.realpath(f"/sys/block/{name}")]
    if not fixed:
        pytest.skip("no fixed disk here")
    asked = subprocess.run(["bash", "-c", f". systemd/flash.sh; is_removable /dev/{fixed[0]}"])
    assert asked.returncode == 1


def test_refuses_a_disk_that_is_too_small(image, disk):
    with image.open("r+b") as file:
        file.truncate(9 * MIB)
    assert "is too small: 8 MiB, the image has 9 MiB" in refusal(image, loop_of(disk))


def test_refuses_a_write_protected_disk(image, tmp_path):
    path = tmp_path / "protected"
    path.write_bytes(bytes(8 * MIB))
    subprocess.run(["losetup", "--find", "--read-only", path], check=True)
    try:
        assert "write-protected" in refusal(image, loop_of(path))
    finally:
        subprocess.run(["losetup", "--detach", loop_of(path)], check=True)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.img", None, "no such image"),
        ("disk.img.xz", b"x", "unpack it first"),
        ("empty.img", b"", "not a disk image"),
        ("text.img", b"hello" * MIB, "not a disk image"),
    ],
)
def test_refuses_what_is_no_image(tmp_path, disk, name, content, said):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert said in refusal(path, loop_of(disk))
