"""Takes over what stands on the SD card's FAT partition; runs at every start, before the network.

``mien-setup.toml`` names the host, Wi-Fi, SSH key and broker password; ``mien.toml`` is the
settings file. A file counts when it differs from what was taken over last, so edits made on
the device stay until the file is edited again. Every key of ``mien-setup.toml`` stands for
itself: a wrong one does not keep the others out. Passwords are wiped from the file once they
are in place. What is wrong is told in ``mien-error.txt`` beside the files.

Only the standard library of the system's own Python (3.11 and later) is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from setup_file import SECRETS, Setup, decode, read_setup, wipe
from system import Runner, SetupError, System, run, write

BOOT = Path("/boot/firmware")
ROOT = Path("/")
SETUP = "mien-setup.toml"
SETTINGS = "mien.toml"
MAX_BYTES = {SETUP: 1 << 14, SETTINGS: 1 << 20}
MAX_REPORTED = 30

# What libraries bring and Mien never imports: two fifths of the code on the SD card.
NEVER_IMPORTED = r"/(tests|pygments)/"


class FirstBoot:
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
        self._system = System(root, run)
        self._applied = root / "var/lib/mien-setup/applied.json"

    def take_over(self) -> list[str]:
        """Applies both files where they changed; returns what is wrong, a line each."""
        problems = self._take(SETUP, self._apply_setup) + self._take(SETTINGS, self._apply_settings)
        try:
            self._report(problems)
        except OSError as error:  # the partition is read-only, full or damaged
            problems.append(f"mien-error.txt: {error}")
        return problems

    def _take(self, name: str, apply: Callable[[bytes], list[str]]) -> list[str]:
        """Applies a file if it changed; what is wrong with it, now or since it was applied."""
        path = self._boot / name
        if not os.path.lexists(path):
            return []
        try:
            data = read(path, MAX_BYTES[name])
            known = self._known()
            if known.get(name) == _digest(data):
                wrong = known.get(f"{name} problems")
                return [str(line) for line in wrong] if isinstance(wrong, list) else []
            problems = [f"{name}: {problem}" for problem in apply(data)]
            known |= {name: _digest(read(path, MAX_BYTES[name])), f"{name} problems": problems}
            write(self._applied, json.dumps(known), 0o600)
        except (SetupError, OSError) as error:
            return [f"{name}: {line}" for line in str(error).splitlines() or [repr(error)]]
        return problems

    def _report(self, problems: list[str]) -> None:
        path = self._boot / "mien-error.txt"
        more = len(problems) - MAX_REPORTED
        told = problems[:MAX_REPORTED] + ([f"and {more} more"] if more > 0 else [])
        if told:
            write(path, "\n".join(told) + "\n", 0o644)
        else:
            path.unlink(missing_ok=True)

    def _apply_settings(self, data: bytes) -> list[str]:
        """Takes over ``mien.toml`` if ``mien check`` accepts it."""
        try:
            text = data.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise SetupError("not UTF-8: save the file as UTF-8") from error
        path = self._boot / SETTINGS
        checked = self._run(["/opt/mien/current/bin/mien", "check", "--config", str(path)])
        if checked.returncode != 0:
            said = checked.stderr.strip().splitlines() or ["mien check failed"]
            # A line for each mistake; libraries may say something, too.
            mistakes = [line for line in said if line.startswith("mien: ")] or said[-1:]
            raise SetupError("\n".join(line.removeprefix("mien: ") for line in mistakes))
        write(self._root / "etc/mien/mien.toml", text, 0o644)
        return []

    def _apply_setup(self, data: bytes) -> list[str]:
        """Takes over ``mien-setup.toml``.

        Returns:
            What is wrong with its text.

        Raises:
            OSError: the system failed; the next start tries again.
        """
        text = decode(data)
        setup = read_setup(text)
        problems = list(setup.problems)
        failures = []
        in_place = setup.wiped - setup.wanted.keys()
        for key, apply in self._steps(setup):
            try:
                apply()
                in_place |= {key} & setup.wanted.keys()
            except SetupError as error:
                problems.append(str(error))
            except OSError as error:
                failures.append(f"{key}: {error}")
        wiped = wipe(setup, in_place & set(SECRETS))
        try:
            if wiped != text:
                write(self._boot / SETUP, wiped, 0o644)
        except OSError as error:
            failures.append(f"the passwords cannot be wiped: {error}")
        if failures:
            raise OSError("\n".join(problems + failures))
        return problems

    def _steps(self, setup: Setup) -> Iterator[tuple[str, Callable[[], None]]]:
        """What is to be done, with the key that asks for it; what opens a way in comes first."""
        system, wanted = self._system, setup.wanted
        if "wifi_country" in wanted:
            yield "wifi_country", partial(system.set_country, wanted["wifi_country"])
        if wanted.keys() & {"wifi_name", "wifi_password"}:
            yield "wifi_password", partial(self._set_wifi, setup)
        simple = {
            "ssh_key": system.open_ssh,
            "hostname": system.set_hostname,
            "timezone": system.set_timezone,
            "mqtt_password": system.set_mqtt_password,
        }
        for key, apply in simple.items():
            if key in wanted:
                yield key, partial(apply, wanted[key])

    def _set_wifi(self, setup: Setup) -> None:
        """Joins the Wi-Fi; never as an open one because its password is unusable."""
        name, password = setup.wanted.get("wifi_name"), setup.wanted.get("wifi_password")
        if name is None:
            if password is not None:
                raise SetupError("wifi_password: write the wifi_name, too")
        elif password is None and "wifi_password" in setup.wiped:
            self._system.require_wifi(name)
        elif password is not None or "wifi_password" not in setup.unusable:
            self._system.join_wifi(name, password or "")

    def _known(self) -> dict[str, object]:
        try:
            return dict(json.loads(self._applied.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return {}


def read(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file; links are not followed.

    Raises:
        OSError: it is something else, too large, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(f"too large: at most {max_bytes >> 10} KiB")
    return data


def grow_root(run: Runner = run) -> list[str]:
    """Gives the root what is left of the SD card; nothing happens when it already has it.

    Returns:
        Why it could not, a line each.
    """
    device = run(["findmnt", "--noheadings", "--output", "SOURCE", "/"]).stdout.strip()
    found = re.fullmatch(r"(/dev/(?:mmcblk\d+|nvme\d+n\d+))p(\d+)|(/dev/[a-z]+)(\d+)", device)
    if not found:
        return []
    disk, number = (found[1], found[2]) if found[1] else (found[3], found[4])
    # 1: the partition has all of it. Power may have gone before the file system got it, too.
    grown = run(["growpart", disk, number])
    if grown.returncode in (0, 1):
        grown = run(["resize2fs", device])
        if grown.returncode == 0:
            return []
    said = (grown.stderr or grown.stdout).strip()
    return [f"{device} stays as small as the image: {grown.args[0]}: {said}"]


def compile_release(release: Path, run: Runner = run) -> None:
    """Byte-compiles a release that was put on the SD card from another machine, once."""
    mark = release / ".compiled"
    if release.exists() and not mark.exists():
        python, lib = str(release / "bin/python"), str(release / "lib")
        run([python, "-m", "compileall", "-q", "-j", "0", "-x", NEVER_IMPORTED, lib])
        mark.touch()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main(boot: Path = BOOT, root: Path = ROOT, run: Runner = run) -> int:
    """Everything: room first, then the way in, then what only saves time."""
    problems = [*grow_root(run), *FirstBoot(boot, root, run).take_over()]
    try:
        compile_release((root / "opt/mien/current").resolve(), run)
    except OSError as error:
        problems.append(f"cannot compile: {error}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 0  # a wrong file on the SD card must not keep the appliance from starting


if __name__ == "__main__":
    sys.exit(main())
