"""``apt install ./mien.deb`` under a booted systemd, without a network. Run by ``make image-test``.

The tests build on each other in the order of the file, as the life of a package does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.bundles import later_package
from tests.systemd.container import Container, booted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("MIEN_IMAGE_TEST" not in os.environ, reason="runs with make image-test"),
]

SETTINGS = '[camera]\nsource = "demo"\n[display]\nbackend = "none"\n'


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for this machine and the container's Python 3.11."""
    command = ["systemd/deb.sh", "--arch", os.uname().machine, "--python", "3.11"]
    made = subprocess.check_output(command, text=True).strip().splitlines()[-1]
    return Path(shutil.move(made, tmp_path_factory.mktemp("package") / "mien.deb"))


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    with booted(tmp_path_factory.mktemp("container") / "root") as container:
        yield container


def apt(container: Container, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "--no-install-recommends"]
    return container.run(*command, *words, check=False)


def install(container: Container, package: Path) -> subprocess.CompletedProcess[str]:
    shutil.copy(package, container.root / "root")
    return apt(container, "install", f"/root/{package.name}")


def release(container: Container) -> str:
    return os.readlink(container.root / "opt/mien/current")


def installed(container: Container) -> str:
    asked = container.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "mien", check=False)
    return "" if asked.returncode else asked.stdout.strip()


def test_apt_installs_without_a_network_and_the_service_runs(container, package):
    (container.root / "etc/mien").mkdir(mode=0o755)
    (container.root / "etc/mien/mien.toml").write_text(SETTINGS)
    done = install(container, package)
    assert done.returncode == 0, done.stdout
    assert installed(container) == "installed"
    assert container.show("ActiveState") == "active"
    assert container.run("mien", "--version").stdout.startswith("mien ")


def test_the_scripts_of_the_bundle_leave_it_to_apt(container):
    for script in ("install.sh", "uninstall.sh"):
        said = container.run(f"/opt/mien/current/systemd/{script}", check=False)
        assert said.returncode == 1
        assert "Mien is a Debian package here: apt " in said.stdout


def test_an_upgrade_keeps_settings_and_state(container, package):
    before = release(container)
    (container.root / "var/lib/private/mien/kept").write_text("state")
    done = install(container, later_package(package, "9.0.1", (r"^RestartSec=5", "RestartSec=7")))
    assert done.returncode == 0, done.stdout
    assert release(container) != before
    assert container.show("RestartUSec") == "7s"
    assert container.show("ActiveState") == "active"
    assert (container.root / "etc/mien/mien.toml").read_text() == SETTINGS
    assert (container.root / "var/lib/private/mien/kept").read_text() == "state"


def test_an_upgrade_that_does_not_start_goes_back_and_says_so(container, package):
    before = release(container)
    never = (r"^ExecStart=.*", "ExecStart=/bin/false")
    done = install(container, later_package(package, "9.0.2", never))
    assert done.returncode != 0
    assert "does not start: back to" in done.stdout
    assert release(container) == before
    assert container.show("ActiveState") == "active"
    assert install(container, package.with_name("mien-9.0.1.deb")).returncode != 0  # a downgrade
    allowed = apt(container, "--allow-downgrades", "install", "/root/mien-9.0.1.deb")
    assert allowed.returncode == 0, allowed.stdout
    assert installed(container) == "installed"


def test_remove_keeps_settings_and_state(container):
    done = apt(container, "remove", "mien")
    assert done.returncode == 0, done.stdout
    assert installed(container) == "config-files"
    assert container.show("LoadState") == "not-found"
    assert not (container.root / "opt/mien").exists()
    assert not (container.root / "usr/lib/mien").exists()
    assert (container.root / "etc/mien/mien.toml").read_text() == SETTINGS
    assert (container.root / "var/lib/private/mien/kept").exists()


def test_purge_leaves_nothing(container):
    done = apt(container, "purge", "mien")
    assert done.returncode == 0, done.stdout
    assert installed(container) == ""
    for place in ("etc/mien", "var/lib/mien", "var/lib/private/mien", "opt/mien", "usr/lib/mien"):
        assert not os.path.lexists(container.root / place), place
    state = container.run("systemctl", "is-system-running", check=False).stdout.strip()
    assert state == "running"


def test_without_a_camera_the_package_is_installed_all_the_same(container, package):
    (container.root / "etc/mien").mkdir(mode=0o755)
    (container.root / "etc/mien/mien.toml").write_text('[display]\nbackend = "none"\n')
    done = install(container, package)
    assert done.returncode == 0, done.stdout
    assert installed(container) == "installed"
    assert apt(container, "purge", "mien").returncode == 0
