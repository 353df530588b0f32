"""Puts into the system what ``mien-setup.toml`` asks for: network, way in, names, password."""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

ADMIN = "admin"
TIMEOUT_S = 600.0

Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class SetupError(Exception):
    """A text cannot be used on this system; trying again would change nothing."""


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Runs a program; its failure is the caller's to judge."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=TIMEOUT_S,
        )
    except OSError as error:  # missing, or damaged
        return subprocess.CompletedProcess(command, 127, "", str(error))
    except subprocess.TimeoutExpired:
        said = f"{command[0]} did not end within {TIMEOUT_S:g} s"
        return subprocess.CompletedProcess(command, 124, "", said)


class System:
    """The system that is set up.

    Args:
        root: the root of its file system.
        run: runs programs.
    """

    def __init__(self, root: Path, run: Runner) -> None:
        self._root = root
        self._run = run
        self._wifi = root / "etc/NetworkManager/system-connections/mien-wifi.nmconnection"

    def set_country(self, country: str) -> None:
        """Sets which radio channels are allowed here, now and after the next start.

        Raises:
            SetupError: the radio does not take it now.
        """
        line = f"options cfg80211 ieee80211_regdom={country}\n"
        write(self._root / "etc/modprobe.d/mien-wifi.conf", line, 0o644)
        told = self._run(["iw", "reg", "set", country])
        # A driver that is not loaded yet reads the file when it is.
        if told.returncode and (self._root / "sys/module/cfg80211").is_dir():
            why = f"iw: {told.stderr.strip() or told.returncode}"
            raise SetupError(
                f"wifi_country = {country!r}: the radio takes it at the next start: {why}"
            )

    def join_wifi(self, name: str, password: str) -> None:
        """Joins a Wi-Fi; an empty password means an open one."""
        write(self._wifi, wifi_connection(name, password), 0o600)
        self._run(["rfkill", "unblock", "wifi"])

    def require_wifi(self, name: str) -> None:
        """The password that was taken over must have been this Wi-Fi's.

        Raises:
            SetupError: it was another's.
        """
        known = self._wifi.read_text("utf-8").splitlines() if self._wifi.is_file() else []
        if ssid_of(name) not in known:
            raise SetupError(f"wifi_name = {name!r}: write its wifi_password, too")

    def set_hostname(self, hostname: str) -> None:
        """Names the host, now and after the next start."""
        write(self._root / "etc/hostname", f"{hostname}\n", 0o644)
        write(self._root / "etc/hosts", hosts(hostname), 0o644)
        self._run(["hostname", hostname])

    def set_timezone(self, timezone: str) -> None:
        """Sets the time zone.

        Raises:
            SetupError: the system does not know it.
        """
        zone = Path("usr/share/zoneinfo") / timezone
        if not (self._root / zone).is_file():
            raise SetupError(f"timezone = {timezone!r}: unknown; see timedatectl list-timezones")
        link = self._root / "etc/localtime"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"/{zone}")

    def set_mqtt_password(self, password: str) -> None:
        """Puts the broker's password where only root and the service read it."""
        write(self._root / "etc/mien/mqtt-password", f"{password}\n", 0o600)

    def open_ssh(self, key: str) -> None:
        """Makes the account ``admin``, which has a key and no password, and starts SSH."""
        if self._run(["id", ADMIN]).returncode != 0:
            made = self._run(["useradd", "--create-home", "--shell", "/bin/bash", ADMIN])
            if made.returncode != 0:
                raise OSError(f"cannot make the account {ADMIN}: {made.stderr.strip()}")
        ssh = self._root / "home" / ADMIN / ".ssh"
        if ssh.is_symlink():
            raise OSError(f"{ssh} is a link: nothing is written there")
        ssh.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(ssh / "authorized_keys", key + "\n", 0o600)
        self._run(["chown", "-hR", f"{ADMIN}:{ADMIN}", str(ssh)])  # -h: never what a link names
        # Without a password there is nothing that sudo could ask for.
        write(self._root / "etc/sudoers.d/mien", f"{ADMIN} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
        rules = "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n"
        write(self._root / "etc/ssh/sshd_config.d/mien.conf", rules, 0o644)
        self._run(["ssh-keygen", "-A"])
        # --no-block: this runs before ssh.service may start.
        self._run(["systemctl", "enable", "ssh.service"])
        self._run(["systemctl", "start", "--no-block", "ssh.service"])


def ssid_of(name: str) -> str:
    """The key file's line; bytes, so that no character needs escaping."""
    return "ssid=" + "".join(f"{byte};" for byte in name.encode())


def wifi_connection(name: str, password: str) -> str:
    """A NetworkManager key file; 64 hexadecimal digits are the key itself, as for wpa_supplicant."""
    lines = ["[connection]", "id=mien-wifi", f"uuid={uuid.uuid5(uuid.NAMESPACE_DNS, 'mien-wifi')}"]
    lines += ["type=wifi", "", "[wifi]", "mode=infrastructure", ssid_of(name), ""]
    if password:
        escaped = password.replace("\\", "\\\\")
        escaped = re.sub(r"^ +", lambda spaces: r"\s" * len(spaces[0]), escaped)
        lines += ["[wifi-security]", "key-mgmt=wpa-psk", f"psk={escaped}", ""]
    lines += ["[ipv4]", "method=auto", "", "[ipv6]", "method=auto", ""]
    return "\n".join(lines)


def hosts(hostname: str) -> str:
    """``/etc/hosts`` in which the host finds itself."""
    return f"127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n::1\tlocalhost ip6-localhost\n"


def write(path: Path, text: str, mode: int) -> None:
    """Replaces a file in one step; the mode holds from the first byte, links are not followed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(part, flags, mode), "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
