"""What the image's own root has of the programs that the first boot runs."""

from __future__ import annotations

import re
from pathlib import Path

IMAGE = Path("systemd/image")
IN_EVERY_DEBIAN = {"chown", "findmnt", "hostname", "id"}  # packages that Debian calls essential
PROVIDERS = {
    "growpart": "cloud-guest-utils",
    "iw": "iw",
    "resize2fs": "e2fsprogs",
    "rfkill": "rfkill",
    "ssh-keygen": "openssh-server",
    "systemctl": "systemd-sysv",
    "useradd": "openssh-server",  # through adduser
}


def test_the_root_has_every_program_that_the_first_boot_runs() -> None:
    sources = [p.read_text() for p in IMAGE.glob("files/usr/local/lib/mien/*.py")]
    ran = {name for text in sources for name in re.findall(r"run\(\s*\[\"([\w-]+)\"", text)}
    assert {"iw", "rfkill", "growpart"} <= ran
    [listed] = re.findall(r"^PACKAGES=\(\n(.*?)^\)", (IMAGE / "base.sh").read_text(), re.M | re.S)
    packages = {word for line in listed.splitlines() for word in line.partition("#")[0].split()}
    assert {PROVIDERS.get(name, name) for name in ran - IN_EVERY_DEBIAN} - packages == set()
