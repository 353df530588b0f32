"""Takes over what stands on the card's FAT partition; runs at every start, before the network.

``mien-setup.toml`` names the host, Wi-Fi, SSH key and broker password; ``mien.toml`` is the
settings file. A file counts when it differs from what was taken over last, so edits made on
the device stay until the card's file is edited again. Passwords are wiped from the card once
they are in place. What is wrong is told in ``mien-error.txt`` beside the files.

Only the standard library of the system's own Python (3.11 and later) is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import tomllib

MAX_FILE_BYTES = 1 << 20
ENCODING = "utf-8-sig"  # Windows' editor may put a byte-order mark before the text
WIPED = "(taken over)"
SECRETS = ("wifi_password", "mqtt_password")
ADMIN = "admin"
SSH_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+( [^\n]*)?")
ALLOWED = {  # key: what its whole text must look like, and how that is said
    "hostname": (
        re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"),
        "a-z, 0-9 and hyphens, at most 63",
    ),
    "timezone": (re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*"), "a name such as Europe/Berlin"),
    "wifi_country": (re.compile(r"[A-Z]{2}"), "two capital letters such as DE"),
    "wifi_name": (re.compile(r"[^\x00-\x1f]{1,32}"), "1 to 32 characters"),
    "wifi_password": (re.compile(r"[\x20-\x7e]{8,63}"), "8 to 63 plain characters"),
    "ssh_key": (SSH_KEY, "one line of a .pub file"),
    "mqtt_password": (re.compile(r"[^\x00-\x1f]+"), "one line"),
}

# What libraries bring and Mien never imports: two fifths of the code on the card.
NEVER_IMPORTED = r"/(tests|pygments)/"

Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class SetupError(Exception):
    """Something on the card cannot be taken over."""


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Runs a program; its failure is the caller's to judge."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


class Card:
    """The boot partition and the system it belongs to.

    Args:
        boot: where the FAT partition is mounted.
        root: the root of the file system.
        run: runs programs.
    """

    def __init__(self, boot: Path, root: Path, run: Runner = run) -> None:
        self._boot = boot
        self._root = root
        self._run = run
        self._applied = root / "var/lib/mien-setup/applied.json"

    def take_over(self) -> list[str]:
        """Applies both files where they changed; returns what was wrong, one line each."""
        problems = []
        for name, apply in (
            ("mien-setup.toml", self._apply_setup),
            ("mien.toml", self._apply_settings),
        ):
            path = self._boot / name
            try:
                if path.is_file() and self._changed(path):
                    apply(path)
                    self._remember(path)
            except (SetupError, OSError) as error:
                problems.append(f"{name}: {error}")
        report = self._boot / "mien-error.txt"
        if problems:
            _write(report, "\n".join(problems) + "\n", 0o644)
        elif report.exists():
            report.unlink()
        return problems

    def _apply_settings(self, path: Path) -> None:
        """Takes over ``mien.toml`` if ``mien check`` accepts it."""
        checked = self._run(["/opt/mien/current/bin/mien", "check", "--config", str(path)])
        if checked.returncode != 0:
            said = checked.stderr.strip().splitlines() or ["mien check failed"]
            raise SetupError(said[-1].removeprefix("mien: "))
        _write(self._root / "etc/mien/mien.toml", path.read_text(ENCODING), 0o644)

    def _apply_setup(self, path: Path) -> None:
        wanted = read_setup(path)
        wifi = self._root / "etc/NetworkManager/system-connections/mien-wifi.nmconnection"
        keeps_wifi = is_wiped(path, "wifi_password")  # an earlier start has it
        if keeps_wifi and "wifi_name" in wanted:
            require_network(wifi, wanted["wifi_name"])
        wiped = wipe(path.read_text(ENCODING), [wanted[key] for key in SECRETS if key in wanted])
        if hostname := wanted.get("hostname"):
            _write(self._root / "etc/hostname", f"{hostname}\n", 0o644)
            _write(self._root / "etc/hosts", hosts(hostname), 0o644)
            self._run(["hostname", hostname])
        if timezone := wanted.get("timezone"):
            self._set_timezone(timezone)
        if country := wanted.get("wifi_country"):
            line = f"options cfg80211 ieee80211_regdom={country}\n"
            _write(self._root / "etc/modprobe.d/mien-wifi.conf", line, 0o644)
            self._run(["iw", "reg", "set", country])
            self._run(["rfkill", "unblock", "wifi"])
        if (name := wanted.get("wifi_name")) and not keeps_wifi:
            _write(wifi, wifi_connection(name, wanted.get("wifi_password", "")), 0o600)
        if password := wanted.get("mqtt_password"):
            _write(self._root / "etc/mien/mqtt-password", f"{password}\n", 0o600)
        if key := wanted.get("ssh_key"):
            self._open_ssh(key)
        _write(path, wiped, 0o644)

    def _set_timezone(self, timezone: str) -> None:
        zone = Path("usr/share/zoneinfo") / timezone
        if not (self._root / zone).is_file():
            raise SetupError(f"timezone = {timezone!r}: unknown; see timedatectl list-timezones")
        link = self._root / "etc/localtime"
        link.unlink(missing_ok=True)
        link.symlink_to(f"/{zone}")

    def _open_ssh(self, key: str) -> None:
        """Makes the account ``admin``, which has a key and no password, and starts SSH."""
        home = self._root / "home" / ADMIN
        if self._run(["id", ADMIN]).returncode != 0:
            made = self._run(["useradd", "--create-home", "--shell", "/bin/bash", ADMIN])
            if made.returncode != 0:
                raise SetupError(f"ssh_key: cannot make the account {ADMIN}: {made.stderr.strip()}")
        ssh = home / ".ssh"
        ssh.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(ssh / "authorized_keys", key + "\n", 0o600)
        self._run(["chown", "-R", f"{ADMIN}:{ADMIN}", str(ssh)])
        # Without a password there is nothing that sudo could ask for.
        _write(self._root / "etc/sudoers.d/mien", f"{ADMIN} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
        rules = "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n"
        _write(self._root / "etc/ssh/sshd_config.d/mien.conf", rules, 0o644)
        self._run(["ssh-keygen", "-A"])
        # --no-block: this runs before ssh.service may start.
        self._run(["systemctl", "enable", "ssh.service"])
        self._run(["systemctl", "start", "--no-block", "ssh.service"])

    def _changed(self, path: Path) -> bool:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SetupError("too large")
        return self._known().get(path.name) != _digest(path)

    def _known(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._applied.read_text("utf-8")))
        except (OSError, ValueError):
            return {}

    def _remember(self, path: Path) -> None:
        known = self._known() | {path.name: _digest(path)}
        _write(self._applied, json.dumps(known), 0o644)


def read_setup(path: Path) -> dict[str, str]:
    """The values that ask for something: empty and already wiped ones are left out.

    Raises:
        SetupError: not TOML, an unknown key, or a value that cannot be used.
    """
    try:
        document = tomllib.loads(path.read_text(ENCODING))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(f"not valid TOML: {error}") from error
    for key, value in document.items():
        if key not in ALLOWED:
            raise SetupError(f"unknown key {key}; known: {', '.join(ALLOWED)}")
        if not isinstance(value, str):
            raise SetupError(f"{key}: expected a text in quotation marks")
        pattern, said = ALLOWED[key]
        if value and value != WIPED and not pattern.fullmatch(value):
            shown = "(secret)" if key in SECRETS else repr(value)
            raise SetupError(f"{key} = {shown}: allowed: {said}")
    return {key: value for key, value in document.items() if value and value != WIPED}


def wipe(text: str, secrets: Iterable[str]) -> str:
    """The file with its passwords replaced by a note.

    Raises:
        SetupError: a password would stay, because it is spread over lines.
    """
    keys = "|".join(SECRETS)
    empty = r"(?:\"\"|'')\s*(?:#|$)"
    wiped = re.sub(rf"(?m)^(\s*(?:{keys})\s*=)[ \t]*(?!{empty})\S.*$", rf'\1 "{WIPED}"', text)
    if any(secret in wiped for secret in secrets):
        raise SetupError("write each password on the line of its key, in quotation marks")
    return wiped


def is_wiped(path: Path, key: str) -> bool:
    """True where an earlier start has taken a password over."""
    return bool(tomllib.loads(path.read_text(ENCODING)).get(key) == WIPED)


def require_network(place: Path, name: str) -> None:
    """The password that was taken over must have been this network's.

    Raises:
        SetupError: it was another's.
    """
    lines = place.read_text(ENCODING).splitlines() if place.is_file() else []
    if ssid_of(name) not in lines:
        raise SetupError(f"wifi_name = {name!r}: write its wifi_password, too")


def ssid_of(name: str) -> str:
    """The key file's line; bytes, so that no character needs escaping."""
    return "ssid=" + "".join(f"{byte};" for byte in name.encode())


