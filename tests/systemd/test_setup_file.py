"""``mien-setup.toml`` however it is written: what is right is applied, what is wrong is told."""

from __future__ import annotations

import random
import time

import pytest

from tests.systemd.on_device import Programs, first_boot, setup_file, wifi_of

SECRET = "top; secret"
WIFI = f'wifi_name = "home net"\nwifi_password = "{SECRET}"\n'
HEX_KEY = "0123456789abcdefABCDEF" + "0" * 42

WRONG = {  # what stands between good keys, and what is said about it
    "no value": ("timezone = ", "timezone: not valid TOML"),
    "no quotation marks": ("timezone = Europe/Berlin", "timezone: expected a text in quotation"),
    "round quotation marks": ("timezone = “Europe/Berlin”", "timezone: expected a text in quot"),
    "one quotation mark": ('timezone = "Europe/Berlin', "timezone: not valid TOML"),
    "two texts": ('timezone = "Europe/Berlin" "x"', "timezone: not valid TOML"),
    "an open multi-line text": ('timezone = """Europe/Berlin', "timezone: not valid TOML"),
    "a colon": ('timezone: "Europe/Berlin"', "line 2: not valid TOML: expected key ="),
    "no key": ('= "x"', "line 2: not valid TOML"),
    "a word": ("Europe/Berlin", "line 2: not valid TOML"),
    "a section": ("[setup]", "line 2: not valid TOML"),
    "a dotted key": ('wifi.name = "x"', "line 2: not valid TOML"),
    "an unknown key": ('time_zone = "Europe/Berlin"', "unknown key time_zone; known: hostname,"),
    "a long key": ("k" * 5000 + ' = "x"', "unknown key " + "k" * 60 + "; known"),
    "a number": ("timezone = 3", "timezone: expected a text in quotation marks"),
    "5001 digits": ("timezone = " + "9" * 5001, "timezone: expected a text in quotation marks"),
    "deep arrays": ("timezone = " + "[" * 5000, "timezone: expected a text in quotation marks"),
    "deep tables": ("timezone = " + "{a=" * 5000, "timezone: expected a text in quotation marks"),
    "a deep key": ("a." * 5000 + 'b = "x"', "line 2: not valid TOML"),
    "twice": ('timezone = ""\ntimezone = ""', "timezone: stands there more than once"),
    "an unknown escape": (r'timezone = "Europe\Berlin"', "timezone: not valid TOML: Unescaped"),
    "half a character": (r'timezone = "\ud800"', "timezone: not valid TOML"),
    "an unknown zone": ('timezone = "Europe/Nowhere"', "unknown; see timedatectl"),
    "a path": ('timezone = "../../etc/passwd"', "allowed: a name such as Europe/Berlin"),
    "a NUL": ('timezone = "Europe\0"', "timezone: not valid TOML"),
    "many NULs": ("\0" * 5000, "line 2: not valid TOML"),
    "a private key": ('ssh_key = "-----BEGIN OPENSSH PRIVATE KEY-----"', "one line of a .pub"),
    "two keys": ('ssh_key = """ssh-rsa AAAA\nssh-rsa BBBB"""', "one line of a .pub"),
    "a lower-case country": ('wifi_country = "de"', "wifi_country = 'de': allowed: two capital"),
    "a broker password of two lines": ('mqtt_password = "a\\nb"', "mqtt_password = (secret)"),
}


def take_over(boot, root, text):
    """What was said and whether anything was run."""
    data = text if isinstance(text, bytes) else text.encode()
    (boot / "mien-setup.toml").write_bytes(data)
    return first_boot.FirstBoot(boot, root, Programs()).take_over()


