"""What deb.sh packs, without pip; test_debian_package.py installs it for real."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.bundles import programs

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")

BUNDLE = """#!/bin/sh
version=$(sed -n 's/^__version__ = "\\(.*\\)"/\\1/p' device/__init__.py)
mkdir -p dist/mien-$version
touch dist/mien-$version/install.sh
echo dist/mien-$version
"""


def prepare(folder: Path, version: str) -> None:
    """What deb.sh reads, with an install bundle of one file."""
    shutil.copytree("systemd", folder / "systemd")
    programs(folder / "systemd", **{"bundle.sh": BUNDLE})
    for name in ("README.md", "CHANGELOG.md"):
        shutil.copy(name, folder)
    (folder / "device").mkdir()
    (folder / "device/__init__.py").write_text(f'__version__ = "{version}"\n')


def package(folder: Path, version: str) -> Path:
    """The Debian package of a version."""
    prepare(folder, version)
    made = subprocess.check_output(["systemd/deb.sh", "--arch", "aarch64"], cwd=folder, text=True)
    return folder / made.strip()


def field(package: Path, name: str) -> str:
    return subprocess.check_output(["dpkg-deb", "--field", package, name], text=True).strip()


@pytest.mark.parametrize(("version", "later"), [("0.2.0rc1", "0.2.0"), ("0.2.0", "0.10.0rc1")])
def test_apt_takes_the_release_after_its_candidate(tmp_path, version, later):
    made = package(tmp_path, version)
    assert made.name == f"mien_{version}_arm64.deb"
    compare = [
        "dpkg",
        "--compare-versions",
        field(made, "Version"),
        "lt",
        later.replace("rc", "~rc"),
    ]
    assert subprocess.run(compare).returncode == 0


def test_a_package_that_was_written_in_part_has_not_its_name(tmp_path):
    prepare(tmp_path, "0.2.0")
    full = '#!/bin/sh\nfor file; do :; done\necho half > "$file"; exit 2\n'
    path = programs(tmp_path / "programs", **{"dpkg-deb": full})
    command = ["systemd/deb.sh", "--arch", "aarch64"]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path})
    assert done.returncode == 2
    assert list((tmp_path / "dist").glob("*.deb")) == []


def test_another_python_of_the_system_calls_the_package(tmp_path):
    made = package(tmp_path, "0.2.0")
    said = subprocess.check_output(["dpkg-deb", "--info", made, "triggers"], text=True)
    assert said.splitlines()[-1] == "interest-noawait /usr/bin/python3"


@pytest.mark.parametrize(
    ("words", "runs", "installs"),
    [
        (["triggered", "/usr/bin/python3"], False, True),
        (["triggered", "/usr/bin/python3"], True, False),
        (["configure", "0.1.0"], True, True),
        (["abort-upgrade", "0.2.0"], False, False),
    ],
)
def test_the_environment_is_made_anew_when_its_python_has_gone(tmp_path, words, runs, installs):
    text = Path("systemd/debian/postinst").read_text()
    (tmp_path / "postinst").write_text(
        text.replace("/usr/lib/mien/", f"{tmp_path}/").replace(
            "/opt/mien/current/bin/", f"{tmp_path}/"
        )
    )
    programs(
        tmp_path,
        **{
            "install.sh": "#!/bin/sh\necho installs\n",
            "mien": f"#!/bin/sh\necho ModuleNotFoundError >&2\nexit {int(not runs)}\n",
        },
    )
    command = ["sh", tmp_path / "postinst", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("installs\n" if installs else "")
