import os
from pathlib import Path

import pytest

from device.errors import ConfigurationError, StorageError
from device.settings import Settings, load_settings, replace_setting


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mien.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_gives_the_defaults() -> None:
    assert load_settings(None) == Settings()


def test_values_of_a_file_replace_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, "[camera]\nwidth = 800\n[smoothing]\nthreshold = 1\n")
    settings = load_settings(path)
    assert settings.camera.width == 800
    assert settings.smoothing.threshold == 1.0
    assert isinstance(settings.smoothing.threshold, float)
    assert settings.camera.height == Settings().camera.height


def test_a_byte_order_mark_of_windows_editor_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "mien.toml"
    path.write_bytes("[camera]\r\nwidth = 800\r\n".encode("utf-8-sig"))
    assert load_settings(path).camera.width == 800


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[camera]\nwidth = 640\nwitdh = 3\n", [":3:", "camera.witdh", "width"]),
        ("[camrea]\nwidth = 640\n", ["camrea", "camera"]),
        ("\n\n[camera]\nwidth = 10\n", [":4:", "camera.width = 10", "160 to 1920"]),
        ('[camera]\nwidth = "wide"\n', [":2:", "'wide'", "whole number"]),
        ("[camera]\nmirror = 1\n", ["true or false"]),
        ("[camera]\nwidth = true\n", ["whole number"]),
        ("[smoothing]\nthreshold = nan\n", ["threshold", "0 to 1"]),
        ('[detector]\nkind = "yolo"\n', ["'yolo'", "haar", "hog"]),
        ("[camera\nwidth = 1\n", ["not valid TOML"]),
        ("camera = 3\n", [":1:", "table"]),
        ('[device]\ndeployment = "workplace"\n', [":2:", "AI Act"]),
        ('[camera]\nsource = "replay"\n', [":2:", "camera.path"]),
        ("[camera]\nrotate_deg = 45\n", [":2:", "rotate_deg = 45", "90"]),
        ('[mqtt]\nprefix = "a/#"\n', [":2:", "mqtt.prefix", "topic", "without +, # and"]),
        ('[mqtt]\nprefix = ""\n', [":2:", "mqtt.prefix = ''", "not empty"]),
        ('[home_assistant]\nprefix = ""\n', [":2:", "home_assistant.prefix", "not empty"]),
        ('[mqtt]\nhost = "broker.lan:1883"\n', [":2:", "mqtt.port"]),
        ('[mqtt]\nhost = "mqtt://broker.lan"\n', [":2:", "name or address alone"]),
        ('[device]\nid = "a/b"\n', [":2:", "device.id", "nor /"]),
        ('[mqtt]\ncert_file = "a.pem"\n', ["belong together"]),
        ('[mqtt]\nca_file = "a.pem"\n', [":2:", "nothing would be encrypted", "mqtt.tls = true"]),
        (
            '[mqtt]\nhost = "h"\ncert_file = "a.pem"\nkey_file = "b.pem"\n',
            [":3:", "mqtt.cert_file", "nothing would be encrypted"],
        ),
    ],
)
def test_a_wrong_file_names_place_value_and_what_is_allowed(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, text))
    message = str(caught.value)
    assert "\n" not in message
    for part in ["mien.toml", *parts]:
        assert part in message
    assert caught.value.exit_status == 78


def test_all_that_is_wrong_is_told_at_once_and_a_flood_is_cut(tmp_path: Path) -> None:
    text = "[camera]\nwidth = 10\nmirror = true\nfloor = 3\n[roof]\nx = 1\n[mqtt]\nport = 'x'\n"
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, {"MIEN_CAMERA__HEIGHT": "tall"})
    told = [str(caught.value), *caught.value.others]
    begins = ("5: unknown section [roof]", "2: camera.width = 10", "4: unknown key camera.floor",
              "8: mqtt.port = 'x'")  # fmt: skip
    assert [line.startswith(f"{path}:{b}") for line, b in zip(told, begins, strict=False)] == [
        True
    ] * 4
    assert [line.split(":")[0] for line in told[4:]] == ["environment MIEN_CAMERA__HEIGHT"]
    together = '[camera]\nrotate_deg = 45\n[device]\nid = "a/b"\n'
    with pytest.raises(ConfigurationError, match=r":2: camera\.rotate_deg") as caught:
        load_settings(write(tmp_path, together))
    assert [":4: device.id" in line for line in caught.value.others] == [True]
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, "\n".join(f"[k{number}]" for number in range(500))))
    assert len(caught.value.others) < 20


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read settings"):
        load_settings(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load_settings(tmp_path / "binary.toml")


@pytest.mark.parametrize("host", ["", "broker.lan", "10.0.0.1", "fe80::1%eth0", "::1", "my_pi"])
def test_names_and_addresses_are_hosts(tmp_path: Path, host: str) -> None:
    assert load_settings(write(tmp_path, f'[mqtt]\nhost = "{host}"\n')).mqtt.host == host


def test_a_disk_that_fails_does_not_end_the_restarts() -> None:
    with pytest.raises(StorageError, match="cannot read settings: Input/output error"):
        load_settings(Path("/proc/self/mem"))  # its first byte is such an error


def test_a_variable_that_does_not_fit_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"environment MIEN_CAMERA__ROTATE_DEG: "):
        load_settings(None, {"MIEN_CAMERA__ROTATE_DEG": "45"})


def test_a_variable_that_is_not_utf_8_is_refused() -> None:
    """A Latin-1 password would end in a traceback at each attempt to connect."""
    password = os.fsdecode("schlüssel".encode("latin-1"))
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, {"MIEN_MQTT__PASSWORD": password})
    place = "environment MIEN_MQTT__PASSWORD"
    assert str(caught.value) == f"{place}: mqtt.password = (secret): allowed: text in UTF-8"
    with pytest.raises(ConfigurationError, match="allowed: text in UTF-8"):
        load_settings(None, {"MIEN_DEVICE__NAME": "\udce9"})
    assert load_settings(None, {"MIEN_MQTT__PASSWORD": "schlüssel"}).mqtt.password == "schlüssel"


def test_the_mark_that_windows_editor_puts_first_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "mien.toml"
    path.write_bytes(b"\xef\xbb\xbf[camera]\r\nwidth = 320\r\n")
    assert load_settings(path).camera.width == 320


def test_the_environment_wins_and_text_keys_stay_text(tmp_path: Path) -> None:
    path = write(tmp_path, '[mqtt]\npassword = "old"\nport = 1\n')
    environment = {"MIEN_MQTT__PASSWORD": "123", "MIEN_MQTT__PORT": "1884", "MIEN_OTHER": "x"}
    settings = load_settings(path, environment)
    assert (settings.mqtt.password, settings.mqtt.port) == ("123", 1884)


def test_a_wrong_environment_value_names_the_variable_and_hides_secrets() -> None:
    with pytest.raises(ConfigurationError, match=r"MIEN_MQTT__PORT.*'soon'"):
        load_settings(None, {"MIEN_MQTT__PORT": "soon"})
    with pytest.raises(ConfigurationError) as caught:
        replace_setting(Settings(), "mqtt.password", 4711)
    assert "4711" not in str(caught.value)
