"""What the Makefile's targets take from dist, and what they say before they install."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.bundles import programs

ROOT = Path(__file__).parents[1]
MAKEFILE = ROOT / "Makefile"
BUNDLE = '#!/bin/sh\n[ -z "$FAILS" ] || exit 1\necho dist/mien-0.10.0\n'
# Reads as Python does, and makes environments whose pip and mien install nothing.
PYTHON = """#!/bin/sh
[ "$1" = -m ] || exec python3 "$@"
mkdir -p "$3/bin"
for name in pip mien python; do
    printf '#!/bin/sh\\necho "%s $1"\\n' $name > "$3/bin/$name"
    chmod +x "$3/bin/$name"
done
"""
SUDO = '#!/bin/sh\necho "sudo $*"\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with install bundles and images of three versions."""
    (tmp_path / "systemd").mkdir()
    programs(tmp_path / "systemd", **{"bundle.sh": BUNDLE, "flash.sh": '#!/bin/sh\necho "$1"\n'})
    for version in ("0.9.0", "0.10.0", "0.10.0rc2"):
        (tmp_path / "dist" / f"mien-{version}").mkdir(parents=True)
        (tmp_path / "dist" / f"mien-{version}/install.sh").touch(mode=0o755)
        (tmp_path / "dist" / f"mien-{version}-arm64.img").touch()
    return tmp_path


def make(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = programs(clone / "programs", sudo=SUDO)
    command = ["make", "-s", "-f", str(MAKEFILE), *words, f"PATH={path}"]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True)


def test_the_bundle_that_was_just_made_is_installed(clone):
    done = make(clone, "install")
    assert done.stdout == "sudo dist/mien-0.10.0/install.sh --local\n"


def test_nothing_is_installed_without_a_bundle(clone):
    done = make(clone, "install", "FAILS=yes")
    assert done.returncode != 0
    assert done.stdout == ""


def test_the_newest_image_is_flashed(clone):
    assert make(clone, "flash").stdout == "dist/mien-0.10.0-arm64.img\n"
    (clone / "dist/mien-0.10.0-arm64.img").unlink()
    assert make(clone, "flash").stdout == "dist/mien-0.10.0rc2-arm64.img\n"
    for image in clone.glob("dist/*.img"):
        image.unlink()
    assert make(clone, "flash").stdout == "\n"
    assert make(clone, "flash", "IMAGE=my own.img").stdout == "my own.img\n"


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A clone in which nothing was installed yet."""
    shutil.copytree(ROOT / "training/classifier/recipes", tmp_path / "training/classifier/recipes")
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    programs(tmp_path / "programs", my_python=PYTHON)
    return tmp_path


@pytest.mark.parametrize("goal", ["train", "export"])
def test_a_network_that_no_recipe_trains_is_refused_before_anything_is_installed(fresh, goal):
    done = make(fresh, goal, "NETWORK=foo", "PYTHON=programs/my-python")
    assert done.returncode == 2
    assert (
        "NETWORK=foo: no recipe trains it; known are expression expression-fer2013 " in done.stderr
    )
    assert done.stdout == ""
    assert not (fresh / ".venv-dev").exists()


@pytest.mark.parametrize("name", ["expression-tiny", "expression-teacher", "expression-fer2013"])
def test_a_run_or_a_pair_of_a_recipe_is_trained(fresh, name):
    done = make(fresh, "train", f"NETWORK={name}", "PYTHON=programs/my-python")
    assert done.returncode == 0, done.stderr
    assert "pip install" in done.stdout


def test_other_goals_do_not_look_at_the_name_of_a_network(fresh):
    done = make(fresh, "help", "NETWORK=foo")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("goal", "environment"), [("bench", ".venv"), ("check", ".venv-dev")])
def test_what_is_fetched_is_said_before_it_is_fetched(fresh, goal, environment):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [size] = re.findall(rf"`{environment}` (?:with what .*?)?\((?:about )?([0-9.]+ [MG]B)", readme)
    done = make(fresh, goal, "PYTHON=programs/my-python")
    first, second = done.stdout.splitlines()[:2]
    assert f"into {environment} (about {size}" in first
    assert second == "pip install"