@pytest.mark.parametrize(("wrong", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_keeps_nothing_else_out_and_is_told(boot, root, wrong, said):
    problems = take_over(boot, root, f'hostname = "hall"\n{wrong}\n{WIFI}')
    assert any(said in problem for problem in problems), problems
    assert (boot / "mien-error.txt").read_text() == "\n".join(problems) + "\n"
    assert (root / "etc/hostname").read_text() == "hall\n"
    assert f"psk={SECRET}\n" in wifi_of(root).read_text()
    left = (boot / "mien-setup.toml").read_bytes()
    assert SECRET.encode() not in left
    assert wrong.encode() in left


@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_an_open_text_ends_at_the_next_quotation_marks_and_swallows_nothing(boot, root, quotes):
    password = f"wifi_password = {quotes}{SECRET}{quotes}"
    text = f'timezone = {quotes}Europe/Berlin\nwifi_name = "home net"\n{password}\n'
    assert len(take_over(boot, root, text)) == 1
    assert f"psk={SECRET}\n" in wifi_of(root).read_text()
    assert SECRET not in (boot / "mien-setup.toml").read_text()


@pytest.mark.parametrize("text", ['a"b""c""', '"a', "a\\"])
def test_quotation_marks_within_a_text_are_read_as_toml_reads_them(boot, root, text):
    written = text.replace("\\", "\\\\")
    assert take_over(boot, root, f'mqtt_password = """{written}"""\n') == []
    assert (root / "etc/mien/mqtt-password").read_text() == text + "\n"
    assert (boot / "mien-setup.toml").read_text() == f'mqtt_password = "{setup_file.WIPED}"\n'


def test_what_is_wrong_stays_told_and_is_not_applied_again(boot, root):
    problems = take_over(boot, root, f"timezone = 3\n{WIFI}")
    wifi_of(root).unlink()
    again = Programs()
    assert first_boot.FirstBoot(boot, root, again).take_over() == problems
    assert (boot / "mien-error.txt").read_text() == problems[0] + "\n"
    assert again.ran == []
    assert not wifi_of(root).exists()


def test_many_problems_make_a_short_report(boot, root):
    take_over(boot, root, "x\n" * 1000)
    assert (boot / "mien-error.txt").read_text().endswith("\nand 970 more\n")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\0" * 4096, "line 1: not valid TOML"),
        (random.Random(0).randbytes(4096) + b"\n=", "not valid TOML"),
        (b"#" * 100_000_000, "too large: at most 16 KiB"),
    ],
    ids=["NULs", "noise", "100 MB"],
)
def test_a_file_without_anything_usable_is_told(boot, root, data, said):
    problems = take_over(boot, root, data)
    assert said in "\n".join(problems)
    assert said in (boot / "mien-error.txt").read_text()
    assert not (root / "etc").exists()


def test_a_folder_or_link_in_the_file_s_place_is_told(boot, root):
    (boot / "mien-setup.toml").mkdir()
    assert first_boot.FirstBoot(boot, root, Programs()).take_over() != []
    assert (boot / "mien-error.txt").exists()
    (boot / "mien-setup.toml").rmdir()
    (boot / "mien-setup.toml").symlink_to("/etc/hostname")
    assert first_boot.FirstBoot(boot, root, Programs()).take_over() != []
    assert not (root / "etc").exists()


def test_other_encodings(boot, root):
    latin = f'# Küche\nhostname = "hall"\ntimezone = "Büro"\n{WIFI}'.encode("latin-1")
    problems = take_over(boot, root, latin)
    assert problems == ["mien-setup.toml: timezone: not UTF-8: save the file as UTF-8"]
    assert f"psk={SECRET}\n" in wifi_of(root).read_text()
    assert "# Küche\n".encode("latin-1") in (boot / "mien-setup.toml").read_bytes()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_windows_encodings_and_line_ends(boot, root, encoding, line_end):
    text = f'#wifi_password = ""\n#\n\nhostname = "hall"\n{WIFI}'.replace("\n", line_end)
    assert take_over(boot, root, text.encode(encoding)) == []
    assert (root / "etc/hostname").read_text() == "hall\n"
    left = (boot / "mien-setup.toml").read_bytes()
    assert left.decode() == text.replace(SECRET, setup_file.WIPED)


@pytest.mark.parametrize(
    ("name", "password"),
    [("home net", "home net"), ("home", "password"), ("home", HEX_KEY), ("ü" * 16, "toml mien")],
)
def test_a_password_may_occur_elsewhere_in_the_file(boot, root, name, password):
    shipped = "# Mien's own settings are in mien.toml: wifi_password, mqtt-password\n"
    text = f'{shipped}hostname = "mien"\nwifi_name = "{name}"\nwifi_password = "{password}"\n'
    assert take_over(boot, root, text + 'mqtt_password = "mien"\n') == []
    assert f"psk={password}\n" in wifi_of(root).read_text()
    assert (root / "etc/mien/mqtt-password").read_text() == "mien\n"
    assert (boot / "mien-setup.toml").read_text() == (
        f'{shipped}hostname = "mien"\nwifi_name = "{name}"\n'
        'wifi_password = "(taken over)"\nmqtt_password = "(taken over)"\n'
    )


@pytest.mark.parametrize(
    "wrong",
    ['"short"', '"' + "x" * 65 + '"', '"' + "g" * 64 + '"', '"ümlaut in it"', "30", '"""30', "top"],
)
def test_a_wifi_is_never_joined_as_an_open_one_because_its_password_is_wrong(boot, root, wrong):
    problems = take_over(boot, root, f'wifi_name = "home"\nwifi_password = {wrong}\n')
    assert len(problems) == 1
    assert wrong.strip('"') not in problems[0]
    assert not wifi_of(root).exists()
    assert wrong in (boot / "mien-setup.toml").read_text()  # to be mended


