"""What ``make release`` makes: said beforehand, with metadata, and fit for an empty environment."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from device import __version__

ROOT = Path(__file__).parents[1]
EVERY_PYTHON = ("3.10", "3.11", "3.12", "3.13")  # as systemd/bundle.sh


def git(clone: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
    return subprocess.check_output(["git", *identity, *words], cwd=clone, text=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small repository with what the script reads."""
    clone = tmp_path / "clone"
    (clone / ".ci").mkdir(parents=True)
    (clone / "device").mkdir()
    shutil.copy(ROOT / ".ci" / "release", clone / ".ci")
    (clone / "device" / "__init__.py").write_text('__version__ = "0.1.0"\n')
    (clone / "CHANGELOG.md").write_text(
        "# Changes\n\n## [Unreleased]\n\n- new\n\n## [0.1.0]\n\n- old\n"
    )
    git(clone, "init", "-q")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "all")
    return clone


def release(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MIEN_WHEELS": str(clone.parent / "wheels")}
    environment.pop("MIEN_SIGNING_KEY", None)
    command = [".ci/release", *words]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, env=environment)


def test_a_dry_run_says_all_and_changes_nothing(clone: Path) -> None:
    done = release(clone, "0.2.0", "--dry-run", "--image")
    assert done.returncode == 0, done.stderr
    for step in ("set_version 0.2.0", "git tag", "make_sdist_and_wheel", "systemd/bundle.sh",
                 "systemd/deb.sh", "systemd/image/build.sh", "write_notes 0.2.0", "sum_up"):  # fmt: skip
        assert f"release: {step}" in done.stdout
    assert git(clone, "status", "--porcelain") == git(clone, "tag") == ""
    assert not (clone / "dist").exists()
    assert not (clone.parent / "wheels").exists()
    assert done.stdout.endswith("a dry run: nothing was made\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["1.x"], "a version is like 0.1.0"),
        (["--nonsense"], "unknown option --nonsense (--help lists them)"),
    ],
)
def test_wrong_arguments_end_in_one_line(clone: Path, words: list[str], said: str) -> None:
    done = release(clone, *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_says_how_it_is_called_and_releases_nothing(clone: Path, option: str) -> None:
    done = release(clone, "0.2.0", option)
    assert done.returncode == 0, done.stderr
    assert ".ci/release [VERSION] [--dry-run]" in done.stdout
    assert "Without VERSION the one in device/__init__.py is released" in done.stdout
    assert git(clone, "status", "--porcelain") == git(clone, "tag") == ""


def test_a_changed_tree_is_not_released(clone: Path) -> None:
    (clone / "CHANGELOG.md").write_text("## [0.1.0]\n- other\n")
    done = release(clone)
    assert done.returncode == 1
    assert "the working tree has changes" in done.stderr


def test_a_version_is_released_once(clone: Path) -> None:
    git(clone, "tag", "v0.1.0")
    done = release(clone)
    assert done.returncode == 1
    assert "v0.1.0 is tagged already" in done.stderr


def test_a_version_without_notes_is_not_released(clone: Path) -> None:
    (clone / "CHANGELOG.md").write_text("# Changes\n\n## [Unreleased]\n\n## [0.1.0]\n\n- old\n")
    git(clone, "commit", "-qam", "nothing new")
    done = release(clone, "0.2.0")
    assert done.returncode == 1
    assert "CHANGELOG.md says nothing of 0.2.0" in done.stderr


def test_an_unfinished_release_leaves_version_and_notes_in_the_changelog(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = clone.parent / "bin" / "python3"  # ends where the packages would be built
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{python.parent}:{os.environ['PATH']}")
    done = release(clone, "0.2.0")
    assert done.returncode == 3
    assert "## [0.2.0]\n\n- new" in (clone / "CHANGELOG.md").read_text()
    assert '"0.2.0"' in (clone / "device" / "__init__.py").read_text()
    assert git(clone, "status", "--porcelain", "--untracked-files=no") == ""
    assert git(clone, "tag") == ""  # so that it can be tried again


def make_packages(clone: Path) -> None:
    """Scripts that make what they are named for."""
    made = {"bundle.sh": "mien-0.1.0-bundle.tar", "deb.sh": "mien_0.1.0_arm64.deb",
            "image/build.sh": "mien-0.1.0-arm64.img"}  # fmt: skip
    (clone / "systemd/image").mkdir(parents=True)
    for script, file in made.items():
        path = clone / "systemd" / script
        path.write_text(f"#!/bin/sh\nmkdir -p dist\necho new > dist/{file}\n")
        path.chmod(0o755)
    script = clone / ".ci/release"
    text = script.read_text().replace("do_it make_sdist_and_wheel\n", "do_it true\n")
    script.write_text(text)
    (clone / ".gitignore").write_text("/dist/\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "packages")


@pytest.mark.parametrize("image", [False, True])
def test_what_an_earlier_build_left_is_not_released(clone: Path, image: bool) -> None:
    make_packages(clone)
    earlier = ("mien-0.1.0-arm64.img", "mien_0.1.0_arm64.deb", "mien_0.1.0_armhf.deb")
    (clone / "dist").mkdir()
    for name in earlier:
        (clone / "dist" / name).write_text("of last week\n")
    done = release(clone, *(["--image"] if image else []))
    assert done.returncode == 0, done.stderr
    sums = (clone / "dist/release/SHA256SUMS").read_text().splitlines()
    packages = {"mien-0.1.0-bundle.tar", "mien_0.1.0_arm64.deb", "NOTES.md"}
    packages |= {"mien-0.1.0-arm64.img"} if image else set()
    assert {line.split("  ")[1] for line in sums} == packages
    for name in packages - {"NOTES.md"}:
        assert (clone / "dist/release" / name).read_text() == "new\n"


def test_a_release_lacks_nothing_that_was_asked_for(clone: Path) -> None:
    make_packages(clone)
    (clone / "systemd/image/build.sh").write_text("#!/bin/sh\n")
    git(clone, "commit", "-qam", "makes nothing")
    done = release(clone, "--image")
    assert done.returncode == 1
    assert "mien-0.1.0-arm64.img" in done.stderr
    assert git(clone, "tag") == ""


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    """Asks the package index that pip is set up for."""
    source, venv = tmp_path / "source", tmp_path / "venv"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "device", source / "device", ignore=shutil.ignore_patterns("__pycache__")
    )
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [venv / "bin" / "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("mien-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        facts = email.message_from_bytes(archive.read(metadata))
    assert "device/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert facts["Version"] == __version__
    assert facts["License-Expression"] == "Apache-2.0"
    assert facts["Keywords"]
    classifiers = facts.get_all("Classifier", [])
    for version in EVERY_PYTHON:
        assert f"Programming Language :: Python :: {version}" in classifiers
    subprocess.run([*pip, "install", "-c", ROOT / "constraints.txt", wheel], check=True)
    mien = [venv / "bin" / "mien"]
    said = subprocess.check_output([*mien, "--version"], text=True, cwd=tmp_path)
    assert said == f"mien {__version__}\n"
    portrait = ROOT / "device" / "camera" / "astronaut.jpg"
    said = subprocess.check_output([*mien, "analyze", "--json", portrait], text=True, cwd=tmp_path)
    assert '"happy"' in said
