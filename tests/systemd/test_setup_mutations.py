"""``mien-setup.toml`` with 10,000 small changes."""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path

import pytest
import tomllib

from tests.systemd.on_device import Programs, first_boot, setup_file, wifi_of

SECRET = "top; secret"


def good_file(rng: random.Random) -> str:
    passwords = [f'"{SECRET}"', f"'{SECRET}'", f'"""\n{SECRET}"""']
    lines = [
        'hostname = "hall"',
        'wifi_name = "home net"',
        f"wifi_password = {rng.choice(passwords)}",
        'mqtt_password = "broker; secret"',
        "# a comment",
        '#wifi_password = "an older one"',
        "",
    ]
    rng.shuffle(lines)
    return "\n".join(lines) + "\n"


def mutated(text: str, rng: random.Random) -> bytes:
    """The file with one to four small changes."""
    data = bytearray(text.encode())
    pieces = [b'"', b'"""', b"'''", b"\n", b"=", b"#", b"\\", b"\0", b"\xff", b"[", b"\r", b"\xfe"]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        until = min(len(data), at + rng.randint(0, 40))
        change = rng.randrange(5)
        if change == 0:
            data[at:at] = rng.choice(pieces)
        elif change == 1:
            del data[at : at + rng.randint(1, 5)]
        elif change == 2:
            data[at:at] = data[at:until]
        elif change == 3:
            data[at : at + 1] = bytes([rng.randrange(256)])
        else:
            data[at:at] = rng.choice(pieces) * rng.randint(1, 1500)
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_mutations(boot, root, seed, monkeypatch):
    """No traceback, no hang, no password left once applied, and TOML means what TOML says."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # 40,000 of them would take minutes
    rng = random.Random(seed)
    for _ in range(1000):
        data = mutated(good_file(rng), rng)
        for path in (wifi_of(root), root / "etc/mien/mqtt-password"):
            path.unlink(missing_ok=True)
        started_s = time.thread_time()
        (boot / "mien-setup.toml").write_bytes(data)
        problems = first_boot.FirstBoot(boot, root, Programs()).take_over()
        assert time.thread_time() - started_s < 2  # of its own: the disk may be busy
        assert (boot / "mien-error.txt").exists() == bool(problems)
        left = (boot / "mien-setup.toml").read_bytes()
        if wifi_of(root).exists() and f"psk={SECRET}\n" in wifi_of(root).read_text():
            named = re.sub(
                rb"wifi_name *= *['\"]+\s*top; secret['\"]+", b"", left
            )  # a name may be equal
            assert SECRET.encode() not in named, data
            assert SECRET not in "\n".join(problems)
        check_against_tomllib(data, root, left)


def check_against_tomllib(data: bytes, root: Path, left: bytes) -> None:
    """Where the whole is valid TOML of known keys, all of it counts and stays valid."""
    try:
        wanted = tomllib.loads(data.decode().replace("\r\n", "\n"))
    except (ValueError, RecursionError):
        return
    if wanted.keys() - setup_file.ALLOWED.keys():
        return
    name, password = wanted.get("wifi_name", ""), wanted.get("wifi_password", "")
    fits = [setup_file.ALLOWED[key][0] for key in ("wifi_name", "wifi_password")]
    if name and password and fits[0](name) and fits[1](password):
        expected = password.replace("\\", "\\\\")
        assert f"psk={expected}\n" in wifi_of(root).read_text() or password.startswith(" "), data
    assert tomllib.loads(left.decode()).get("wifi_name", "") == name
