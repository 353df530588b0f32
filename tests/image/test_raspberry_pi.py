"""The image that ``customize.sh`` made, on QEMU's Raspberry Pi 3 with that board's device tree."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.image.machine import BOOT_OFFSET, BOOT_S, CACHE, RASPI, copy_to_root, running, sd_card
from tests.subscriber import Subscriber

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("MIEN_IMAGE_TEST" not in os.environ, reason="runs with make image-test"),
]

# QEMU's USB network is, by its ids, a gadget at the end of a cable: nobody asks it for an address.
USB_NETWORK = """\
[connection]
id=emulated
type=ethernet
interface-name=usb0
[ipv4]
method=auto
"""


def test_the_customised_image_boots_as_a_raspberry_pi_up_to_the_event(tmp_path, key, broker):
    plain = CACHE / "test-plain.img"
    subprocess.run(["systemd/image/build.sh", "--plain", plain], check=True)
    subprocess.run(["systemd/image/customize.sh", plain], check=True)
    image = sd_card(tmp_path, plain, key, broker.port, size_mib=4096)
    connection = "etc/NetworkManager/system-connections/emulated.nmconnection"
    copy_to_root(image, connection, USB_NETWORK, mode=0o600)
    tree = tmp_path / "board.dtb"
    subprocess.run(
        ["mcopy", "-i", f"{image}@@{BOOT_OFFSET}", "::/bcm2837-rpi-3-b.dtb", tree], check=True
    )
    pi = (*RASPI, "-dtb", str(tree), "-device", "usb-net,netdev=net")
    words = "console=ttyAMA0,115200 dwc_otg.lpm_enable=0"
    with Subscriber(broker.port, "mien/#") as subscriber, running(image, key, pi, "sd", words):
        subscriber.wait_for("event", within_s=3 * BOOT_S)
