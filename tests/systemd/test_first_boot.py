"""What is taken over from the SD card's FAT partition, on a system in a temporary folder."""

from __future__ import annotations

import configparser
import stat
from pathlib import Path

import pytest

from tests.systemd.on_device import Programs, first_boot, setup_file, system, wifi_of

SHIPPED = Path("systemd/image/mien-setup.toml")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB5s visitor@desk"


def test_the_shipped_file_asks_for_nothing(boot, root):
    (boot / "mien-setup.toml").write_text(SHIPPED.read_text())
    programs = Programs()
    assert first_boot.FirstBoot(boot, root, programs).take_over() == []
    assert programs.ran == []
    assert not (root / "etc").exists()


def test_every_key_stands_in_the_shipped_file():
    text = SHIPPED.read_text()
    assert [key for key in setup_file.ALLOWED if f"#{key} = " not in text] == []


def test_host_name_time_zone_and_passwords(boot, root):
    (boot / "mien-setup.toml").write_text(
        'hostname = "hall"\ntimezone = "Europe/Berlin"\nmqtt_password = "a \\"quoted\\" one"\n'
    )
    assert first_boot.FirstBoot(boot, root, Programs()).take_over() == []
    assert (root / "etc/hostname").read_text() == "hall\n"
    assert "127.0.1.1\thall\n" in (root / "etc/hosts").read_text()
    assert (root / "etc/localtime").readlink() == Path("/usr/share/zoneinfo/Europe/Berlin")
    password = root / "etc/mien/mqtt-password"
    assert password.read_text() == 'a "quoted" one\n'
    assert stat.S_IMODE(password.stat().st_mode) == 0o600


def test_wifi_is_a_file_that_only_root_reads(boot, root):
    (boot / "mien-setup.toml").write_text(
        'wifi_country = "DE"\nwifi_name = "Café; 2"\nwifi_password = " back\\\\slash"\n'
    )
    programs = Programs()
    assert first_boot.FirstBoot(boot, root, programs).take_over() == []
    path = wifi_of(root)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    parsed = configparser.RawConfigParser()
    parsed.read(path)
    name = bytes(int(byte) for byte in parsed["wifi"]["ssid"].split(";") if byte)
    assert name.decode() == "Café; 2"
    assert parsed["wifi-security"]["psk"] == r"\sback\\slash"
    assert ["rfkill", "unblock", "wifi"] in programs.ran


@pytest.mark.parametrize("is_loaded", [True, False])
def test_a_country_that_the_radio_does_not_take_now_is_told(boot, root, is_loaded):
    (boot / "mien-setup.toml").write_text('wifi_country = "DE"\nhostname = "hall"\n')
    if is_loaded:  # else the kernel reads it with the file when it loads the driver
        (root / "sys/module/cfg80211").mkdir(parents=True)
    problems = first_boot.FirstBoot(boot, root, Programs(iw=(127, "no such file"))).take_over()
    told = "wifi_country = 'DE': the radio takes it at the next start: iw: no such file"
    assert problems == ([f"mien-setup.toml: {told}"] if is_loaded else [])
    assert "=DE" in (root / "etc/modprobe.d/mien-wifi.conf").read_text()
    assert (root / "etc/hostname").read_text() == "hall\n"


def test_files_saved_by_windows_editor_are_taken_over(boot, root):
    text = 'hostname = "hall"\r\nmqtt_password = "top secret"\r\n'
    (boot / "mien-setup.toml").write_bytes(text.encode("utf-8-sig"))
    (boot / "mien.toml").write_bytes("[log]\r\n".encode("utf-8-sig"))
    assert first_boot.FirstBoot(boot, root, Programs()).take_over() == []
    assert (root / "etc/hostname").read_text() == "hall\n"
    assert (root / "etc/mien/mqtt-password").read_text() == "top secret\n"
    assert b"top secret" not in (boot / "mien-setup.toml").read_bytes()
    assert (root / "etc/mien/mien.toml").read_bytes() == b"[log]\n"


def test_an_open_wifi_has_no_security_section():
    assert "wifi-security" not in system.wifi_connection("guests", "")


def test_passwords_are_wiped_and_not_taken_over_twice(boot, root):
    path = boot / "mien-setup.toml"
    path.write_text('wifi_name = "home"\n  wifi_password = "top secret"\nmqtt_password = ""\n')
    device = first_boot.FirstBoot(boot, root, Programs())
    device.take_over()
    assert "top secret" not in path.read_text()
    assert f'wifi_password = "{setup_file.WIPED}"' in path.read_text()
    assert 'mqtt_password = ""' in path.read_text()
    connection = wifi_of(root)
    connection.unlink()
    device.take_over()
    assert not connection.exists()


