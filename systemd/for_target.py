"""Filters a pinned requirements file for another machine's Python.

``pip download --python-version`` chooses wheels for the other Python but reads the markers
(``; python_version < "3.11"``) with its own.

Usage: for_target.py FILE X.Y aarch64 [WHEEL...]; a wheel that was built here, from a source
archive with a pinned hash, takes that pin's place with its own hash.
"""

import hashlib
import re
import sys
from pathlib import Path

from pip._vendor.packaging.markers import Marker  # pip brings it; nothing more to install


def for_target(text: str, python: str, machine: str) -> str:
    """Requirements whose marker holds on Linux with CPython ``python``, without the marker.

    Args:
        text: what ``uv pip compile --universal --generate-hashes`` wrote.
        python: such as ``3.13``.
        machine: ``aarch64`` or ``x86_64``.
    """
    there = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    kept = []
    for requirement in re.split(r"\n(?=\S)", text.strip()):
        pin, _, hashes = requirement.partition(" \\\n")
        name, _, marker = pin.partition(" ; ")
        if not marker or Marker(marker).evaluate(there):
            kept.append(f"{name} \\\n{hashes}\n")
    return "".join(kept)


def pin_wheel(requirements: str, wheel: Path) -> str:
    """The requirements with the hash of ``wheel`` for its version instead of the source's."""
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pinned = f"{name}=={version} \\\n    --hash=sha256:{digest}\n"
    pattern = rf"(?m)^{re.escape(f'{name}=={version}')} \\\n(    .*\n)+"
    return re.sub(pattern, lambda _: pinned, requirements)


if __name__ == "__main__":
    path, python, machine, *wheels = sys.argv[1:]
    chosen = for_target(Path(path).read_text(encoding="utf-8"), python, machine)
    for built in wheels:
        chosen = pin_wheel(chosen, Path(built))
    print(chosen, end="")