def wifi_connection(name: str, password: str) -> str:
    """A NetworkManager key file."""
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


def grow_root(run: Runner = run) -> None:
    """Gives the root what is left of the card; nothing happens when it already has it."""
    device = run(["findmnt", "--noheadings", "--output", "SOURCE", "/"]).stdout.strip()
    found = re.fullmatch(r"(/dev/(?:mmcblk\d+|nvme\d+n\d+))p(\d+)|(/dev/[a-z]+)(\d+)", device)
    if not found:
        return
    disk, number = (found[1], found[2]) if found[1] else (found[3], found[4])
    if run(["growpart", disk, number]).returncode == 0:  # 1: there is nothing to grow into
        run(["resize2fs", device])


def compile_release(release: Path, run: Runner = run) -> None:
    """Byte-compiles a release that was put on the card from another machine, once."""
    mark = release / ".compiled"
    if release.exists() and not mark.exists():
        python, lib = str(release / "bin/python"), str(release / "lib")
        run([python, "-m", "compileall", "-q", "-j", "0", "-x", NEVER_IMPORTED, lib])
        mark.touch()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, text: str, mode: int) -> None:
    """Replaces a file in one step; the mode holds from the first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with open(
        os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8"
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def main() -> int:
    """Everything, in the order in which it helps most when something fails."""
    grow_root()
    compile_release(Path("/opt/mien/current").resolve())
    problems = Card(Path("/boot/firmware"), Path("/")).take_over()
    for problem in problems:
        print(problem, file=sys.stderr)
    return 0  # a wrong file on the card must not keep the appliance from starting


if __name__ == "__main__":
    sys.exit(main())
