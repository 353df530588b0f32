"""The service, the installer and going back, under a booted systemd. Run by ``make image-test``.

The tests build on each other in the order of the file, as the life of an appliance does.

Longer than 300 lines: one life of one container.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.vision.blazeface_models import LAYOUTS
from device.vision.model_card import read_model
from device.vision.trial import PASSED, passed_mark
from tests.device.vision.mutated import CRASHES, changed
from tests.systemd.bundles import make_key, sign, sum_up
from tests.systemd.container import Container, booted, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("MIEN_IMAGE_TEST" not in os.environ, reason="runs with make image-test"),
]

GOLDEN = Path("tests/golden")
SETTINGS = """\
[camera]
source = "demo"
[classifier]
model = "/etc/mien/brightness.tflite"
[mqtt]
password_file = "/run/credentials/mien.service/mqtt-password"
[display]
backend = "none"
"""
GAVE_WAY = "Mien died at 2 starts with it; back to the model before"
CHANGING = ("proc", "sys", "dev", "run", "tmp", "var/log", "var/tmp", "root")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("key") / "key")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Path:
    """The signed bundle for this machine's own Python 3.11 container."""
    machine = os.uname().machine
    command = ["systemd/bundle.sh", "--arch", machine, "--python", "3.11", "--dir"]
    signing = {**os.environ, "MIEN_SIGNING_KEY": str(key)}
    said = subprocess.check_output(command, text=True, env=signing)
    made = Path(said.strip().splitlines()[-1])
    target = tmp_path_factory.mktemp("bundle") / "bundle"
    shutil.move(made, target)
    return target


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    with booted(tmp_path_factory.mktemp("container") / "root") as container:
        yield container


@pytest.fixture(scope="module")
def files_before(container: Container) -> set[str]:
    """What lay in the container before anything was installed."""
    container.run("python3", "-m", "venv", "/tmp/warm-up")  # whatever Python caches, it has now
    return files(container)


def files(container: Container) -> set[str]:
    found = set()
    for path, folders, names in os.walk(container.root):
        inside = os.path.relpath(path, container.root)
        if inside in CHANGING:
            folders.clear()
            continue
        found |= {os.path.join(inside, name) for name in (*folders, *names)}
    return found