def test_a_name_of_33_bytes_or_none_joins_nothing(boot, root):
    text = f'wifi_name = "{"ü" * 16}x"\nwifi_password = "{SECRET}"\n'
    assert "1 to 32 bytes" in take_over(boot, root, text)[0]
    assert "write the wifi_name, too" in take_over(boot, root, f'wifi_password = "{SECRET}"\n')[0]
    assert not wifi_of(root).exists()
    assert SECRET in (boot / "mien-setup.toml").read_text()


@pytest.mark.parametrize(
    "written",
    [
        '"""top; secret"""',
        '"""\ntop; secret"""',
        '"""\\\n   top; \\\n   secret"""',
        "'''\ntop; secret'''",
        "'top; secret'  # mine: top; secret",
        r'"top\u003b secret"',
        r'"\U00000074op; secret"',
    ],
)
def test_however_it_is_written_a_password_is_wiped(boot, root, written):
    text = f'wifi_name = "home" # not top; secret\n"wifi_password" = {written}\nhostname = "hall"\n'
    assert take_over(boot, root, text) == []
    assert f"psk={SECRET}\n" in wifi_of(root).read_text()
    assert (boot / "mien-setup.toml").read_text() == (
        f'wifi_name = "home" # not {setup_file.WIPED}\n'
        f'"wifi_password" = "{setup_file.WIPED}"\nhostname = "hall"\n'
    )


def test_old_passwords_in_comments_go_once_a_new_one_is_in_place(boot, root):
    old = (
        '#wifi_password = "an older one"\n#mqtt_password = "the broker\'s"\n# note: top; secret!\n'
    )
    assert take_over(boot, root, old + WIFI) == []
    left = (boot / "mien-setup.toml").read_text()
    assert left.startswith(
        '#wifi_password = "(taken over)"\n#mqtt_password = "the broker\'s"\n# note: (taken over)!\n'
    )


def test_copies_of_a_password_in_wrong_lines_go_too(boot, root):
    wrong = 'wifi_password = "top; secret\nwifi_pasword = "top; secret"\ntop; secret\n'
    problems = take_over(boot, root, f'{wrong}hostname = "top; secret"\n{WIFI}')
    assert len(problems) == 5
    assert SECRET not in "\n".join(problems)
    assert f"psk={SECRET}\n" in wifi_of(root).read_text()
    assert SECRET not in (boot / "mien-setup.toml").read_text()


def test_what_the_system_refuses_is_tried_again_and_its_password_stays(boot, root):
    (root / "etc").mkdir()
    (root / "etc/mien").write_text("in the way\n")
    (boot / "mien-setup.toml").write_text(f'mqtt_password = "the broker"\n{WIFI}')
    device = first_boot.FirstBoot(boot, root, Programs())
    assert "mqtt_password: " in device.take_over()[0]
    assert '"the broker"' in (boot / "mien-setup.toml").read_text()
    assert SECRET not in (boot / "mien-setup.toml").read_text()
    (root / "etc/mien").unlink()
    assert device.take_over() == []
    assert (root / "etc/mien/mqtt-password").read_text() == "the broker\n"
    assert not (boot / "mien-error.txt").exists()


PIECES = [
    "#",
    "# wifi_password ",
    "# wifi_password = x ",
    "wifi_password",
    " ",
    "\t",
    "\n",
    "\r",
    "=",
]
PIECES += ['"', "'", "\\", 'a="""', "a='''\\", 'a="""\\\\"""\n', "x\n", 'wifi_name="\n', SECRET]
PIECES += ['hostname=""\n', "a=", "\0", "ü", "[", "a."]


@pytest.mark.parametrize("piece", PIECES)
def test_no_file_takes_long(boot, root, piece):
    for start in ("", "#", 'hostname = "'):
        text = WIFI + start + piece * (16_000 // len(piece.encode()))
        started_s = time.thread_time()
        take_over(boot, root, text)
        assert time.thread_time() - started_s < 2  # of its own: the disk may be busy
        assert SECRET.encode() not in (boot / "mien-setup.toml").read_bytes()


def test_settings_that_are_not_utf_8_are_told(boot, root):
    (boot / "mien.toml").write_bytes("# Küche\n".encode("latin-1"))
    problems = first_boot.FirstBoot(boot, root, Programs()).take_over()
    assert problems == ["mien.toml: not UTF-8: save the file as UTF-8"]
