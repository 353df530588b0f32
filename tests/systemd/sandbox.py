"""A device for install.sh: root of a name space of its own, with its own /opt and /etc.

pip, apt and the system's log are stand-ins.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.systemd import bundles

# A venv whose python and mien say yes to everything. Python itself would look for modules in
# the folder it is started in.
PYTHON = r"""#!/bin/bash
[ "$PWD" = / ] || { echo "imports from $PWD" >&2; exit 1; }
case "$*" in
    *"-m venv"*) folder=${*: -1}; mkdir -p "$folder/bin"
        printf '#!/bin/sh\n' | tee "$folder/bin/python" > "$folder/bin/mien"
        chmod +x "$folder"/bin/* ;;
    *) echo 3.11 ;;
esac
"""
DPKG = "#!/bin/sh\necho install ok installed\n"
# A service that never reports READY.
SYSTEMCTL = '#!/bin/sh\n[ "$1" != restart ]\n'
LOGGER = '#!/bin/sh\necho "$@" >> "$MIEN_TEST_LOG"\n'
ISOLATED = ["unshare", "--map-root-user", "--mount"]


class Device:
    """What install.sh changes, in folders of the test."""

    def __init__(self, folder: Path) -> None:
        self.opt, self.etc, self.bin = (folder / name for name in ("opt", "etc", "bin"))
        for path in (self.opt, self.etc, self.bin):
            path.mkdir(parents=True)
        shutil.copy("/etc/passwd", self.etc)
        (self.etc / "systemd/system").mkdir(parents=True)
        self._log = folder / "log"
        self._run = folder / "run"
        (self._run / "systemd/system").mkdir(parents=True)
        stubs = {"python3": PYTHON, "dpkg_query": DPKG, "logger": LOGGER, "systemctl": SYSTEMCTL}
        self._path = bundles.programs(folder / "programs", **stubs)

    def install(
        self, script: Path, *options: object, cwd: Path = Path("/"), start: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Runs an install.sh on it; a service that is started fails."""
        binds = {self.opt: "/opt", self.etc: "/etc", self.bin: "/usr/local/bin"}
        if start:
            binds[self._run] = "/run"
        else:
            options = ("--no-start", *options)
        mounts = "".join(f"mount --bind {here} {there}; " for here, there in binds.items())
        command = [*ISOLATED, "bash", "-c", f'set -e; {mounts}exec bash "$@"', "bash", script]
        return subprocess.run(
            [*map(str, command), *map(str, options)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "PATH": self._path, "MIEN_TEST_LOG": str(self._log)},
        )

    @property
    def key(self) -> str | None:
        """The key that it knows."""
        path = self.etc / "mien/bundle-key.pub"
        return path.read_text().strip() if path.exists() else None

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    @property
    def installed(self) -> Path:
        """The install.sh of the release that runs, as the test sees it."""
        release = os.readlink(self.opt / "mien/current")
        return self.opt / "mien" / release / "systemd/install.sh"

    def state(self) -> dict[str, str]:
        """Every file and link."""
        found = {}
        for path in sorted(p for top in (self.opt, self.etc, self.bin) for p in top.rglob("*")):
            if path.is_symlink():
                found[str(path)] = os.readlink(path)
            elif path.is_file():
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                found[str(path)] = "folder"
        return found
