"""The settings file on the SD card's FAT partition is checked before it is taken over."""

from __future__ import annotations

import subprocess
import sys

from tests.systemd.on_device import Programs, first_boot


def test_settings_are_taken_over_when_mien_accepts_them(boot, root):
    (boot / "mien.toml").write_text("[log]\n")
    assert first_boot.FirstBoot(boot, root, Programs()).take_over() == []
    assert (root / "etc/mien/mien.toml").read_text() == "[log]\n"


def test_settings_that_mien_refuses_change_nothing(boot, root):
    (root / "etc/mien").mkdir(parents=True)
    (root / "etc/mien/mien.toml").write_text("# good\n")
    (boot / "mien.toml").write_text("[nonsense]\n")
    refuses = Programs(mien=(78, "mien: /boot/firmware/mien.toml:1: unknown section\n"))
    problems = first_boot.FirstBoot(boot, root, refuses).take_over()
    assert problems == ["mien.toml: /boot/firmware/mien.toml:1: unknown section"]
    assert (root / "etc/mien/mien.toml").read_text() == "# good\n"


def test_every_mistake_of_the_settings_is_told_on_the_sd_card(boot, root):
    (boot / "mien.toml").write_text("[camera]\nwidth = 1\n[mqtt]\nport = -4\n[nix]\n")

    def programs(command):
        """The real ``mien check``."""
        words = [sys.executable, "-m", "device", *command[1:]]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    problems = first_boot.FirstBoot(boot, root, programs).take_over()
    told = (boot / "mien-error.txt").read_text().splitlines()
    assert told == problems
    assert [line for line in told if not line.startswith(f"mien.toml: {boot}/mien.toml:")] == []
    wrong = (":5: unknown section [nix]", ":2: camera.width = 1:", ":4: mqtt.port = -4:")
    assert [sum(each in line for line in told) for each in wrong] == [1, 1, 1]


def test_what_a_library_says_is_no_mistake(boot, root):
    (boot / "mien.toml").write_text("[nonsense]\n")
    refuses = Programs(mien=(78, "INFO: a delegate\nmien: first\nmien: second\nINFO: bye\n"))
    problems = first_boot.FirstBoot(boot, root, refuses).take_over()
    assert problems == ["mien.toml: first", "mien.toml: second"]
    (boot / "mien.toml").write_text("[nonsense]\n\n")
    refuses = Programs(mien=(139, "INFO: a delegate\nSegmentation fault\n"))
    problems = first_boot.FirstBoot(boot, root, refuses).take_over()
    assert problems == ["mien.toml: Segmentation fault"]
