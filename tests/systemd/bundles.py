"""Install bundles made by bundle.sh without a package index, and keys to sign them with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

# A python3 that makes a "venv" of stand-ins: no package index is asked. Its pip "builds" a wheel
# that lists the models it would pack; its python "fetches" BlazeFace where FETCHES is set.
PYTHON = r"""#!/bin/bash
if [ "$1" != -m ] || [ "$2" != venv ]; then echo 3.11; exit; fi
mkdir "$3/bin"
cat > "$3/bin/pip" <<'END'
#!/bin/bash
[ "$1 $4" = "wheel --wheel-dir" ] || exit 0
if [ -d "$6" ]; then ls "$6/device/models" > "$5/mien-0-py3-none-any.whl"; fi
END
cat > "$3/bin/python" <<'END'
#!/bin/bash
case "$*" in
    *"-m device fetch --into device/models")
        [ -n "$FETCHES" ] || { printf 'a hint\nmien: pip could not fetch it\n' >&2; exit 78; }
        echo fetched; touch device/models/face_detection_fetched ;;
esac
END
chmod +x "$3/bin/pip" "$3/bin/python"
"""


def programs(folder: Path, **texts: str) -> str:
    """A PATH on which these programs come first."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        program = folder / name.replace("_", "-")
        program.write_text(text)
        program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def make_clone(clone: Path) -> Path:
    """What bundle.sh reads, without what was fetched."""
    clone.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(name, clone)
    shutil.copytree("systemd", clone / "systemd")
    ignored = shutil.ignore_patterns("__pycache__", "face_detection_*")
    shutil.copytree("device", clone / "device", ignore=ignored)
    return clone


def make_bundle(clone: Path, **environment: str) -> tuple[Path, str]:
    """The bundle's folder and what was said."""
    command = ["systemd/bundle.sh", "--here", "--dir"]
    done = subprocess.run(
        command, cwd=clone, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return clone / done.stdout.strip(), done.stderr


def make_key(path: Path) -> Path:
    """A new SSH key; its public half lies beside it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a person", "-f", path]
    subprocess.run(command, check=True)
    return path


def sign(bundle: Path, key: Path) -> None:
    """Signs the checksums anew, as bundle.sh does."""
    (bundle / "SHA256SUMS.sig").unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "mien-bundle"]
    subprocess.run([*command, bundle / "SHA256SUMS"], check=True)


def sum_up(bundle: Path) -> None:
    """Writes the checksums anew, as bundle.sh does."""
    for name in ("SHA256SUMS", "SHA256SUMS.sig"):
        (bundle / name).unlink(missing_ok=True)
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    names = [str(path.relative_to(bundle)) for path in files]
    sums = subprocess.check_output(["sha256sum", *names], cwd=bundle, text=True)
    (bundle / "SHA256SUMS").write_text(sums)


def later_package(package: Path, version: str, change: tuple[str, str]) -> Path:
    """The next version of a Debian package, whose unit differs in one place."""
    tree = package.with_name(version)
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", control.read_text()))
    unit = tree / "usr/lib/mien/mien.service"
    text, num_changes = re.subn(*change, unit.read_text(), flags=re.M)
    assert num_changes == 1
    unit.write_text(text)
    sum_up(tree / "usr/lib/mien")
    made = package.with_name(f"mien-{version}.deb")
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, made]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return made