def test_another_edit_of_the_sd_card_keeps_the_wifi_password_that_was_taken_over(boot, root):
    path = boot / "mien-setup.toml"
    path.write_text('wifi_name = "home"\nwifi_password = "top secret"\n')
    device = first_boot.FirstBoot(boot, root, Programs())
    assert device.take_over() == []
    connection = wifi_of(root)
    before = connection.read_text()
    assert "psk=top secret" in before
    path.write_text('hostname = "hall"\n' + path.read_text())
    assert device.take_over() == []
    assert (root / "etc/hostname").read_text() == "hall\n"
    assert connection.read_text() == before
    path.write_text(path.read_text().replace('"home"', '"office"').replace('"hall"', '"attic"'))
    assert device.take_over() == [
        "mien-setup.toml: wifi_name = 'office': write its wifi_password, too"
    ]
    assert connection.read_text() == before
    assert (root / "etc/hostname").read_text() == "attic\n"
    path.write_text(path.read_text().replace(f'"{setup_file.WIPED}"', '""'))
    assert device.take_over() == []
    assert "psk=" not in connection.read_text()


def test_an_ssh_key_makes_the_account_and_opens_ssh_without_passwords(boot, root):
    (boot / "mien-setup.toml").write_text(f'ssh_key = "{KEY}"\n')
    programs = Programs(id=(1, "no such user"))
    assert first_boot.FirstBoot(boot, root, programs).take_over() == []
    keys = root / "home/admin/.ssh/authorized_keys"
    assert keys.read_text() == KEY + "\n"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.parent.stat().st_mode) == 0o700
    assert "PasswordAuthentication no\n" in (root / "etc/ssh/sshd_config.d/mien.conf").read_text()
    assert ["useradd", "--create-home", "--shell", "/bin/bash", "admin"] in programs.ran
    assert ["systemctl", "enable", "ssh.service"] in programs.ran


def test_without_a_key_ssh_is_left_alone(boot, root):
    (boot / "mien-setup.toml").write_text('hostname = "hall"\n')
    programs = Programs()
    first_boot.FirstBoot(boot, root, programs).take_over()
    assert programs.ran == [["hostname", "hall"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hostname = ", "not valid TOML"),
        ('host = "x"', "unknown key host; known: hostname, timezone"),
        ("hostname = 3", "hostname: expected a text in quotation marks"),
        ('hostname = "Hall_1"', "hostname = 'Hall_1': allowed: a-z, 0-9 and hyphens"),
        ('timezone = "../../etc/passwd"', "timezone = '../../etc/passwd': allowed"),
        ('timezone = "Europe/Nowhere"', "unknown; see timedatectl list-timezones"),
        ('wifi_name = "x"\nwifi_password = "short"', "wifi_password = (secret): allowed: 8 to 63"),
        ('ssh_key = "-----BEGIN OPENSSH PRIVATE KEY-----"', "allowed: one line of a .pub file"),
        ('ssh_key = """ssh-rsa AAAA\nssh-rsa BBBB"""', "allowed: one line of a .pub file"),
    ],
)
def test_what_is_wrong_is_told_on_the_sd_card_and_nothing_is_done(boot, root, text, said):
    (boot / "mien-setup.toml").write_text(text)
    problems = first_boot.FirstBoot(boot, root, Programs()).take_over()
    assert len(problems) == 1
    assert said in problems[0]
    assert (boot / "mien-error.txt").read_text() == problems[0] + "\n"
    assert not (root / "etc").exists()


def test_the_report_goes_when_the_file_is_right(boot, root):
    (boot / "mien-setup.toml").write_text("hostname = 3")
    first_boot.FirstBoot(boot, root, Programs()).take_over()
    (boot / "mien-setup.toml").write_text('hostname = "hall"\n')
    first_boot.FirstBoot(boot, root, Programs()).take_over()
    assert not (boot / "mien-error.txt").exists()


def test_edits_on_the_device_stay_until_the_sd_card_is_edited(boot, root):
    (boot / "mien.toml").write_text("# from the SD card\n")
    device = first_boot.FirstBoot(boot, root, Programs())
    device.take_over()
    (root / "etc/mien/mien.toml").write_text("# by hand\n")
    device.take_over()
    assert (root / "etc/mien/mien.toml").read_text() == "# by hand\n"
    (boot / "mien.toml").write_text("# from the SD card again\n")
    device.take_over()
    assert (root / "etc/mien/mien.toml").read_text() == "# from the SD card again\n"


