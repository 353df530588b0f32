"""The flashable image on ``-M virt``, which has a screen and is quick. Run by ``make image-test``.

Times allow for an emulator on a busy machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from device.display.render import BRIGHT, Frills, render
from device.display.wording import Shown
from device.vocabulary import (
    EXPRESSIONS,
    BoundingBox,
    CameraState,
    Expression,
    FaceState,
    Scene,
    Status,
)
from tests.image.machine import (
    BOOT_S,
    CACHE,
    PATIENCE,
    VIRT,
    VIRT_SCREEN,
    Machine,
    running,
    sd_card,
    wait_until,
)
from tests.subscriber import Subscriber

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("MIEN_IMAGE_TEST" not in os.environ, reason="runs with make image-test"),
]

RESTART_S = 90 * PATIENCE
QUIET_S = 300
MAX_MEMORY_MB = 200


@pytest.fixture(scope="module")
def subscriber(broker) -> Iterator[Subscriber]:
    with Subscriber(broker.port, "mien/#") as subscriber:
        yield subscriber


@pytest.fixture(scope="module")
def board(tmp_path_factory, key, broker, subscriber) -> Iterator[Machine]:
    """The built image on the general ARM board, with a screen."""
    folder = tmp_path_factory.mktemp("virt")
    image = CACHE / "test-image.img"
    subprocess.run(["systemd/image/build.sh", image], check=True)
    virt = (*VIRT, *VIRT_SCREEN, "-device", "virtio-net-pci,netdev=net")
    words = "console=tty0 console=ttyAMA0"
    prepared = sd_card(folder, image, key, broker.port, size_mib=4096)
    with running(prepared, key, virt, "virtio", words) as machine:
        yield machine


def newest_state(subscriber: Subscriber) -> dict:
    return subscriber.seen("state")[-1].json()


def test_a_subscriber_gets_online_and_an_expression(board, subscriber):
    subscriber.wait_for("availability", within_s=BOOT_S)
    assert subscriber.seen("availability")[0].payload == b"online"
    event = subscriber.wait_for("event", within_s=RESTART_S)[0]
    assert event.json()["event_type"] == "appeared"
    assert event.json()["expression"] in [expression.value for expression in Expression]


def test_the_board_accepts_the_users_files_and_its_own_models(board):
    assert board.run("cat /boot/firmware/mien-error.txt 2>/dev/null || echo none") == "none"
    checked = board.run(
        "/opt/mien/current/bin/mien check --config /etc/mien/mien.toml && echo good"
    )
    assert checked.splitlines()[-1] == "good", checked


def test_the_sd_card_file_opened_ssh_for_its_key(board):
    wait_until(lambda: board.run("hostname") == "hall", RESTART_S, "an SSH login")
    assert board.run("date +%Z") in ("CET", "CEST")
    assert "PasswordAuthentication no" in board.run("cat /etc/ssh/sshd_config.d/mien.conf")


def test_nobody_has_a_password(board):
    fields = [line.split(":")[1] for line in board.run("cat /etc/shadow").splitlines()]
    assert [field for field in fields if field[:1] not in ("!", "*")] == []


def test_the_service_is_active_by_ready_and_nothing_failed(board):
    assert board.run("systemctl show --value --property ActiveState mien") == "active"
    assert board.run("systemctl --failed --plain --no-legend") == ""
    wait_until(
        lambda: board.run("systemctl is-system-running") == "running", RESTART_S, "boot finished"
    )


def test_the_root_grew_into_the_card(board):
    size = int(board.run("df --output=size -BM / | tail -1").rstrip("M"))
    assert size > 3000


def test_the_screen_shows_the_name_in_large_letters(board, subscriber):
    picture, state = picture_and_state(board, subscriber)
    shutil.copy(board.folder / "screen.ppm", CACHE / "screen.ppm")  # to be looked at
    assert name_on(picture) == state["faces"][0]["expression"]


def name_on(picture: np.ndarray) -> str | None:
    """The expression whose name stands on the screen in large letters."""
    height, width = picture.shape[:2]
    scores = {
        expression: similarity(picture, name_as_drawn(expression, width, height))
        for expression in EXPRESSIONS
    }
    shown = max(scores, key=scores.get)
    return shown.value if scores[shown] > 0.8 else None


def picture_and_state(board: Machine, subscriber: Subscriber) -> tuple[np.ndarray, dict]:
    """A screendump during which the expression stayed the same."""
    for _ in range(10):
        before = newest_state(subscriber)
        picture = board.screen()
        time.sleep(2)
        after = newest_state(subscriber)
        names = [[face["expression"] for face in state["faces"]] for state in (before, after)]
        if names[0] and names[0] == names[1]:
            return picture, after
    raise AssertionError("the demo never showed one expression for some seconds")


def name_as_drawn(expression: Expression, width: int, height: int) -> np.ndarray:
    """The name's letters cut out of the picture that Mien renders for one face."""
    even = np.full(7, 1 / 7, np.float32)
    face = FaceState(1, expression, 0.5, even, BoundingBox(0, 0, 9, 9), since_s=0.0)
    shown = Shown(Scene((face,), 640, 480, 0.0), Status(CameraState.ONLINE))
    picture = render(shown, width, height, Frills())
    bright = np.abs(picture.astype(int) - np.array(BRIGHT)).max(axis=2) < 60
    rows, columns = np.nonzero(bright[: height // 2])
    cut = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert cut.shape[0] > height / 10  # large
    return cut


def similarity(picture: np.ndarray, part: np.ndarray) -> float:
    found = cv2.matchTemplate(
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY),
        cv2.cvtColor(part, cv2.COLOR_RGB2GRAY),
        cv2.TM_CCOEFF_NORMED,
    )
    return float(found.max())


def test_memory_stays_small(board):
    rss_kb = board.run("grep VmRSS /proc/$(systemctl show --value --property MainPID mien)/status")
    assert int(rss_kb.split()[1]) / 1024 < MAX_MEMORY_MB


def test_a_killed_process_comes_back_and_says_so(board, subscriber):
    num_online = sum(m.payload == b"online" for m in subscriber.seen("availability"))
    board.run("systemctl kill --signal=KILL --kill-whom=main mien")
    wait_until(
        lambda: sum(m.payload == b"online" for m in subscriber.seen("availability")) > num_online,
        RESTART_S,
        "online again",
    )
    assert b"offline" in [m.payload for m in subscriber.seen("availability")]


def test_an_unplugged_screen_is_survived(board, subscriber):
    device = board.run("basename /sys/bus/virtio/drivers/virtio_gpu/virtio*")
    board.run(f"echo {device} > /sys/bus/virtio/drivers/virtio_gpu/unbind")
    assert board.run("test -e /dev/fb0 || echo gone") == "gone"
    num_states = len(subscriber.seen("health"))
    wait_until(lambda: len(subscriber.seen("health")) > num_states, RESTART_S, "alive without it")
    assert board.run("systemctl show --value --property ActiveState mien") == "active"
    board.run(f"echo {device} > /sys/bus/virtio/drivers/virtio_gpu/bind")
    wait_until(lambda: name_on(board.screen()), RESTART_S, "the name on the screen again")


def test_a_screen_that_comes_back_before_a_killed_process_does_is_switched_on(board):
    device = board.run("basename /sys/bus/virtio/drivers/virtio_gpu/virtio*")
    board.run(
        "systemctl kill --signal=KILL --kill-whom=main mien"
        f"; echo {device} > /sys/bus/virtio/drivers/virtio_gpu/unbind"
        f"; echo {device} > /sys/bus/virtio/drivers/virtio_gpu/bind"
    )
    # The kernel leaves it dark: the killed process's console is still in graphics mode.
    assert board.run("cat /sys/class/drm/*/enabled") == "disabled"
    wait_until(lambda: name_on(board.screen()), RESTART_S, "the name on the screen again")


def test_nothing_is_written_to_the_sd_card_in_steady_state(board):
    before = sectors_written(board)
    time.sleep(QUIET_S)
    assert sectors_written(board) == before


def sectors_written(board: Machine) -> int:
    return int(board.run("sync; cat /sys/block/vda/vda2/stat").split()[6])


def test_the_root_can_be_made_read_only_and_mien_goes_on(board, subscriber):
    board.run("systemctl enable --now mien-read-only.target && systemctl restart mien")
    assert "ro," in board.run("findmnt -no OPTIONS /")
    assert board.run("systemctl show --value --property ActiveState mien") == "active"
    board.run("systemctl stop mien-read-only.service")
    assert "rw," in board.run("findmnt -no OPTIONS /")