def install(container: Container, bundle: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Copies a bundle in and runs its installer."""
    inside = container.root / "root" / bundle.name
    shutil.copytree(bundle, inside, dirs_exist_ok=True)
    return container.run(f"/root/{bundle.name}/install.sh", *options, check=False)


def changed_bundle(bundle: Path, name: str, change: tuple[str, str], key: Path) -> Path:
    """A later bundle whose unit differs in one place; its checksums and signature are right."""
    later = bundle.with_name(name)
    shutil.copytree(bundle, later)
    unit = later / "mien.service"
    text, num_changes = re.subn(*change, unit.read_text(), flags=re.M)
    assert num_changes == 1
    unit.write_text(text)
    sum_up(later)
    sign(later, key)
    return later


def test_the_bundle_carries_blazeface(bundle: Path) -> None:
    (wheel,) = bundle.glob("wheels/mien-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {f"device/models/{layout.file}" for layout in LAYOUTS} <= set(archive.namelist())


def release(container: Container) -> str:
    return os.readlink(container.root / "opt/mien/current")


def active(container: Container) -> bool:
    return container.show("ActiveState") == "active"


def wait_for_another_process(container: Container, ended: str, within_s: float) -> None:
    """Until the service is active by another process; between the two it has none, PID 0."""
    wait_until(
        lambda: container.show("MainPID") not in (ended, "0") and active(container),
        within_s,
        "started again",
    )


def test_the_bundle_holds_the_code_that_is_here(bundle):
    with zipfile.ZipFile(next(bundle.glob("wheels/mien-*.whl"))) as wheel:
        packed = {name for name in wheel.namelist() if name.endswith(".py")}
    assert packed == {str(path) for path in Path("device").glob("**/*.py")}


def test_installs_without_a_network_and_waits_for_ready(container, bundle, files_before):
    settings = container.root / "etc/mien"
    settings.mkdir(mode=0o755)
    (settings / "mien.toml").write_text(SETTINGS)
    for suffix in ("tflite", "json"):
        shutil.copy(GOLDEN / f"brightness.{suffix}", settings)
    done = install(container, bundle)
    assert done.returncode == 0, done.stdout
    assert container.show("ActiveState") == "active"
    assert container.run("mien", "--version").stdout.startswith("mien ")


def test_runs_as_nobody_in_particular_with_one_capability(container):
    process = Path(f"/proc/{container.show('MainPID')}/status")
    status = container.run("cat", str(process)).stdout
    assert int(re.search(r"^Uid:\s+(\d+)", status, re.M)[1]) >= 61184  # a dynamic user
    assert int(re.search(r"^CapEff:\s+(\w+)", status, re.M)[1], 16) == 1 << 26  # SYS_TTY_CONFIG
    assert "NoNewPrivs:\t1" in status


def test_a_login_works_on_the_service_s_own_folder(container):
    cleared = container.run("mien", "capture", "clear", "--config", "/etc/mien/mien.toml")
    assert "faces deleted from /var/lib/mien/capture" in cleared.stdout
    installed = container.run("mien", "model", "install", "/etc/mien")
    assert "brightness 1 installed" in installed.stdout
    found = container.run("stat", "-c", "%u", "/var/lib/mien/", "/var/lib/mien/models/brightness")
    service, network = found.stdout.split()
    assert network == service != "0"
    assert "- brightness 1" in container.run("mien", "model", "list").stdout
    assert "* expression" not in container.run("mien", "model", "list").stdout  # /etc/mien names it
    refused = container.run(
        "setpriv", "--reuid=65534", "--clear-groups", "mien", "model", "list", check=False
    )
    assert refused.returncode == 2
    assert "run the command with sudo" in refused.stdout
    assert "brightness" in container.run("mien", "model", "rollback", "brightness").stdout


def test_verify_is_silent_where_it_is_installed(container):
    said = container.run("systemd-analyze", "verify", "--man=no", "mien.service")
    assert said.stdout == ""


def test_is_restarted_after_sigkill(container):
    killed = container.show("MainPID")
    container.run("kill", "-KILL", killed)
    wait_for_another_process(container, killed, within_s=60)
    assert container.show("NRestarts") == "1"


def test_a_hung_process_is_killed_by_the_watchdog_and_restarted(container):
    drop_in = container.root / "etc/systemd/system/mien.service.d"
    drop_in.mkdir()
    quick = "[Service]\nWatchdogSec=5\nTimeoutAbortSec=2\nRestartSec=1\n"
    (drop_in / "quick.conf").write_text(quick)
    container.run("systemctl", "daemon-reload")
    container.run("systemctl", "restart", "mien")
    hung = container.show("MainPID")
    container.run("kill", "-STOP", hung)
    wait_for_another_process(container, hung, within_s=90)
    assert "Watchdog timeout" in container.journal()
    shutil.rmtree(drop_in)
    container.run("systemctl", "daemon-reload")


def test_wrong_settings_end_with_78_and_without_restarts(container):
    (container.root / "etc/mien/mien.toml").write_text(SETTINGS + "nonsense = 1\n")
    container.run("systemctl", "reset-failed", "mien")
    started = container.run("systemctl", "restart", "mien", check=False)
    assert started.returncode != 0
    container.run("sleep", "7")  # longer than RestartSec
    assert container.show("ActiveState") == "failed"
    assert container.show("ExecMainStatus") == "78"
    assert container.show("NRestarts") == "0"
    assert "unknown key display.nonsense" in container.journal()


def test_the_installer_refuses_wrong_settings_and_switches_nothing(container, bundle, key):
    before = release(container)
    change = (r"^RestartSec=5", "RestartSec=6")
    done = install(container, changed_bundle(bundle, "wrong-settings", change, key))
    assert done.returncode == 78, done.stdout
    assert release(container) == before
    (container.root / "etc/mien/mien.toml").write_text(SETTINGS)


def test_installing_again_changes_nothing(container, bundle):
    before = release(container)
    done = install(container, bundle)
    assert done.returncode == 0, done.stdout
    assert "already here" in done.stdout
    assert release(container) == before
    assert active(container)
    assert (container.root / "etc/mien/mien.toml").read_text() == SETTINGS


ENDS_AT_ONCE = (r"^ExecStart=.*", "ExecStart=/bin/false")
NEVER_READY = (
    r"^ExecStart=.*\n(.*\n)TimeoutStartSec=90",
    "ExecStart=/bin/sleep 99\nTimeoutStartSec=5",
)


@pytest.mark.parametrize(
    ("name", "change"), [("ends-at-once", ENDS_AT_ONCE), ("never-ready", NEVER_READY)]
)
def test_a_release_that_does_not_start_goes_back_by_itself(container, bundle, key, name, change):
    before = release(container)
    later = changed_bundle(bundle, name, change, key)
    done = install(container, later)
    assert done.returncode == 1, done.stdout
    assert "does not start: back to" in done.stdout
    assert release(container) == before
    assert active(container)


def test_an_update_is_checked_by_the_installed_script_and_can_be_taken_back(container, bundle, key):
    before = release(container)
    later = changed_bundle(bundle, "update", (r"^RestartSec=5", "RestartSec=7"), key)
    packed = container.root / "root/update.tar"
    subprocess.run(["tar", "-C", later.parent, "-cf", packed, later.name], check=True)
    script = "/opt/mien/current/systemd/install.sh"
    done = container.run(script, "/root/update.tar", check=False)
    assert done.returncode == 0, done.stdout
    assert not list((container.root / "opt/mien").glob("incoming*"))
    assert release(container) != before
    assert container.show("RestartUSec") == "7s"
    done = container.run("/opt/mien/current/systemd/install.sh", "--rollback")
    assert release(container) == before
    assert container.show("RestartUSec") == "5s"
    assert active(container)


def put_behind_the_trial(container: Container, number: str) -> None:
    """Installs a model that crashes the runtime as if it had passed its self-test here."""
    state = container.root / "var/lib/private/mien"
    model = changed(container.root / f"root/{number}", *CRASHES[number])
    place = state / "models/expression/9-crashes"
    place.mkdir(parents=True)
    for path in (model, model.with_suffix(".json")):
        shutil.copy(path, place / f"expression{path.suffix}")
    (place / PASSED).write_bytes(passed_mark(*read_model(model)))
    (place.parent / "current").symlink_to(place.name)
    owner = state.stat().st_uid
    for path in (state / "models", *(state / "models").rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)


@pytest.mark.parametrize("number", CRASHES)
def test_a_model_that_crashes_the_runtime_gives_way_within_two_restarts(container, number):
    settings = container.root / "etc/mien/mien.toml"
    container.run("systemctl", "stop", "mien")
    before = len(container.journal())
    put_behind_the_trial(container, number)
    settings.write_text(SETTINGS.replace('model = "/etc/mien/brightness.tflite"', ""))
    container.run("systemctl", "reset-failed", "mien")
    container.run("systemctl", "start", "--no-block", "mien")
    ran = r"runs: camera demo, detector \w+, model expression 20"
    wait_until(lambda: re.search(ran, container.journal()[before:]), 90, "the shipped one serves")
    wait_until(lambda: active(container), 30, "the service is ready")
    assert container.show("NRestarts") == "2"
    process = container.show("MainPID")
    container.run("sleep", "7")  # longer than RestartSec
    assert container.show("MainPID") == process
    status = {"SIGSEGV": "status=11/SEGV", "SIGABRT": "status=6/ABRT"}[number]
    said = container.journal()[before:]
    assert (said.count(status), said.count(GAVE_WAY)) == (2, 1)
    container.run("systemctl", "stop", "mien")
    shutil.rmtree(container.root / "var/lib/private/mien/models")
    settings.write_text(SETTINGS)
    container.run("systemctl", "reset-failed", "mien")
    container.run("systemctl", "start", "mien")


def test_a_damaged_bundle_is_refused(container, bundle):
    damaged = bundle.with_name("damaged")
    shutil.copytree(bundle, damaged)
    (damaged / "mien.toml").write_text("# bit rot\n")
    done = install(container, damaged)
    assert done.returncode == 1
    assert "the bundle is damaged" in done.stdout


def test_a_signed_bundle_of_an_older_version_is_refused(container, bundle, key):
    before = release(container)
    older = bundle.with_name("older")
    shutil.copytree(bundle, older)
    (wheel,) = older.glob("wheels/mien-*.whl")
    wheel.rename(wheel.with_name("mien-0.0.9-py3-none-any.whl"))
    sum_up(older)
    sign(older, key)
    packed = container.root / "root/older.tar"
    subprocess.run(["tar", "-C", older.parent, "-cf", packed, older.name], check=True)
    script = "/opt/mien/current/systemd/install.sh"
    done = container.run(script, "/root/older.tar", check=False)
    assert done.returncode == 1
    assert "has version 0.0.9, older than" in done.stdout
    assert release(container) == before
    assert active(container)


def test_an_update_signed_by_somebody_else_is_refused(container, bundle, tmp_path):
    before = release(container)
    other = make_key(tmp_path / "other")
    later = changed_bundle(bundle, "forged", (r"^RestartSec=5", "RestartSec=8"), other)
    done = install(container, later)
    assert done.returncode == 1
    assert "is not signed with the key in /etc/mien/bundle-key.pub" in done.stdout
    assert release(container) == before
    assert active(container)


def test_uninstall_leaves_no_trace(container, files_before):
    container.run("/opt/mien/current/systemd/uninstall.sh", "--purge")
    assert files(container) - files_before == set()
    assert files_before - files(container) == set()
    assert container.show("LoadState") == "not-found"
    state = container.run("systemctl", "is-system-running", check=False).stdout.strip()
    assert state == "running"
