"""What ``mien check`` refuses, what it tells of the state folder, and that ``run`` says the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from device.__main__ import main
from device.cli import check
from device.daemon.build import open_daemon
from device.daemon.state_file import StateFile
from device.errors import ConfigurationError
from device.settings import load_settings
from tests.device.cli.processes import ROOT, ask_doctor, findings
from tests.device.daemon.test_build import surroundings

NO_RIGHTS = [
    "setpriv", "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
]  # fmt: skip


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder; the models are tried elsewhere."""
    monkeypatch.setattr(check, "model_lines", lambda settings, store: [])
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def configured(folder: Path, **tables: str) -> list[str]:
    """``--config`` and a settings file with these tables and this state folder."""
    device = f'state_dir = "{folder}"\n'
    texts = {"device": device, **tables}
    path = folder.parent / "mien.toml"
    path.write_text("".join(f"[{name}]\n{text}\n" for name, text in texts.items()))
    return ["--config", str(path)]


@pytest.mark.parametrize(
    ("table", "key", "given"),
    [("outbox", "path", given) for given in (".", "..", "/", "kept", "kept/", "new/")]
    + [("health", "prometheus_file", given) for given in (".", "/", "/tmp", "/tmp/none/")],
)
def test_a_folder_in_a_file_s_place_is_refused_and_stays_open(
    state: Path, table: str, key: str, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / "kept").mkdir(mode=0o755)
    modes = [path.stat().st_mode for path in (state.parent, state, state / "kept")]
    config = configured(state, **{table: f'{key} = "{given}"'})
    assert main(["check", *config], {}) == 78
    told = f"{table}.{key} = {given!r}: is a folder; name a file"
    assert told in capsys.readouterr().err
    with pytest.raises(ConfigurationError, match=r"is a folder; name a file"):
        open_daemon(load_settings(Path(config[1])), surroundings(state)).__enter__()
    assert [path.stat().st_mode for path in (state.parent, state, state / "kept")] == modes


@pytest.mark.parametrize(
    ("table", "line", "why"),
    [
        ("outbox", 'path = "/dev/null"', "is a device or a pipe"),
        ("health", 'prometheus_file = "/dev/null"', "is a device or a pipe"),
        ("outbox", 'path = "settings.json"', "what was set by commands is kept there"),
    ],
)
def test_what_a_file_would_take_the_place_of_is_kept(
    state: Path, table: str, line: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mode = Path("/dev/null").stat().st_mode
    config = configured(state, **{table: line})
    assert main(["check", *config], {}) == 78
    assert why in capsys.readouterr().err
    with pytest.raises(ConfigurationError, match=why):
        open_daemon(load_settings(Path(config[1])), surroundings(state)).__enter__()
    assert Path("/dev/null").stat().st_mode == mode


def test_a_file_in_the_state_folder_s_place_ends_run_and_check_with_the_same_words(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (state / "file", Path("/dev/null")):
        (state / "file").touch()
        config = configured(state)
        environment = {"MIEN_DEVICE__STATE_DIR": str(folder)}
        assert main(["check", *config], environment) == 78
        told = f"device.state_dir: nothing can be written to {folder}: {folder}: Not a directory"
        assert capsys.readouterr().err == f"mien: {told}\n"
        with pytest.raises(ConfigurationError) as raised:
            open_daemon(load_settings(Path(config[1])), surroundings(folder)).__enter__()
        assert raised.value.lines == [told]


def test_each_wrong_setting_is_told(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    config = configured(
        state,
        classifier='model = "nobody"',
        camera='source = "replay"\npath = "/nowhere/a.mp4"',
        mqtt='host = "h"\ntls = true\nca_file = "/nowhere/ca.pem"\npassword_file = "/nowhere/p"',
        web='enabled = true\npassword_file = "/nowhere/hash"\n'
        'cert_file = "/nowhere/c.pem"\nkey_file = "/nowhere/k.pem"',
        outbox='path = "/"',
    )
    assert main(["check", *config], {}) == 78
    said = capsys.readouterr()
    for key in ("classifier.model", "camera.path", "outbox.path", "mqtt.ca_file",
                "mqtt.password_file", "web.password_file", "web.cert_file"):  # fmt: skip
        assert said.err.count(key) == 1, key
    assert said.err.count("\n") == 7
    assert said.out == ""


def test_a_folder_for_a_certificate_is_said_without_a_number(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(state, mqtt=f'host = "h"\ntls = true\nca_file = "{state}"')
    assert main(["check", *config], {}) == 78
    assert "Errno" not in capsys.readouterr().err


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv"
)
def test_a_picture_in_a_locked_folder_is_one_line(state: Path) -> None:
    (state / "locked").mkdir(mode=0o000)
    config = configured(state, camera=f'source = "replay"\npath = "{state}/locked/a.mp4"')
    done = subprocess.run(
        [*NO_RIGHTS, sys.executable, "-m", "device", "check", *config],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 78
    said = [line for line in done.stderr.splitlines() if not line.startswith("INFO:")]
    assert said == [
        f"mien: camera.path = '{state}/locked/a.mp4': cannot read it: Permission denied"
    ]


def test_what_commands_have_set_is_told(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured(state)
    assert main(["check", *config], {}) == 0
    assert "\ncommands" not in capsys.readouterr().out
    assert findings(ask_doctor(*config).stdout)["commands"] == ("ok", "nothing above the settings")
    StateFile(state / "settings.json").remember({"smoothing.threshold": 0.6}, paused=True)
    told = "paused, until resume, smoothing.threshold = 0.6 (settings: 0.45)"
    assert main(["check", *config], {}) == 0
    assert told in capsys.readouterr().out
    mark, text = findings(ask_doctor(*config).stdout)["commands"]
    assert mark == "ok"
    assert told in text


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv"
)
@pytest.mark.parametrize("owner", [0, 54_321])
def test_a_memory_that_cannot_be_read_is_told_to_its_owner(state: Path, owner: int) -> None:
    path = state / "settings.json"
    StateFile(path).remember({"smoothing.threshold": 0.6})
    path.chmod(0o000)
    os.chown(path, owner, owner)
    config = configured(state, classifier='model = "expression-tiny"')
    done = subprocess.run(
        [*NO_RIGHTS, sys.executable, "-m", "device", "check", *config],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = "settings.json cannot be read (Permission denied): paused"
    assert (told in done.stderr) == (owner == 0)
    assert ("is not yours to read" in done.stdout) == (owner != 0)
    assert "0.6" in path.read_text()


def test_a_damaged_memory_is_told_and_left_as_it_is(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = state / "settings.json"
    path.write_text("{")
    path.chmod(0o644)
    config = configured(state)
    assert main(["check", *config], {}) == 0
    assert "settings.json is damaged" in capsys.readouterr().err
    mark, text = findings(ask_doctor(*config).stdout)["commands"]
    assert mark == "!!"
    assert "settings.json is damaged" in text
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("{", 0o644)
    assert list(state.iterdir()) == [path]
