"""Installs the clients from the package registries into a cache outside the repository.

The first run takes some minutes, later ones find what the first one left.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mien-clients"
HOME_ASSISTANT = "2026.2.3"  # the last that is written for Python 3.13
PYTHON = "3.13"
# What the tests' configuration uses, besides what these need themselves.
INTEGRATIONS = [
    "api",
    "auth",
    "automation",
    "command_line",
    "config",
    "counter",
    "homeassistant",
    "input_boolean",
    "light",
    "logger",
    "mqtt",
    "notify",
    "persistent_notification",
    "script",
    "sensor",
    "switch",
    "system_log",
    "template",
]
NODE_RED = "4.1.15"
INSTALL_S = 1500.0


class NotInstalledError(Exception):
    """A client cannot be had on this machine; the text says why."""


def home_assistant() -> Path:
    """The Python that has Home Assistant.

    Raises:
        NotInstalledError: no Python runs it, or the registry gives nothing.
    """
    folder = CACHE / f"home-assistant-{HOME_ASSISTANT}"
    _once(folder, _install_home_assistant)
    return folder / "bin" / "python"


def node_red() -> Path:
    """Node-RED's main script.

    Raises:
        NotInstalledError: there is no npm, or the registry gives nothing.
    """
    folder = CACHE / f"node-red-{NODE_RED}"
    _once(folder, _install_node_red)
    return folder / "node_modules" / "node-red" / "red.js"


def _once(folder: Path, install: Callable[[Path], None]) -> None:
    """Installs into a folder unless that was done; several test runs take turns."""
    CACHE.mkdir(parents=True, exist_ok=True)
    ready = folder / "ready"
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        install(folder)
        ready.touch()


def _install_home_assistant(folder: Path) -> None:
    _run([_python(), "-m", "venv", str(folder)])
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    # It asks for a later patch of the same Python; it runs with the first one too.
    pip.append("--ignore-requires-python")
    _run([*pip, "--no-deps", f"homeassistant=={HOME_ASSISTANT}"])
    package = next(folder.glob("lib/python*/site-packages/homeassistant"))
    constraints = ["--constraint", str(package / "package_constraints.txt")]
    needed = sorted(_requirements(package / "components"))
    _run([*pip, "--prefer-binary", *constraints, f"homeassistant=={HOME_ASSISTANT}", *needed])


def _requirements(components: Path) -> set[str]:
    """What the integrations need, as their manifests say."""
    found: set[str] = set()
    todo, done = list(INTEGRATIONS), set[str]()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        manifest = json.loads((components / name / "manifest.json").read_text())
        found.update(manifest.get("requirements", []))
        todo += manifest.get("dependencies", [])
    return found


def _python() -> str:
    """The newest Python of the wanted series."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(versions.glob(f"{PYTHON}.*/bin/python"))
    on_path = shutil.which(f"python{PYTHON}")
    if found:
        return str(found[-1])
    if on_path and "shims" not in on_path:
        return on_path
    raise NotInstalledError(f"Home Assistant {HOME_ASSISTANT} needs Python {PYTHON}")


def _install_node_red(folder: Path) -> None:
    if not shutil.which("npm"):
        raise NotInstalledError("Node-RED needs npm")
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    npm = ["npm", "install", "--no-audit", "--no-fund", "--omit=optional"]
    _run([*npm, "--prefix", str(folder), f"node-red@{NODE_RED}"])


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.TimeoutExpired as error:
        raise NotInstalledError(f"{command[0]}: not done within {INSTALL_S} s") from error
    if done.returncode:
        raise NotInstalledError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