@pytest.mark.parametrize(
    ("device", "disk", "number"),
    [("/dev/mmcblk0p2", "/dev/mmcblk0", "2"), ("/dev/sda2", "/dev/sda", "2"),
     ("/dev/nvme0n1p2", "/dev/nvme0n1", "2")],
)  # fmt: skip
def test_the_root_grows_into_the_card(device, disk, number):
    programs = Programs(findmnt=(0, device + "\n"))
    assert first_boot.grow_root(programs) == []
    assert programs.ran[1:] == [["growpart", disk, number], ["resize2fs", device]]


def test_a_root_whose_growth_was_cut_off_grows_at_the_next_start():
    programs = Programs(findmnt=(0, "/dev/mmcblk0p2\n"), growpart=(1, "NOCHANGE"))
    first_boot.grow_root(programs)  # the partition has grown before, the file system has not
    assert programs.ran[-1] == ["resize2fs", "/dev/mmcblk0p2"]


@pytest.mark.parametrize(
    ("findmnt", "growpart"), [("/dev/vda2", 2), ("/dev/vda2", 127), ("overlay", 0), ("", 0)]
)
def test_a_root_that_cannot_grow_is_left_alone(findmnt, growpart):
    programs = Programs(findmnt=(0, findmnt), growpart=(growpart, "FAILED"))
    first_boot.grow_root(programs)
    assert [command for command in programs.ran if command[0] == "resize2fs"] == []


@pytest.mark.parametrize("fails", ["growpart", "resize2fs"])
def test_a_root_that_should_grow_and_cannot_is_told(boot, root, capsys, fails):
    programs = Programs(findmnt=(0, "/dev/mmcblk0p2\n"), **{fails: (2, "no such magic\n")})
    assert first_boot.main(boot, root, programs) == 0
    assert capsys.readouterr().err == (
        f"/dev/mmcblk0p2 stays as small as the image: {fails}: no such magic\n"
    )


def test_a_release_is_compiled_once(tmp_path):
    programs = Programs()
    first_boot.compile_release(tmp_path, programs)
    first_boot.compile_release(tmp_path, programs)
    assert len(programs.ran) == 1


def test_the_setup_is_applied_although_nothing_else_works(boot, root, capsys):
    (boot / "mien-setup.toml").write_text('hostname = "hall"\nfloor = "3"\n')
    release = root / "opt/mien/current"
    (release / ".compiled").parent.mkdir(parents=True)
    (release / ".compiled").symlink_to("/nowhere/at/all")  # cannot be made
    assert first_boot.main(boot, root, Programs(findmnt=(1, ""))) == 0
    assert (root / "etc/hostname").read_text() == "hall\n"
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("mien-setup.toml: unknown key floor")
    assert said[1].startswith("cannot compile: ")


def test_a_partition_that_takes_no_report_is_survived(boot, root):
    (boot / "mien-setup.toml").write_text('hostname = "hall"\nfloor = "3"\n')
    (boot / "mien-error.txt.part").mkdir()
    problems = first_boot.FirstBoot(boot, root, Programs()).take_over()
    assert (root / "etc/hostname").read_text() == "hall\n"
    assert problems[1].startswith("mien-error.txt: ")


def test_what_cannot_be_started_or_does_not_end_is_a_failure_and_no_exception(
    tmp_path, monkeypatch
):
    (tmp_path / "damaged").write_bytes(b"\x7fELF damaged")
    (tmp_path / "damaged").chmod(0o755)
    assert system.run([str(tmp_path / "damaged")]).returncode != 0
    assert system.run([str(tmp_path / "missing")]).returncode == 127
    assert system.run(["printf", r"\377"]).stdout == "\ufffd"
    monkeypatch.setattr(system, "TIMEOUT_S", 0.05)
    late = system.run(["sleep", "60"])
    assert (late.returncode, late.stderr) == (124, "sleep did not end within 0.05 s")


def test_the_way_in_follows_no_link_of_the_account(boot, root, tmp_path):
    (boot / "mien-setup.toml").write_text(f'ssh_key = "{KEY}"\nhostname = "hall"\n')
    (tmp_path / "elsewhere").mkdir()
    (root / "home/admin").mkdir(parents=True)
    (root / "home/admin/.ssh").symlink_to(tmp_path / "elsewhere")
    problems = first_boot.FirstBoot(boot, root, Programs()).take_over()
    assert ".ssh is a link: nothing is written there" in problems[0]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (root / "etc/hostname").read_text() == "hall\n"
    (root / "home/admin/.ssh").unlink()
    (root / "home/admin/.ssh").mkdir()
    (root / "home/admin/.ssh/authorized_keys.part").symlink_to(tmp_path / "elsewhere/file")
    assert first_boot.FirstBoot(boot, root, Programs()).take_over() == []
    assert (root / "home/admin/.ssh/authorized_keys").read_text() == KEY + "\n"
    assert list((tmp_path / "elsewhere").iterdir()) == []
